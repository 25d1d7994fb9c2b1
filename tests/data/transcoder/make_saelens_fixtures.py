"""Writes the SAELens fixtures of tests/lib/transcoder: transcoders as sae-lens 6.54 saves them, and what it computes.

python make_saelens_fixtures.py     (needs sae-lens 6.54, torch 2.13, transformers; writes into saelens/ beside itself)

Each transcoder stands for the MLP of layer 1 of the model in ../golden/model (d_model 32) and has 64 features. All but
`before_gain` and `centred` were fitted, for a short while, to the MLP's raw output from its input after the layer
norm's gain, as sae-lens trains on a model that TransformerLens 2 loads without processing. Each folder holds cfg.json
and sae_weights.safetensors; expected.safetensors beside the folders holds, for every one,

  {name}.acts [rows, d_sae], {name}.out [rows, d_model]    what sae-lens computes, in float64, from `after_gain` (from
                                                           `x_hat` for before_gain)

and x_hat, after_gain [rows, d_model], mlp_out [rows, d_model] (raw, not centred) of 24 tokens.
"""

import json
import pathlib
import shutil

import safetensors.torch
import torch
import transformers
from sae_lens.saes import transcoder as saelens

HERE = pathlib.Path(__file__).parent
OUT = HERE / "saelens"
MODEL = HERE.parent / "golden" / "model"
LAYER, D_MODEL, D_SAE, EXPECTED_ROWS = 1, 32, 64, 24
HOOKS = {"hook_name": f"blocks.{LAYER}.ln2.hook_normalized", "hook_name_out": f"blocks.{LAYER}.hook_mlp_out"}
CLASSES = {
    "transcoder": (saelens.Transcoder, saelens.TranscoderConfig),
    "skip_transcoder": (saelens.SkipTranscoder, saelens.SkipTranscoderConfig),
    "jumprelu_transcoder": (saelens.JumpReLUTranscoder, saelens.JumpReLUTranscoderConfig),
    "jumprelu_skip_transcoder": (saelens.JumpReLUSkipTranscoder, saelens.JumpReLUSkipTranscoderConfig),
}


def mlp_tensors() -> dict[str, torch.Tensor]:
    """The MLP's input before and after the gain, and its output, at the tokens of random sequences, in float64."""
    model = transformers.GPT2LMHeadModel.from_pretrained(MODEL, attn_implementation="eager").double().eval()
    block, seen = model.transformer.h[LAYER], {}
    block.ln_2.register_forward_hook(lambda _, inputs, output: seen.update(resid=inputs[0], after_gain=output))
    block.mlp.register_forward_hook(lambda _, __, output: seen.update(mlp_out=output))
    tokens = torch.randint(256, (64, 64), generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        model(tokens)
    resid = seen.pop("resid")
    resid = resid - resid.mean(-1, keepdim=True)
    seen["x_hat"] = resid / (resid.square().mean(-1, keepdim=True) + model.config.layer_norm_epsilon).sqrt()
    return {name: tensor.flatten(0, 1).contiguous() for name, tensor in seen.items()}


def build(architecture: str, seed: int, **metadata: object):
    """A random transcoder of sae-lens's class."""
    torch.manual_seed(seed)
    cls, config = CLASSES[architecture]
    metadata = {"model_name": "tiny", "prepend_bos": True, **HOOKS, **metadata}
    cfg = config(d_in=D_MODEL, d_sae=D_SAE, d_out=D_MODEL, apply_b_dec_to_input=False)
    cfg.metadata = type(cfg.metadata)(**metadata)
    made = cls(cfg)
    with torch.no_grad():
        made.W_enc.copy_(torch.randn(D_MODEL, D_SAE) / D_MODEL**0.5)
        made.W_dec.copy_(torch.randn(D_SAE, D_MODEL) * 0.05)
    return made


def fit(made, source: torch.Tensor, target: torch.Tensor, steps: int = 1500) -> None:
    """Fits all that has a gradient; thresholds are set afterwards."""
    optimizer = torch.optim.Adam(made.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        rows = torch.randperm(len(source), generator=torch.Generator().manual_seed(step))[:1024]
        loss = (made(source[rows]) - target[rows]).square().sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def set_thresholds(made) -> None:
    """Thresholds that matter: most small and positive, a few zero, a few negative."""
    with torch.no_grad():
        made.threshold.copy_(torch.rand(D_SAE, generator=torch.Generator().manual_seed(3)) * 0.6)
        made.threshold[:8] = 0
        made.threshold[8:12] = -0.3


def save(name: str, made) -> None:
    made.save_model(OUT / name)


def expected(made, source: torch.Tensor) -> dict[str, torch.Tensor]:
    double = made.to(torch.float64)
    with torch.no_grad():
        out, acts = double.forward_with_activations(source[:EXPECTED_ROWS])
    return {"acts": acts.contiguous(), "out": out.contiguous()}


def reload(name: str):
    return saelens.Transcoder.load_from_disk(OUT / name)


def fitted(mlp: dict[str, torch.Tensor]) -> None:
    """One folder for each architecture, and one more with the decoder's norms folded."""
    for seed, architecture in enumerate(CLASSES):
        made = build(architecture, seed)
        fit(made, mlp["after_gain"].float(), mlp["mlp_out"].float())
        if "jumprelu" in architecture:
            set_thresholds(made)
        save(architecture, made)
        made.fold_W_dec_norm()
        save(f"{architecture}_folded", made)


def variants(mlp: dict[str, torch.Tensor]) -> None:
    """The same transcoder under other conventions."""
    before = build("transcoder", 10)
    fit(before, mlp["x_hat"].float(), mlp["mlp_out"].float())
    save("before_gain", before)
    centred = build("skip_transcoder", 11, model_from_pretrained_kwargs={"center_writing_weights": True})
    fit(centred, mlp["after_gain"].float(), (mlp["mlp_out"] - mlp["mlp_out"].mean(-1, keepdim=True)).float())
    save("centred", centred)
    # What a checkpoint of training has beside the weights until the scale is folded.
    scaled = reload("skip_transcoder")
    scaled.fold_activation_norm_scaling_factor(1 / 2.5)
    scaled.cfg.normalize_activations = "expected_average_only_in"
    save("scaled", scaled)
    (OUT / "scaled" / "activation_scaler.json").write_text(json.dumps({"scaling_factor": 2.5}))
    half = reload("jumprelu_skip_transcoder").to(torch.bfloat16)
    save("bfloat16", half)
    # Version 5 had the fields of the model beside the others.
    save("flat", reload("transcoder"))
    cfg = json.loads((OUT / "flat" / "cfg.json").read_text())
    metadata = cfg.pop("metadata")
    cfg |= {"model_name": "tiny", "hook_point": metadata["hook_name"], "hook_point_head_index": None}
    cfg |= {"hook_name_out": metadata["hook_name_out"], "activation_fn_str": "relu", "activation_fn_kwargs": {}}
    cfg |= {"sae_lens_training_version": "5.9.1", "normalize_activations": False, "context_size": 64}
    (OUT / "flat" / "cfg.json").write_text(json.dumps(cfg))


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    tensors = mlp_tensors()
    fitted(tensors)
    variants(tensors)
    result = {name: tensor[:EXPECTED_ROWS].contiguous() for name, tensor in tensors.items()}
    for folder in sorted(path.name for path in OUT.iterdir()):
        made = reload(folder)
        if folder == "scaled":
            made.fold_activation_norm_scaling_factor(2.5)
        of = expected(made, tensors["x_hat" if folder == "before_gain" else "after_gain"])
        result |= {f"{folder}.{key}": tensor for key, tensor in of.items()}
        wanted = tensors["mlp_out"][:EXPECTED_ROWS]
        if folder == "centred":
            wanted = wanted - wanted.mean(-1, keepdim=True)
        unexplained = (of["out"] - wanted).square().sum() / (wanted - wanted.mean(0)).square().sum()
        print(f"{folder}: explains {1 - unexplained:.3f}, L0 {(of['acts'] > 0).sum() / len(of['acts']):.1f}")
    log_sparsity = torch.linspace(-6, -1, D_SAE)
    safetensors.torch.save_file({"sparsity": log_sparsity}, OUT / "jumprelu_transcoder" / "sparsity.safetensors")
    safetensors.torch.save_file(result, OUT / "expected.safetensors")
