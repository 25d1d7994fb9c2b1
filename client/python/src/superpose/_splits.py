"""Which files of a dataset's folder hold which of its splits."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterable

ENDINGS = (".parquet", ".arrow", ".jsonl", ".jsonl.gz", ".txt", ".txt.gz")

_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}
# A word by itself, as in "train-00000", "my_test.v2" or "val": datasets on the Hub are read in this way.
_WORD = re.compile(rf"(?<![a-z])(?:{'|'.join(sorted(_SPLIT_OF, key=len, reverse=True))})(?![a-z])", re.I)
# What writers of datasets call their files, in the folder "data": the split may have any name, such as "train_sft".
_SHARD = re.compile(r"(\w+(?:\.\w+)*)-\d{5,}-of-\d{5,}\b")


def chosen_splits(found: Iterable[str], split: str | None, where: str) -> list[str]:
    """The one that is asked for, or all where `split` is None; an error that lists them when it is not there."""
    names = list(found)
    if split is None:
        return names
    if split not in names:
        listed = ", ".join(map(repr, names))
        raise ValueError(f"{where} has no split {split!r}, but {listed}: say split=.., or split=None for all")
    return [split]


def files_in(folder: pathlib.Path, split: str | None) -> list[pathlib.Path]:
    """A folder's data files in order: as the dataset's own list has them, else by name."""
    listed = folder / "dataset_dict.json"
    if listed.exists():
        names = chosen_splits(json.loads(listed.read_text()).get("splits", []), split, str(folder))
        return [file for name in names for file in _saved_files(folder / name)]
    if (folder / "state.json").exists():
        return _saved_files(folder)
    return _of_one_kind(folder, _of_split(folder, _visible_files(folder), split))


def _saved_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Those of one split that `save_to_disk` wrote."""
    path = folder / "state.json"
    if not path.exists():
        raise FileNotFoundError(f"{folder} is no dataset as save_to_disk writes it: it has no state.json")
    state = json.loads(path.read_text())
    if state.get("_indices_files") or state.get("_indices_data_files"):
        raise ValueError(f"{folder} was shuffled or filtered without being rewritten: save flatten_indices() of it")
    return [folder / entry["filename"] for entry in state["_data_files"]]


def _visible_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Data files below `folder`, none that is hidden or in a hidden folder, nor in one like __MACOSX."""
    files = sorted(path for path in folder.rglob("*") if path.name.endswith(ENDINGS) and path.is_file())
    visible = [path for path in files if not any(map(_is_hidden, path.relative_to(folder).parts))]
    if not visible:
        raise ValueError(f"{folder} has no files that end in {', '.join(ENDINGS)}")
    return visible


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__"))


def _of_split(folder: pathlib.Path, files: list[pathlib.Path], split: str | None) -> list[pathlib.Path]:
    """Those of the split; all, where neither names nor folders tell splits."""
    splits = {path: _split_of(path.relative_to(folder)) for path in files}
    found = sorted({name for name in splits.values() if name is not None})
    if not found and split in (None, "train"):
        return files
    if not found:
        raise ValueError(f"nothing in the names of {folder} tells a split {split!r}: give the path of its files")
    chosen = chosen_splits(found, split, str(folder))
    return [path for path in files if split is None or splits[path] in chosen]


def _split_of(path: pathlib.PurePath) -> str | None:
    """What the folders, the nearest first, or else the file's name say."""
    shard = _SHARD.match(path.name)
    if shard and path.parent.name == "data":
        return _SPLIT_OF.get(shard[1].lower(), shard[1])
    for name in [*reversed(path.parent.parts), path.name]:
        word = _WORD.search(name)
        if word:
            return _SPLIT_OF[word[0].lower()]
    return None


def _of_one_kind(folder: pathlib.Path, files: list[pathlib.Path]) -> list[pathlib.Path]:
    kinds = {path.suffixes[-2] if path.suffix == ".gz" else path.suffix for path in files}
    if len(kinds) > 1:
        raise ValueError(f"{folder} has files of several kinds, {', '.join(sorted(kinds))}: give those of one")
    return files
