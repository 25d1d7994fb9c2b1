"""Makes the demo corpus from this Python's own standard library: its docstrings and the texts behind `help()`.

Writes one {"text": ..} a line, a document each, in a fixed order and without duplicates. Sources are parsed, never
imported.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import os
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

SKIPPED_FOLDERS = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"}
SHORTEST = 20  # characters: shorter docstrings hardly ever say more than a name does
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def source_files(library: Path) -> Iterator[Path]:
    """Python files below `library`, sorted; no tests and no third-party packages."""
    for folder, folders, names in os.walk(library):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        yield from (Path(folder) / name for name in sorted(names) if name.endswith(".py"))


def parse(path: Path) -> ast.Module | None:
    """The syntax tree of a file, or None where it is no valid Python (templates, files for other versions)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return None


def docstrings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED):
            yield ast.get_docstring(node) or ""


def topics(tree: ast.Module) -> Iterator[str]:
    """The texts in pydoc_data/topics.py: a module that assigns one literal dictionary of strings."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            yield from map(inspect.cleandoc, ast.literal_eval(node.value).values())


def documents(library: Path) -> Iterator[str]:
    """All documents in order, each once."""
    seen: set[str] = set()
    for path in source_files(library):
        tree = parse(path)
        if tree is None:
            continue
        texts = topics(tree) if path.parts[-2:] == ("pydoc_data", "topics.py") else docstrings(tree)
        for text in map(str.strip, texts):
            if len(text) >= SHORTEST and text not in seen and is_utf8(text):
                seen.add(text)
                yield text


def is_utf8(text: str) -> bool:
    """False for lone surrogates, which JSON could carry but UTF-8 cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    texts = list(documents(Path(sysconfig.get_path("stdlib"))))
    if not texts:
        sys.exit("this Python has no sources of its standard library: nothing to make a corpus of")
    unfinished = out.with_name(out.name + ".tmp")
    unfinished.write_text("".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts), "utf-8")
    unfinished.replace(out)
    print(f"{out}: {len(texts)} documents, {sum(map(len, texts))} characters", file=sys.stderr)


if __name__ == "__main__":
    main()
