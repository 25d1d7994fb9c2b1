"""The site: pages in one style, and where everything lies in it."""

from __future__ import annotations

import html
import pathlib
import posixpath
import shutil
from dataclasses import dataclass, field

import jinja2
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

HERE = pathlib.Path(__file__).resolve().parent


@dataclass(frozen=True)
class Place:
    """Where something is described: a page of the site, and an anchor in it or ""."""

    page: str
    anchor: str = ""

    def href(self, from_page: str) -> str:
        """The link from another page."""
        path = "" if self.page == from_page else posixpath.relpath(self.page, posixpath.dirname(from_page) or ".")
        return path + (f"#{self.anchor}" if self.anchor else "")


@dataclass(frozen=True)
class Page:
    """A page: its path in the site, its title, its HTML, and its sections (anchor, title) for the sidebar."""

    path: str
    title: str
    body: str
    sections: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Group:
    """A heading of the sidebar, and the pages under it as (title, path)."""

    title: str
    entries: list[tuple[str, str]] = field(default_factory=list)


def code_html(code: str, language: str) -> str:
    """Code as highlighted HTML; as it is where the language is not known."""
    try:
        lexer = get_lexer_by_name(language) if language else None
    except ClassNotFound:
        lexer = None
    if lexer is None:
        return f"<pre>{html.escape(code)}</pre>\n"
    return str(highlight(code, lexer, HtmlFormatter(cssclass="code", wrapcode=True)))


def stylesheet() -> str:
    """The one style of all pages, with the colours of code for light and dark screens."""
    light = HtmlFormatter(style="friendly").get_style_defs(".code")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".code")
    own = (HERE / "style.css").read_text()
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{own}"


class Site:
    """Collects pages and writes them, each with the same sidebar."""

    def __init__(self, out: pathlib.Path) -> None:
        self.out = out
        self.groups: list[Group] = []
        self.pages: dict[str, Page] = {}
        environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True)
        self._template = environment.get_template("page.html.jinja2")

    def add(self, page: Page) -> None:
        if page.path in self.pages:
            raise ValueError(f"two pages want to be {page.path}")
        self.pages[page.path] = page

    def write(self) -> None:
        """Writes all pages in place of what the folder held."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)
        (self.out / "style.css").write_text(stylesheet())
        for page in self.pages.values():
            path = self.out / page.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._render(page))

    def _render(self, page: Page) -> str:
        def href(path: str) -> str:
            return Place(path).href(page.path) or posixpath.basename(path)

        return self._template.render(page=page, groups=self.groups, href=href)
