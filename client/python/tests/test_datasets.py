"""Which documents a dataset is made of, and that long ones keep their tokens."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest
import superpose
import toy
from conftest import running
from serving import ROOT, Server
from superpose import tokenizing
from superpose._documents import documents_of
from superpose._splits import files_in


def make_files(folder, names):
    """A .jsonl or .txt file of one document for each name: the document is the name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"text": name}) if ".jsonl" in name else name)
    return folder


def names_of(folder, split="train"):
    return [str(path.relative_to(folder)) for path in files_in(folder, split)]


@pytest.mark.parametrize(
    ("names", "train"),
    [
        (["train.jsonl", "test.jsonl", "validation.jsonl"], ["train.jsonl"]),
        (["train/a.jsonl", "train/b.jsonl", "val/a.jsonl", "test/a.jsonl"], ["train/a.jsonl", "train/b.jsonl"]),
        (["data/train-00000-of-00001.jsonl", "data/test-00000-of-00001.jsonl"], ["data/train-00000-of-00001.jsonl"]),
        (["en/Training_1.jsonl", "en/dev_1.jsonl", "de/my-train.jsonl"], ["de/my-train.jsonl", "en/Training_1.jsonl"]),
        (["train.jsonl", "extra.jsonl", "eval.jsonl"], ["train.jsonl"]),
        (["a.txt", "contest.txt", "latest.txt", "devil.txt", "interval.txt"],
         ["a.txt", "contest.txt", "devil.txt", "interval.txt", "latest.txt"]),
        (["part-00000-of-00002.jsonl", "part-00001-of-00002.jsonl"],
         ["part-00000-of-00002.jsonl", "part-00001-of-00002.jsonl"]),
        (["a/test/train/x.jsonl", "a/train/test/x.jsonl"], ["a/test/train/x.jsonl"]),
    ],
)  # fmt: skip
def test_names_and_folders_tell_the_split(tmp_path, names, train):
    assert names_of(make_files(tmp_path, names)) == train
    assert names_of(tmp_path, None) == sorted(names)


def test_the_folder_that_is_given_tells_nothing(tmp_path):
    folder = make_files(tmp_path / "test", ["a.jsonl", "b.jsonl"])
    assert names_of(folder) == ["a.jsonl", "b.jsonl"]


def test_other_splits_can_be_asked_for(tmp_path):
    make_files(tmp_path, ["train.jsonl", "valid.jsonl", "test/a.jsonl"])
    assert names_of(tmp_path, "validation") == ["valid.jsonl"]
    assert names_of(tmp_path, "test") == ["test/a.jsonl"]
    shards = make_files(tmp_path / "more", ["data/train_sft-00000-of-00001.jsonl", "data/gen-00000-of-00001.jsonl"])
    assert names_of(shards, "train_sft") == ["data/train_sft-00000-of-00001.jsonl"]


def test_a_split_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    make_files(tmp_path, ["validation.jsonl", "test.jsonl"])
    with pytest.raises(ValueError, match=r"no split 'train', but 'test', 'validation': say split="):
        files_in(tmp_path, "train")
    plain = make_files(tmp_path / "plain", ["a.jsonl"])
    with pytest.raises(ValueError, match="tells a split 'test'"):
        files_in(plain, "test")


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    folder = tmp_path / ".cache" / "dataset"  # hidden itself, but given
    make_files(folder, ["a.txt", ".b.txt", ".git/c.txt", "d/.e/f.txt", "__MACOSX/a.txt", "d/g.txt"])
    assert names_of(folder) == ["a.txt", "d/g.txt"]
    hidden = make_files(tmp_path / "hidden", [".a.txt"])
    with pytest.raises(ValueError, match="no files"):
        files_in(hidden, "train")


def saved(folder, name):
    make_files(folder, [name])
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}], "_split": "test"}))


def test_splits_that_were_saved_together_are_told_apart(tmp_path):
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test", "lost"]}')
    for split in ("train", "test"):
        saved(tmp_path / split, f"{split}.jsonl")
    assert names_of(tmp_path) == ["train/train.jsonl"]
    assert names_of(tmp_path, "test") == ["test/test.jsonl"]
    with pytest.raises(ValueError, match="'train', 'test', 'lost'"):
        files_in(tmp_path, "dev")
    with pytest.raises(FileNotFoundError, match="lost"):
        files_in(tmp_path, "lost")
    assert names_of(tmp_path / "test") == ["test.jsonl"], "one split is taken as it is"


def test_a_loaded_dataset_with_splits_is_not_its_splits_names():
    splits = {"train": [{"text": "a"}, {"text": "b"}], "test": [{"text": "c"}]}
    assert list(documents_of(splits, "text", "train")) == ["a", "b"]
    assert list(documents_of(splits, "text", "test")) == ["c"]
    assert list(documents_of(splits, "text", None)) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="'train', 'test'"):
        list(documents_of(splits, "text", "validation"))


def test_the_split_is_what_is_tokenized(lab, tmp_path):
    make_files(tmp_path / "set", ["train.jsonl", "test.jsonl"])
    for split, text in [("train", "train.jsonl"), ("test", "test.jsonl")]:
        out = tmp_path / f"{split}.npy"
        [path] = lab.tokenize_dataset(tmp_path / "set", out, model="toy", split=split, progress=False)
        assert lab.detokenize(np.load(path).astype(int), model="toy") == text


# Cutting long documents.


@pytest.fixture(scope="module")
def merging(tmp_path_factory):
    """A server whose tokenizer joins bytes across the places where a wrong cut would be."""
    folder = tmp_path_factory.mktemp("merging")
    shape = toy.Shape(d_model=8, n_layers=1, n_heads=2, vocab_size=400)
    toy.write_model(folder / "toy", shape, seed=1, tokenizer=False)
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(ROOT / "tests/data/tokenizer/vocab_merges" / name, folder / "toy")
    for server in running(Server(folder, 'model { name: "toy" path: "toy" }\n')):
        with superpose.connect(server.address, user="tester") as connected:
            yield connected


PIECES = [
    *("a", "the", " the", "'s", "'", "0", "202", ".", " ", " ", "  ", "\n", "\t", "\r\n", "\v", "日", "本", "日本"),
    *("。", "é", "Ⅷ", "٣", "😀", "\xa0", "\u3000", "\u2028", "\x85", "\u200b", "\u1680", "\u2009", "\x01", "\x1c"),
]


def test_parts_have_the_tokens_of_the_whole(merging, monkeypatch):
    generator = random.Random(7)
    monkeypatch.setattr(tokenizing, "_BATCH_CHARACTERS", 1)
    texts = ["".join(generator.choices(PIECES, k=generator.randint(1, 24))) for _ in range(2000)]
    parts = [list(tokenizing._pieces(text)) for text in texts]
    assert ["".join(pieces) for pieces in parts] == texts
    assert sum(map(len, parts)) > 2 * len(texts), "texts are cut"
    for begin in range(0, len(texts), 500):
        whole = merging.tokenize(texts[begin : begin + 500], prepend_bos=False, parse_special=False)
        flat = [piece for pieces in parts[begin : begin + 500] for piece in pieces]
        cut = iter(merging.tokenize(flat, prepend_bos=False, parse_special=False))
        for text, pieces, ids in zip(texts[begin:], parts[begin : begin + 500], whole, strict=False):
            together = np.concatenate([next(cut) for _ in pieces])
            np.testing.assert_array_equal(together, ids, err_msg=repr(text))


def test_long_documents_without_any_ascii_word_are_cut(merging, monkeypatch, tmp_path):
    text = "日本語です。\n\n日本 日本。\r\n「はい」\t" * 50
    monkeypatch.setattr(tokenizing, "_BATCH_CHARACTERS", 40)
    pieces = list(tokenizing._pieces(text))
    assert max(map(len, pieces)) < 60
    [path] = merging.tokenize_dataset([text], tmp_path / "out.npy", progress=False)
    np.testing.assert_array_equal(np.load(path), merging.tokenize(text, prepend_bos=False, parse_special=False))


@pytest.mark.parametrize(
    "space", ["\x85", "\xa0", "\u1680", "\u2000", "\u200a", "\u2028", "\u202f", "\u205f", "\u3000"]
)
def test_no_part_ends_after_whitespace_of_unicode(space, monkeypatch):
    monkeypatch.setattr(tokenizing, "_BATCH_CHARACTERS", 1)
    assert list(tokenizing._pieces(f"na{space} two")) == [f"na{space} two"]


@pytest.mark.parametrize("other", ["\x84", "\xa1", "\u1fff", "\u200b", "\u202a", "\u3001", "\x1c", "\U0001f600"])
def test_parts_end_after_anything_else(other, monkeypatch):
    monkeypatch.setattr(tokenizing, "_BATCH_CHARACTERS", 1)
    assert list(tokenizing._pieces(f"na{other} two")) == [f"na{other}", " two"]
