"""Comments of protos and headers as HTML: paragraphs, indented formulas, `code`, links on names that the site knows."""

from __future__ import annotations

import html
import re

from pages import Place

# Only what cannot be a plain word becomes a link: TwoHumps, UPPER_SNAKE.
_NAME = re.compile(r"\b(?:[A-Z][a-z0-9]+(?:[A-Z][A-Za-z0-9]*)+|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b")
_CODE = re.compile(r"`([^`]+)`")

Names = dict[str, Place]


def _linked(text: str, page: str, names: Names) -> str:
    def link(match: re.Match[str]) -> str:
        place = names.get(match[0])
        return f'<a href="{place.href(page)}">{match[0]}</a>' if place and place.href(page) else match[0]

    return _NAME.sub(link, html.escape(text, quote=False))


def inline(text: str, page: str, names: Names) -> str:
    """One paragraph's text."""
    parts = _CODE.split(text)
    return "".join(
        f"<code>{_linked(part, page, names)}</code>" if index % 2 else _linked(part, page, names)
        for index, part in enumerate(parts)
    )


def block(text: str, page: str, names: Names) -> str:
    """A whole comment, without its slashes. Lines that are indented are kept as they are."""
    out: list[str] = []
    paragraph: list[str] = []
    kept: list[str] = []

    def flush() -> None:
        if paragraph:
            out.append(f"<p>{inline(' '.join(paragraph), page, names)}</p>")
            paragraph.clear()
        while kept and not kept[-1]:
            kept.pop()
        if kept:
            out.append(f"<pre>{html.escape(chr(10).join(kept))}</pre>")
            kept.clear()

    for line in text.splitlines():
        if line.startswith("  ") or (kept and not line.strip()):
            if paragraph:
                flush()
            kept.append(line[2:].rstrip())
        else:
            if kept or not line.strip():
                flush()
            if line.strip():
                paragraph.append(line.strip())
    flush()
    return "\n".join(out)


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence, or the end of the paragraph."""
    paragraph = re.split(r"\n\s*\n|\n {2,}", text.strip())[0]
    return re.split(r"(?<=[^.]\.)\s", " ".join(paragraph.split()))[0]
