"""Builds the documentation: every Markdown file and notebook, and the references of RPCs, C++ headers and Python.

Fails when a link leads nowhere. Called by `./dev docs`.
"""

from __future__ import annotations

import argparse
import html
import pathlib
import sys
import time

import cpp_reference
import links
import markdown_pages
import proto_reference
import python_reference
from cpp_headers import Header
from pages import Group, Page, Site, code_html

ROOT = pathlib.Path(__file__).resolve().parents[3]

# The sidebar: groups with their documents; what is not named here comes last.
_SIDEBAR = {
    "Start": {"README.md": "Superpose", "client/notebooks/first_steps.ipynb": "First steps, a notebook"},
    "Understand": {
        "lib/midcoder/README.md": "Midcoders",
        "lib/statistics/README.md": "Statistics snapshots",
        "lib/factorization/README.md": "Factors of decoders",
        "lib/factorization/spectra.md": "Spectra and whitening",
        "deploy/demo/CARD.md": "The demo model",
    },
    "Guides": {
        "client/python/README.md": "Python",
        "client/cli/README.md": "Command line",
        "client/cpp/README.md": "C++",
    },
    "Server": {"server/README.md": "From the inside", "server/ERRORS.md": "Reasons of errors"},
}
_LANGUAGES = {
    ".cc": "cpp",
    ".cmake": "cmake",
    ".h": "cpp",
    ".json": "json",
    ".proto": "protobuf",
    ".py": "python",
    ".sh": "bash",
    ".toml": "toml",
}


class Builder:
    """Puts the site together."""

    def __init__(self, root: pathlib.Path, out: pathlib.Path, googleapis: pathlib.Path) -> None:
        self.root = root
        self.site = Site(out)
        self._googleapis = googleapis
        self._sources: set[str] = set()
        self._folders: dict[str, list[Header]] = {}
        self._documents: list[pathlib.Path] = []

    def build(self) -> list[str]:
        """Writes the site; what is wrong with it, a line each."""
        wrong = []
        contract = proto_reference.Reference(proto_reference.read_files(self.root / "proto", self._googleapis))
        self._folders = cpp_reference.read_headers(self.root)
        self._documents = markdown_pages.find_documents(self.root)
        rpc = contract.pages()
        cpp = cpp_reference.pages(self._folders, contract.names)
        documents = []
        for document in self._documents:
            try:
                documents.append(markdown_pages.render(self.root, document, self._resolve))
            except markdown_pages.BrokenLinkError as broken:
                wrong.append(str(broken))
        for page in (*documents, *rpc, *cpp, python_reference.page(self.root)):
            self.site.add(page)
        for source in sorted(self._sources):
            self.site.add(self._source_page(source))
        self.site.groups = self._sidebar()
        self.site.write()
        return wrong + links.check(self.site.out)

    def _resolve(self, path: str) -> str:
        """The page about a file or folder of the repository, or the part of one."""
        here = self.root / path
        if here.is_dir() and (here / "README.md").is_file():
            path, here = f"{path}/README.md", here / "README.md"
        if here in self._documents:
            return markdown_pages.page_path(path.removeprefix("./"))
        if path in ("proto", "proto/superpose/v1"):
            return proto_reference.INDEX
        if path.startswith("proto/superpose/v1/"):
            return f"{proto_reference.FOLDER}/{here.stem}.html"
        if path in self._folders:
            return cpp_reference.page_of(path)
        folder = pathlib.PurePosixPath(path).parent.as_posix()
        if any(header.path == path for header in self._folders.get(folder, [])):
            return f"{cpp_reference.page_of(folder)}#{here.name}"
        self._sources.add(path)
        return _source_path(path)

    def _source_page(self, path: str) -> Page:
        """A file as it is, or what lies in a folder."""
        here = self.root / path
        if here.is_dir():
            names = sorted(entry.name + "/" * entry.is_dir() for entry in here.iterdir() if entry.name[0] not in "._")
            body = "<ul>" + "".join(f"<li><code>{html.escape(name)}</code></li>" for name in names) + "</ul>"
        else:
            body = code_html(here.read_text(), _LANGUAGES.get(here.suffix, ""))
        return Page(_source_path(path), path, f"<h1>{html.escape(path)}</h1>\n{body}")

    def _sidebar(self) -> list[Group]:
        groups = []
        left = {document.relative_to(self.root).as_posix() for document in self._documents}
        for title, documents in _SIDEBAR.items():
            shown = {document: name for document, name in documents.items() if document in left}
            left -= shown.keys()
            groups.append(Group(title, [(name, markdown_pages.page_path(path)) for path, name in shown.items()]))
        reference = [
            ("RPCs and config", proto_reference.INDEX),
            ("Python", python_reference.INDEX),
            ("C++", cpp_reference.INDEX),
        ]
        reference += [(folder, cpp_reference.page_of(folder)) for folder in self._folders]
        groups.append(Group("Reference", reference))
        rest = [markdown_pages.page_path(document) for document in sorted(left)]
        groups.append(Group("More", [(self.site.pages[path].title, path) for path in rest if path in self.site.pages]))
        return [
            Group(group.title, [entry for entry in group.entries if entry[1] in self.site.pages])
            for group in groups
            if group.entries
        ]


def _source_path(path: str) -> str:
    return f"source/{path}.html"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "docs")
    parser.add_argument("--googleapis", type=pathlib.Path, required=True, help="where google/rpc/status.proto lies")
    arguments = parser.parse_args()

    start = time.monotonic()
    builder = Builder(ROOT, arguments.out.resolve(), arguments.googleapis)
    wrong = builder.build()
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        sys.exit(f"docs: {len(wrong)} wrong")
    print(f"{len(builder.site.pages)} pages in {time.monotonic() - start:.1f} s: {builder.site.out / 'index.html'}")


if __name__ == "__main__":
    main()
