"""Writes models of make_fixtures.py once more as pytorch_model.bin: what transformers saved before safetensors.

python make_pytorch_fixtures.py     (needs torch and transformers 4.57; writes beside itself)

`bare_pytorch` is one file, of the model alone (names without a prefix), as it lies on the Hub for GPT-2;
`shards_pytorch` is in shards with their index. They hold the numbers of `bare` and `shards`.
"""

import pathlib

import transformers

HERE = pathlib.Path(__file__).parent

if __name__ == "__main__":
    bare = transformers.GPT2Model.from_pretrained(HERE / "bare")
    bare.save_pretrained(HERE / "bare_pytorch", safe_serialization=False)
    whole = transformers.GPT2LMHeadModel.from_pretrained(HERE / "shards")
    whole.save_pretrained(HERE / "shards_pytorch", safe_serialization=False, max_shard_size="20KB")
    for folder in ("bare_pytorch", "shards_pytorch"):
        (HERE / folder / "generation_config.json").unlink(missing_ok=True)
