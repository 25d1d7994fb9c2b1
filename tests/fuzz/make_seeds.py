"""Writes the seeds of the fuzz targets, a folder each, out of the tests' files: make_seeds.py TESTS_DATA OUT."""

import contextlib
import gzip
import pathlib
import shutil
import sys
import zipfile

LARGEST = 64 << 10  # mutating large files finds little
CORPUS_KINDS = [".jsonl", ".jsonl.gz", ".jsonl.zst", ".txt", ".txt.gz", ".txt.zst", ".npy", ".bin"]
LINES = b'{"text": "It\'s 10 o\'clock"}\n\n{"text": "\\u00e9\\ud83d\\ude00 <|endoftext|>", "meta": {"a": [1, null]}}\n'
# One raw block, as `zstd` writes what it cannot compress.
ZSTD_RAW = bytes.fromhex("28b52ffd0058") + (len(LINES) << 3 | 1).to_bytes(3, "little") + LINES


def copy_all(files, folder):
    for file in files:
        if file.stat().st_size <= LARGEST:
            shutil.copyfile(file, folder / f"{file.parent.name}_{file.name}")


def two_files(first, second):
    return len(first).to_bytes(2, "big") + first + second


def pickles(files, folder):
    for file in files:
        if not zipfile.is_zipfile(file):
            continue
        with zipfile.ZipFile(file) as archive, contextlib.suppress(zipfile.BadZipFile):
            for name in archive.namelist():
                if name.endswith("/data.pkl"):
                    (folder / f"{file.parent.name}_{file.stem}").write_bytes(archive.read(name))


def corpora(data, folder):
    kind = {name: bytes([number]) for number, name in enumerate(CORPUS_KINDS)}
    seeds = {
        ".jsonl": LINES,
        ".jsonl.gz": gzip.compress(LINES, mtime=0),
        ".jsonl.zst": ZSTD_RAW,
        ".txt": b"It's a text \xc3\xa9",
        ".txt.gz": gzip.compress(LINES, mtime=0) * 2,
        ".txt.zst": ZSTD_RAW * 2,
        ".bin": bytes(range(64)),
    }
    for name, content in seeds.items():
        (folder / f"seed{name}").write_bytes(kind[name] + content)
    (folder / "seed32.bin").write_bytes(bytes([kind[".bin"][0] | 0x80]) + b"\1\0\0\0" * 16)
    for file in data.glob("tensor_io/*.npy"):
        (folder / file.name).write_bytes(kind[".npy"] + file.read_bytes())


def saelens(data, folder):
    for config in data.glob("transcoder/saelens/*/cfg.json"):
        weights = (config.parent / "sae_weights.safetensors").read_bytes()
        (folder / config.parent.name).write_bytes(two_files(config.read_bytes(), weights))


def main():
    data, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])

    def folder(name):
        made = out / name
        made.mkdir(parents=True, exist_ok=True)
        return made

    checkpoints = [*data.rglob("*.pt"), *data.rglob("*.bin")]
    copy_all(data.rglob("*.safetensors"), folder("safetensors"))
    copy_all(checkpoints, folder("pytorch"))
    pickles(checkpoints, folder("pickle"))
    pickles(data.glob("transcoder/*.pt"), folder("dunefsky"))
    copy_all(data.rglob("*.npy"), folder("npy"))
    copy_all(data.glob("tokenizer/*/tokenizer.json"), folder("tokenizer_json"))
    merges, vocab = (data / "tokenizer/vocab_merges" / name for name in ("merges.txt", "vocab.json"))
    (folder("tokenizer_vocab") / "seed").write_bytes(two_files(merges.read_bytes(), vocab.read_bytes()))
    (folder("tokenizer_text") / "seed").write_bytes("It's  10 o'clock\n <|endoftext|> é漢字😀".encode())
    copy_all(data.rglob("config.json"), folder("model_config"))
    saelens(data, folder("saelens"))
    corpora(data, folder("corpus"))


if __name__ == "__main__":
    main()
