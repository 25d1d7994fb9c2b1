"""The reference of the C++ headers: the client library's public ones, and those of lib."""

from __future__ import annotations

import html
import pathlib
import re
from collections.abc import Iterable, Iterator

import prose
from cpp_headers import Header, Item, parse_header
from pages import Page, Place, code_html

FOLDER = "reference/cpp"
INDEX = f"{FOLDER}/index.html"


def page_of(folder: str) -> str:
    """The page of a folder of headers, "lib/midcoder"."""
    return f"{FOLDER}/{folder.replace('/', '-')}.html"


def client_headers(root: pathlib.Path) -> list[pathlib.Path]:
    """What `cmake --install` installs: the library's public headers."""
    rules = (root / "client/cpp/Package.cmake").read_text()
    found = re.search(r'install\(FILES ((?:\w+\.h\s+)+)DESTINATION "[^"]*/client/cpp"', rules)
    if found is None:
        raise ValueError("client/cpp/Package.cmake installs no headers")
    return [root / "client/cpp" / name for name in found[1].split()]


def read_headers(root: pathlib.Path) -> dict[str, list[Header]]:
    """Headers by folder; folders and headers by name, the client's first."""
    files = [*sorted(client_headers(root)), *sorted(root.glob("lib/*/*.h"))]
    folders: dict[str, list[Header]] = {}
    for file in files:
        path = file.relative_to(root).as_posix()
        header = parse_header(path, file.read_text())
        if not header.items:
            raise ValueError(f"{path}: nothing found in it that a page could show")
        folders.setdefault(file.parent.relative_to(root).as_posix(), []).append(header)
    return folders


class _Anchors:
    """Anchors of one page: a name that comes again gets a number."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def take(self, name: str) -> str:
        name = re.sub(r"\s+", "", name)
        count = self._used[name] = self._used.get(name, 0) + 1
        return name if count == 1 else f"{name}-{count}"


def pages(folders: dict[str, list[Header]], names: prose.Names) -> list[Page]:
    return [_index(folders, names), *(_folder(folder, headers, names) for folder, headers in folders.items())]


def _index(folders: dict[str, list[Header]], names: prose.Names) -> Page:
    body = [
        "<h1>C++ reference</h1>",
        "<p><code>client/cpp</code> is the client library, installed as the CMake package <code>superpose</code>; "
        "<code>lib</code> is the science, LibTorch without the service. Made of the comments in the headers.</p>",
    ]
    for folder, headers in folders.items():
        place = Place(page_of(folder))
        body.append(f'<h2 id="{folder}"><a href="{place.href(INDEX)}">{folder}</a></h2>')
        body.append("<table><tr><th>Header</th><th>What it is about</th></tr>")
        for header in headers:
            name = pathlib.PurePosixPath(header.path).name
            text = prose.inline(prose.first_sentence(_about(header)), INDEX, names)
            href = Place(page_of(folder), name).href(INDEX)
            body.append(f'<tr><td><a href="{href}"><code>{name}</code></a></td><td>{text}</td></tr>')
        body.append("</table>")
    return Page(INDEX, "C++ reference", "\n".join(body), [(folder, folder) for folder in folders])


def _about(header: Header) -> str:
    """The header's own comment, or the first in it."""
    return header.comment or next((item.comment for item in header.items if item.comment), "")


def _folder(folder: str, headers: list[Header], names: prose.Names) -> Page:
    page = page_of(folder)
    body, anchors = [f"<h1>{folder}</h1>"], _Anchors()
    for header in headers:
        name = anchors.take(pathlib.PurePosixPath(header.path).name)
        body.append(f'<h2 id="{name}">{name} <a class="anchor" href="#{name}" aria-label="Link to this">#</a></h2>')
        body.append(code_html(f'#include "{header.path}"', "cpp"))
        body.append(prose.block(header.comment, page, names))
        body += _items(header.items, "", page, names, anchors)
    sections = [(name, name) for name in (pathlib.PurePosixPath(header.path).name for header in headers)]
    return Page(page, folder, "\n".join(body), sections)


def _items(items: list[Item], scope: str, page: str, names: prose.Names, anchors: _Anchors) -> Iterator[str]:
    for group in _groups(items):
        first = group[0]
        if first.kind and not first.kind.startswith("enum"):
            yield from _type(first, scope, page, names, anchors)
            continue
        ids = [anchors.take(scope + item.name) for item in group if item.name]
        marks = "".join(f'<span id="{html.escape(anchor)}"></span>' for anchor in ids)
        code = "\n".join(item.code for item in group if item.code)
        shown = code_html(code, "cpp") if code else ""
        yield f'<div class="member">{marks}{prose.block(first.comment, page, names)}{shown}</div>'


def _type(item: Item, scope: str, page: str, names: prose.Names, anchors: _Anchors) -> Iterator[str]:
    anchor = anchors.take(scope + item.name)
    link = f'<a class="anchor" href="#{anchor}" aria-label="Link to this">#</a>'
    yield f'<h3 id="{anchor}">{item.kind} {scope.replace(".", "::")}{item.name} {link}</h3>'
    yield prose.block(item.comment, page, names)
    if ":" in item.code or item.code.startswith("template"):
        yield code_html(item.code + ";", "cpp")
    yield from _items(item.members, f"{scope}{item.name}.", page, names, anchors)


def _groups(items: list[Item]) -> Iterable[list[Item]]:
    """Declarations that stand together under one comment."""
    group: list[Item] = []
    for item in items:
        is_type = bool(item.kind) and not item.kind.startswith("enum")
        if group and (is_type or not item.joined or not group[-1].code or group[-1].kind):
            yield group
            group = []
        group.append(item)
    if group:
        yield group
