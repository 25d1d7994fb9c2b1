"""Writes the fixtures of tests/lib/model: small random GPT-2 models as transformers saves them, and what transformers
and TransformerLens compute with them.

python make_fixtures.py     (needs transformer-lens 2.18.0, and with its numpy 1.26 "datasets<4" "pyarrow<19";
transformers 4.57; safetensors; writes beside itself)

Each folder holds a model and two files, both computed in float64.

expected.safetensors, by transformers: tokens [s, p]; log_probabilities [s, p, vocab]; loss [s, p - 1]; and for each
layer resid_mid (the residual stream after attention, less its mean over d_model), x_hat (the same, normalised, before
gain and bias), pre (before the activation function) and out (the MLP's output, less its mean over d_model).

transformer_lens.safetensors, by TransformerLens, rounded to float32, under its own names: the weights after fold_ln,
center_writing_weights, center_unembed and fold_value_biases; and for the same tokens ln2.hook_normalized, mlp.hook_pre
and hook_mlp_out. To keep it small, of the layers only the first and the last.
"""

import pathlib

import safetensors.torch
import torch
import transformers
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights

HERE = pathlib.Path(__file__).parent
CONFIGS = {
    # A plain model in shards; an MLP that is narrower than usual.
    "shards": {"n_embd": 20, "n_head": 5, "n_layer": 4, "n_inner": 24, "vocab_size": 101, "n_positions": 12},
    # An unembedding of its own, the exact GELU, and attention that is scaled by the layer.
    "untied": {
        "n_embd": 24,
        "n_head": 3,
        "n_layer": 3,
        "n_inner": 40,
        "vocab_size": 61,
        "n_positions": 17,
        "activation_function": "gelu",
        "layer_norm_epsilon": 1e-3,
        "scale_attn_by_inverse_layer_idx": True,
        "tie_word_embeddings": False,
    },
    # Names without a prefix, ReLU, one head, attention that is not scaled.
    "bare": {
        "n_embd": 16,
        "n_head": 1,
        "n_layer": 1,
        "vocab_size": 33,
        "n_positions": 8,
        "activation_function": "relu",
        "scale_attn_weights": False,
    },
}


def build(name: str, fields: dict) -> transformers.GPT2LMHeadModel:
    """A model whose every parameter matters, layer norms and biases too."""
    config = transformers.GPT2Config(
        bos_token_id=fields["vocab_size"] - 1,
        eos_token_id=fields["vocab_size"] - 2,
        attn_pdrop=0.0,
        embd_pdrop=0.0,
        resid_pdrop=0.0,
        attn_implementation="eager",
        **fields,
    )
    model = transformers.GPT2LMHeadModel(config).eval()
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    with torch.no_grad():
        for parameter_name, parameter in sorted(model.named_parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
            if parameter_name.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight")):
                parameter += 1
    return model


def save(name: str, model: transformers.GPT2LMHeadModel) -> None:
    saved = model.transformer if name == "bare" else model
    saved.save_pretrained(HERE / name, max_shard_size="20KB" if name == "shards" else "1GB")
    (HERE / name / "generation_config.json").unlink(missing_ok=True)


def centred(tensor: torch.Tensor) -> torch.Tensor:
    return tensor - tensor.mean(-1, keepdim=True)


def expected(model: transformers.GPT2LMHeadModel) -> dict[str, torch.Tensor]:
    config, seen = model.config, {}
    for layer, block in enumerate(model.transformer.h):
        block.ln_2.register_forward_hook(lambda _, inputs, __, key=f"{layer}.resid_mid": seen.update({key: inputs[0]}))
        block.mlp.c_fc.register_forward_hook(lambda _, __, output, key=f"{layer}.pre": seen.update({key: output}))
        block.mlp.register_forward_hook(lambda _, __, output, key=f"{layer}.out": seen.update({key: output}))
    generator = torch.Generator().manual_seed(config.n_embd)
    tokens = torch.randint(config.vocab_size, (3, config.n_positions), generator=generator)
    with torch.no_grad():
        log_probabilities = model.double()(tokens).logits.log_softmax(-1)
    result = {"tokens": tokens.int(), "log_probabilities": log_probabilities}
    result["loss"] = -log_probabilities[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]
    for layer in range(config.n_layer):
        resid = centred(seen[f"{layer}.resid_mid"])
        result[f"{layer}.resid_mid"] = resid
        result[f"{layer}.x_hat"] = resid / (resid.square().mean(-1, keepdim=True) + config.layer_norm_epsilon).sqrt()
        result[f"{layer}.pre"] = seen[f"{layer}.pre"]
        result[f"{layer}.out"] = centred(seen[f"{layer}.out"])
    return {key: tensor.contiguous() for key, tensor in result.items()}


def lens(model: transformers.GPT2LMHeadModel) -> HookedTransformer:
    """The model in TransformerLens, processed as HookedTransformer.from_pretrained does by default."""
    config = model.config
    hooked = HookedTransformer(
        HookedTransformerConfig(
            n_layers=config.n_layer,
            d_model=config.n_embd,
            n_heads=config.n_head,
            d_head=config.n_embd // config.n_head,
            d_mlp=config.n_inner or 4 * config.n_embd,
            n_ctx=config.n_positions,
            d_vocab=config.vocab_size,
            eps=config.layer_norm_epsilon,
            act_fn=config.activation_function,
            use_attn_scale=config.scale_attn_weights,
            scale_attn_by_inverse_layer_idx=config.scale_attn_by_inverse_layer_idx,
            normalization_type="LN",
            original_architecture="GPT2LMHeadModel",
            dtype=torch.float64,
            device="cpu",
        )
    )
    hooked.load_and_process_state_dict(
        convert_gpt2_weights(model.double(), hooked.cfg),
        fold_ln=True,
        center_writing_weights=True,
        center_unembed=True,
        fold_value_biases=True,
    )
    return hooked


def lens_expected(model: transformers.GPT2LMHeadModel, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
    hooked = lens(model)
    with torch.no_grad():
        _, cache = hooked.run_with_cache(tokens.long())
    result = {name: tensor for name, tensor in hooked.state_dict().items() if not name.endswith(("mask", "IGNORE"))}
    for layer in range(model.config.n_layer):
        for hook in ("ln2.hook_normalized", "mlp.hook_pre", "hook_mlp_out"):
            result[f"blocks.{layer}.{hook}"] = cache[f"blocks.{layer}.{hook}"]
    for layer in range(1, model.config.n_layer - 1):
        result = {name: tensor for name, tensor in result.items() if not name.startswith(f"blocks.{layer}.")}
    return {name: tensor.float().contiguous() for name, tensor in result.items()}


if __name__ == "__main__":
    for folder, settings in CONFIGS.items():
        random_model = build(folder, settings)
        save(folder, random_model)
        computed = expected(random_model)
        safetensors.torch.save_file(computed, HERE / folder / "expected.safetensors")
        processed = lens_expected(random_model, computed["tokens"])
        safetensors.torch.save_file(processed, HERE / folder / "transformer_lens.safetensors")
