"""Checks that every relative link of the site leads somewhere: the file exists, and the anchor in it."""

from __future__ import annotations

import pathlib
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit


class _PageParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.anchors: list[str] = []
        self.links: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.append(value)
            elif name == "src" or (name == "href" and tag in ("a", "link")):
                self.links.append((self.getpos()[0], value or ""))


def check(site: pathlib.Path) -> list[str]:
    """What is wrong, a line each: links that lead nowhere, anchors that are there twice. Other sites are not asked."""
    pages: dict[pathlib.Path, _PageParser] = {}
    for path in sorted(site.rglob("*.html")):
        pages[path] = parser = _PageParser()
        parser.feed(path.read_text())
    wrong = []
    for path, parser in pages.items():
        name = path.relative_to(site)
        twice = {anchor for anchor in parser.anchors if parser.anchors.count(anchor) > 1}
        wrong += [f"{name}: the anchor {anchor} is there more than once" for anchor in sorted(twice)]
        for line, link in parser.links:
            if problem := _problem(site, path, link, pages):
                wrong.append(f"{name}:{line}: {link}: {problem}")
    return wrong


def _problem(site: pathlib.Path, page: pathlib.Path, link: str, pages: dict[pathlib.Path, _PageParser]) -> str:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_relative_to(site):
        return "leads out of the site"
    if not target.is_file():
        return "no such file"
    if parts.fragment and (target not in pages or unquote(parts.fragment) not in pages[target].anchors):
        return "no such anchor"
    return "" if link else "an empty link"
