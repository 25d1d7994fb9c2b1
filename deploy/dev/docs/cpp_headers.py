"""Reads what a C++ header of this project offers: declarations in their order, each with the comment above it.

It relies on the project's form (clang-format, // comments above declarations), not on a compiler.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""(?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)
      | (?P<comment>//[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])')
      | (?P<newline>\n)
      | (?P<space>[ \t]+)
      | (?P<mark>[{}();])
      | (?P<word>[^\s{}();"'/\#]+|.)""",
    re.MULTILINE | re.VERBOSE,
)
_TEMPLATE = r"(?:template\s*<.*?>\s*)?"
_TYPE = re.compile(
    _TEMPLATE + r"(class|struct|union|enum(?:\s+class)?)\s+(?:ABSL_\w+(?:\([^)]*\))?\s+)*(\w+)", re.DOTALL
)
_NAMESPACE = re.compile(r"(?:inline\s+)?namespace\b\s*([\w:]*)$")
_INITIALISER = re.compile(r"(?<!operator)=\s*[\w:<>, ]*$")
_CONSTRUCTOR_LIST = re.compile(r"\)\s*(?:noexcept\s*)?:(?!:).*$", re.DOTALL)
_ACCESS = {"public:": True, "protected:": False, "private:": False}
_HIDDEN = re.compile(r"friend\b|static_assert\b|using\s+namespace\b|~|extern\s+template\b")


@dataclass
class Item:
    """A declaration with the comment above it; a type has members. Without code it is a remark among the others."""

    comment: str
    code: str
    name: str = ""
    kind: str = ""
    members: list[Item] = field(default_factory=list)
    # Whether it stands right under the item before, without a line or a comment between.
    joined: bool = False


@dataclass
class Header:
    """A header: its path as it is included, the comment at its top, and what it declares."""

    path: str
    comment: str
    items: list[Item]


def parse_header(path: str, text: str) -> Header:
    parser = _Parser(text)
    items = parser.scope(public=True)
    return Header(path, parser.file_comment, items)


def name_of(code: str) -> str:
    """The name that a declaration declares."""
    code = re.sub(r"//[^\n]*", "", code)
    code = re.sub(r"^template\s*<.*?>\s*(?=[\w\[:])", "", code.strip(), flags=re.DOTALL)
    if alias := re.match(r"using\s+(\w+)\s*=|using\s+[\w:]*?(\w+);", code):
        return alias[1] or alias[2]
    if macro := re.match(r"#define\s+(\w+)", code):
        return macro[1]
    while "operator" not in code and (plain := re.sub(r"<[^<>]*>", "", code)) != code:
        code = plain
    before = re.split(r"\(" if re.match(r"[^=]*?\boperator\b|[^=({]*\(", code) else r"[=;\[{]", code, maxsplit=1)[0]
    found = re.search(r"(operator\s*\S+|[\w:~]+)\s*$", before.rstrip(" ;"))
    return found[1] if found else ""


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = [(str(match.lastgroup), match[0]) for match in _TOKEN.finditer(text)]
        self._at = 0
        self._remark: list[str] = []
        self._blank = True
        self._line_is_empty = True
        self.file_comment = ""
        self._seen_directive = False
        # What a comment at the end of the line is about.
        self._ended: Item | None = None

    def scope(self, public: bool) -> list[Item]:
        """Items up to the closing brace of a namespace or type, or the end."""
        items: list[Item] = []
        while self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            if text == "}":
                break
            self._at += 1
            if kind == "newline":
                self._newline(items, public)
            elif kind == "comment":
                if text == "// Implementation.":
                    self._at = len(self._tokens)
                else:
                    self._comment(text)
            elif kind == "directive":
                self._directive(text, items, public)
            elif text in _ACCESS:
                public = _ACCESS[text]
            elif kind != "space" and text != ";":
                self._at -= 1
                self._declaration(items, public)
        self._newline(items, public)
        self._newline(items, public)
        return items

    def _newline(self, items: list[Item], public: bool) -> None:
        if self._line_is_empty:
            if self._remark and public and self._seen_directive:
                items.append(Item(self._take_remark(), ""))
            self._blank = True
            if self._seen_directive:
                self._remark.clear()
        self._line_is_empty = True

    def _comment(self, text: str) -> None:
        if self._line_is_empty:
            self._remark.append(text[2:].removeprefix(" "))
            self._line_is_empty = False
        elif self._ended:
            self._ended.code += f"  {text}"

    def _directive(self, text: str, items: list[Item], public: bool) -> None:
        if not self._seen_directive:
            self.file_comment = self._take_remark()
        self._seen_directive = True
        macro = re.match(r"#define (\w+)(\([^)]*\))?", text.strip())
        if macro and not macro[1].endswith("_"):
            self._add(items, public, Item(self._take_remark(), f"#define {macro[1]}{macro[2] or ''}"), 0)
        self._remark.clear()
        self._line_is_empty = False

    def _take_remark(self) -> str:
        text = "\n".join(self._remark)
        self._remark.clear()
        return text

    def _declaration(self, items: list[Item], public: bool) -> None:
        comment = self._take_remark()
        column = self._column()
        self._line_is_empty = False
        head, closed = "", False
        depth = 0
        while self._at < len(self._tokens) and not closed:
            kind, text = self._tokens[self._at]
            self._at += 1
            if kind == "mark" and text in "()":
                depth += 1 if text == "(" else -1
            if text == "{" and depth == 0 and kind == "mark":
                if _NAMESPACE.match(head.strip()):
                    self._namespace(head.strip(), items, public)
                    return
                if (found := _TYPE.match(head.strip())) and "(" not in head[found.end() :]:
                    self._type(found, Item(comment, head.strip()), items, public, column)
                    return
                if _INITIALISER.search(head) or re.fullmatch(r"(?:[\w:<>, ]+)\s\w+", head.strip()):
                    head += "{" + self._balanced()
                    continue
                self._balanced()
                head, closed = _CONSTRUCTOR_LIST.sub(")", head), True
            elif text == ";" and depth == 0:
                closed = True
            else:
                head += text
        self._add(items, public, Item(comment, head.strip() + ";"), column)

    def _column(self) -> int:
        """How far the next token stands from the start of its line."""
        kind, text = self._tokens[self._at - 1] if self._at else ("newline", "")
        return len(text) if kind == "space" else 0

    def _balanced(self) -> str:
        """The rest of what a brace opened, with the brace that closes it."""
        depth, text = 1, ""
        while depth and self._at < len(self._tokens):
            kind, token = self._tokens[self._at]
            self._at += 1
            if kind == "mark":
                depth += {"{": 1, "}": -1}.get(token, 0)
            text += token
        return text

    def _namespace(self, head: str, items: list[Item], public: bool) -> None:
        found = _NAMESPACE.match(head)
        name = found[1] if found else ""
        hidden = name in ("", "internal", "detail")
        self._blank = True
        inner = self.scope(public and not hidden)
        if not hidden:
            items += inner
        self._at += 1
        self._blank, self._line_is_empty, self._ended = True, False, None

    def _type(self, found: re.Match[str], item: Item, items: list[Item], public: bool, column: int) -> None:
        item.name, item.kind = found[2], found[1]
        if found[1].startswith("enum"):
            item.code += " {" + self._balanced() + ";"
        else:
            outer, self._blank = self._blank, True
            item.members = self.scope(public=found[1] != "class")
            self._at += 1
            self._blank = outer
        while self._at < len(self._tokens) and self._tokens[self._at][1] != ";":
            self._at += 1
        self._at += 1
        self._line_is_empty = False
        self._add(items, public, item, column)

    def _add(self, items: list[Item], public: bool, item: Item, column: int) -> None:
        joined = not self._blank and not item.comment
        self._blank = False
        self._ended = None
        code = item.code
        forward = not item.kind and re.fullmatch(r"(?:class|struct|enum class)\s+\w+;", code)
        if not public or forward or _HIDDEN.match(code) or re.search(r"=\s*delete;$", code):
            return
        if not item.kind:
            item.name = name_of(code)
            if "::" in item.name:  # defined here, declared above
                return
        item.code = _moved_left(code, column)
        item.joined = joined
        self._ended = item
        items.append(item)


def _moved_left(code: str, columns: int) -> str:
    """The lines after the first, moved left by as much as the first stood in."""
    return re.sub(rf"\n {{{columns}}}", "\n", code) if columns else code
