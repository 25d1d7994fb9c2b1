"""Markdown files and notebooks as pages. A link to a file of the repository becomes one to the page about it."""

from __future__ import annotations

import itertools
import json
import pathlib
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from pages import Page, code_html

# Gives the place in the site, "page" or "page#anchor", for a file or folder of the repository.
Resolve = Callable[[str], str]

_SKIPPED = {"build", "node_modules", "__pycache__"}
# A path in the text: one of the repository's folders before it, no placeholders in it.
_PATH = re.compile(r"(?:\./)?((?:client|deploy|docker|lib|proto|server|tests)/[\w./-]*\w)/?")


class BrokenLinkError(Exception):
    """A link, or a path in the text, that leads nowhere."""


def find_documents(root: pathlib.Path) -> list[pathlib.Path]:
    """Every Markdown file and notebook of the project, by name."""

    def walk(folder: pathlib.Path) -> Iterator[pathlib.Path]:
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or path.name in _SKIPPED or (path == root / "data"):
                continue
            if path.is_dir() and not path.is_symlink():
                yield from walk(path)
            elif path.suffix in (".md", ".ipynb"):
                yield path

    return list(walk(root))


def page_path(document: str) -> str:
    """Where a document's page lies: README.md is the index of its folder."""
    folder, name = posixpath.split(document)
    stem = name.rsplit(".", 1)[0]
    return posixpath.join(folder, "index.html" if stem == "README" else f"{stem}.html")


def slug(title: str, used: dict[str, int]) -> str:
    """A heading's anchor, as Git hosts make it."""
    anchor = re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
    count = used[anchor] = used.get(anchor, -1) + 1
    return f"{anchor}-{count}" if count else anchor


def render(root: pathlib.Path, document: pathlib.Path, resolve: Resolve) -> Page:
    """The page of a Markdown file or notebook. BrokenLinkError names a link to a file that does not exist."""
    name = document.relative_to(root).as_posix()
    text = document.read_text()
    return _Document(root, name, resolve).page(_notebook(text) if document.suffix == ".ipynb" else text)


def _notebook(text: str) -> str:
    """A notebook's cells as Markdown."""
    cells = json.loads(text)["cells"]
    parts = []
    for cell in cells:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    return "\n\n".join(parts)


class _Document:
    def __init__(self, root: pathlib.Path, name: str, resolve: Resolve) -> None:
        self._root, self._name, self._resolve = root, name, resolve
        self._path = page_path(name)
        self._used: dict[str, int] = {}
        self._title = ""
        self._sections: list[tuple[str, str]] = []
        self._markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
        self._renderer = RendererHTML()
        for kind in ("fence", "heading_open", "heading_close", "image"):
            self._renderer.rules[kind] = getattr(self, f"_{kind}")

    def page(self, text: str) -> Page:
        tokens = self._markdown.parse(text)
        for before, token in itertools.pairwise(tokens):
            if before.type == "heading_open":
                self._heading(before, token)
            if token.children:
                self._links(token.children, (token.map or [0])[0] + 1)
        body = str(self._renderer.render(tokens, self._markdown.options, {}))
        return Page(self._path, self._title or self._name, body, self._sections)

    def _heading(self, heading: Token, content: Token) -> None:
        title = "".join(child.content for child in content.children or [])
        anchor = slug(title, self._used)
        heading.attrSet("id", anchor)
        if heading.tag == "h1" and not self._title:
            self._title = title
        elif heading.tag == "h2":
            self._sections.append((anchor, title))

    def _links(self, tokens: Sequence[Token], line: int) -> None:
        for token in tokens:
            if token.type == "code_inline":
                found = _PATH.fullmatch(token.content)
                if found and not any((root / found[1]).exists() for root in (self._root, self._root / "tests")):
                    raise BrokenLinkError(f"{self._name}:{line}: there is no {token.content}")
            elif token.type == "link_open":
                token.attrSet("href", self._href(str(token.attrGet("href")), line))

    def _href(self, href: str, line: int) -> str:
        if re.match(r"[a-z]+:", href) or href.startswith("#"):
            return href
        target, _, anchor = href.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self._name), unquote(target)))
        if path.startswith("..") or target.startswith("/") or not (self._root / path).exists():
            raise BrokenLinkError(f"{self._name}:{line}: {href} leads to no file of the project")
        page = posixpath.relpath(self._resolve(path), posixpath.dirname(self._path) or ".")
        return f"{page}#{anchor}" if anchor else page

    # Rules of the renderer: they are called with itself, the tokens and which of them.

    def _fence(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        token = tokens[index]
        return code_html(token.content, token.info.split()[0] if token.info else "")

    def _heading_open(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        token = tokens[index]
        return f'<{token.tag} id="{token.attrGet("id")}">'

    def _heading_close(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        token = tokens[index]
        anchor = tokens[index - 2].attrGet("id")
        link = "" if token.tag == "h1" else f' <a class="anchor" href="#{anchor}" aria-label="Link to this">#</a>'
        return f"{link}</{token.tag}>\n"

    def _image(self, tokens: Sequence[Token], index: int, *_: Any) -> str:
        """A drawing becomes part of the page, so that it takes the page's colours."""
        token = tokens[index]
        source = posixpath.normpath(posixpath.join(posixpath.dirname(self._name), str(token.attrGet("src"))))
        if not source.endswith(".svg") or not (self._root / source).is_file():
            raise BrokenLinkError(f"{self._name}: {token.attrGet('src')} is no drawing (.svg) of the project")
        drawing = (self._root / source).read_text()
        return f"<figure>{drawing[drawing.index('<svg') :]}</figure>"
