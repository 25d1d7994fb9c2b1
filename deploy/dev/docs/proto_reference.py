"""The reference of the RPCs, made of the comments in the protos."""

from __future__ import annotations

import html
import pathlib
import subprocess
import tempfile
from collections.abc import Iterable

import prose
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)
from pages import Page, Place

FOLDER = "reference/rpc"
INDEX = f"{FOLDER}/index.html"
_REASON = "ERROR_REASON_"
Path = tuple[int, ...]

# Field numbers of descriptor.proto, of which the paths of source comments are made.
_MESSAGE, _ENUM, _SERVICE = 4, 5, 6
_MESSAGE_FIELD, _NESTED, _NESTED_ENUM, _ONEOF, _VALUE, _METHOD = 2, 3, 4, 8, 2, 2


def read_files(protos: pathlib.Path, googleapis: pathlib.Path) -> list[FileDescriptorProto]:
    """Our proto files as protoc sees them, comments included, by name."""
    files = sorted(protos.glob("superpose/v1/*.proto"))
    with tempfile.NamedTemporaryFile() as out:
        command = ["protoc", f"-I{protos}", f"-I{googleapis}", "--include_source_info", f"-o{out.name}"]
        subprocess.run([*command, *map(str, files)], check=True)
        found = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())
    return sorted(found.file, key=lambda file: file.name)


def page_of(file: FileDescriptorProto) -> str:
    return f"{FOLDER}/{pathlib.PurePosixPath(file.name).stem}.html"


class Reference:
    """All files together: what their types refer to, and pages."""

    def __init__(self, files: list[FileDescriptorProto]) -> None:
        self.files = files
        self.types: dict[str, Place] = {}
        self.names: prose.Names = {}
        self._comments: dict[tuple[str, Path], str] = {}
        for file in files:
            self._learn(file)

    def _learn(self, file: FileDescriptorProto) -> None:
        page = page_of(file)
        for location in file.source_code_info.location:
            if location.leading_comments:
                lines = [line.removeprefix(" ") for line in location.leading_comments.splitlines()]
                self._comments[file.name, tuple(location.path)] = "\n".join(lines)
        for message in file.message_type:
            self._learn_message(message, f".{file.package}", page)
        for enum in file.enum_type:
            self._learn_enum(enum, f".{file.package}", page)
        for service in file.service:
            self.names[service.name] = Place(page, service.name)
            for method in service.method:
                self.names[method.name] = Place(page, f"{service.name}.{method.name}")

    def _learn_message(self, message: DescriptorProto, scope: str, page: str) -> None:
        full = f"{scope}.{message.name}"
        place = Place(page, full.split(".v1.", 1)[1])
        self.types[full] = self.names[message.name] = place
        for nested in message.nested_type:
            self._learn_message(nested, full, page)
        for enum in message.enum_type:
            self._learn_enum(enum, full, page)

    def _learn_enum(self, enum: EnumDescriptorProto, scope: str, page: str) -> None:
        full = f"{scope}.{enum.name}"
        self.types[full] = self.names[enum.name] = Place(page, full.split(".v1.", 1)[1])
        for value in enum.value:
            place = Place(page, value.name)
            self.names[value.name] = place
            if value.name.startswith(_REASON):
                self.names[value.name.removeprefix(_REASON)] = place

    def comment(self, file: FileDescriptorProto, path: Path) -> str:
        return self._comments.get((file.name, path), "")

    def pages(self) -> list[Page]:
        return [self._index(), *(self.file_page(file) for file in self.files)]

    def _index(self) -> Page:
        body = [
            "<h1>RPC reference</h1>",
            "<p>The contract, <code>superpose.v1</code>, made of the comments in <code>proto/superpose/v1</code>. "
            f'Why calls fail: <a href="{self.names["ErrorReason"].href(INDEX)}">the reasons of errors</a>. '
            f'The config file: <a href="{self.names["ServerConfig"].href(INDEX)}">ServerConfig</a>.</p>',
        ]
        sections = []
        for file in self.files:
            for index, service in enumerate(file.service):
                sections.append((service.name, service.name))
                body.append(_heading(2, service.name, service.name))
                body.append(prose.block(self.comment(file, (_SERVICE, index)), INDEX, self.names))
                body.append("<table><tr><th>RPC</th><th>What it does</th></tr>")
                for number, method in enumerate(service.method):
                    text = prose.first_sentence(self.comment(file, (_SERVICE, index, _METHOD, number)))
                    place = Place(page_of(file), f"{service.name}.{method.name}")
                    body.append(
                        f'<tr><td><a href="{place.href(INDEX)}"><code>{method.name}</code></a></td>'
                        f"<td>{prose.inline(text, INDEX, self.names)}</td></tr>"
                    )
                body.append("</table>")
        sections.append(("files", "All files"))
        body.append(_heading(2, "All files", "files"))
        body.append("<ul>")
        for file in self.files:
            types = ", ".join(t.name for t in (*file.service, *file.message_type, *file.enum_type))
            name = pathlib.PurePosixPath(file.name).name
            body.append(f'<li><a href="{Place(page_of(file)).href(INDEX)}">{name}</a>: {types}</li>')
        body.append("</ul>")
        return Page(INDEX, "RPC reference", "\n".join(body), sections)

    def file_page(self, file: FileDescriptorProto) -> Page:
        """The page of one file: its services, then its messages and enums."""
        name = pathlib.PurePosixPath(file.name).name
        body = [f"<h1>{name}</h1>"]
        for index, service in enumerate(file.service):
            body += self._service(file, service, (_SERVICE, index))
        for index, message in enumerate(file.message_type):
            body += self._message(file, message, (_MESSAGE, index), message.name)
        for index, enum in enumerate(file.enum_type):
            body += self._enum(file, enum, (_ENUM, index), enum.name)
        sections = [(t.name, t.name) for t in (*file.service, *file.message_type, *file.enum_type)]
        return Page(page_of(file), name, "\n".join(body), sections)

    def _service(self, file: FileDescriptorProto, service: ServiceDescriptorProto, path: Path) -> Iterable[str]:
        page = page_of(file)
        yield _heading(2, f"service {service.name}", service.name)
        yield prose.block(self.comment(file, path), page, self.names)
        for index, method in enumerate(service.method):
            taken = ("stream " if method.client_streaming else "") + self._type_name(method.input_type, page)
            given = ("stream " if method.server_streaming else "") + self._type_name(method.output_type, page)
            yield _heading(3, method.name, f"{service.name}.{method.name}")
            yield f"<pre>rpc {method.name}({taken}) returns ({given})</pre>"
            yield prose.block(self.comment(file, (*path, _METHOD, index)), page, self.names)

    def _message(self, file: FileDescriptorProto, message: DescriptorProto, path: Path, name: str) -> Iterable[str]:
        page = page_of(file)
        yield _heading(2 if len(path) == 2 else 3, f"message {name}", name)
        yield prose.block(self.comment(file, path), page, self.names)
        if message.field:
            yield "<table><tr><th>Field</th><th>Type</th><th>No.</th><th>Meaning</th></tr>"
            for index, field in enumerate(message.field):
                meaning = prose.block(self._field_comment(file, message, path, index), page, self.names)
                yield (
                    f'<tr id="{name}.{field.name}"><td><code>{field.name}</code></td>'
                    f"<td>{self._field_type(message, field, page)}</td><td>{field.number}</td><td>{meaning}</td></tr>"
                )
            yield "</table>"
        for index, nested in enumerate(message.nested_type):
            if not nested.options.map_entry:
                yield from self._message(file, nested, (*path, _NESTED, index), f"{name}.{nested.name}")
        for index, enum in enumerate(message.enum_type):
            yield from self._enum(file, enum, (*path, _NESTED_ENUM, index), f"{name}.{enum.name}")

    def _field_comment(self, file: FileDescriptorProto, message: DescriptorProto, path: Path, index: int) -> str:
        """A field's comment; before the first of a oneof's stands the oneof's."""
        own = self.comment(file, (*path, _MESSAGE_FIELD, index))
        oneof = _oneof_of(message.field[index])
        if oneof is None or any(_oneof_of(field) == oneof for field in message.field[:index]):
            return own
        choice = self.comment(file, (*path, _ONEOF, oneof))
        return f"One of several. {choice}\n\n{own}" if choice else own

    def _enum(self, file: FileDescriptorProto, enum: EnumDescriptorProto, path: Path, name: str) -> Iterable[str]:
        page = page_of(file)
        yield _heading(2 if len(path) == 2 else 3, f"enum {name}", name)
        yield prose.block(self.comment(file, path), page, self.names)
        yield "<table><tr><th>Value</th><th>No.</th><th>Meaning</th></tr>"
        for index, value in enumerate(enum.value):
            meaning = prose.block(self.comment(file, (*path, _VALUE, index)), page, self.names)
            yield (
                f'<tr id="{value.name}"><td><code>{value.name}</code></td>'
                f"<td>{value.number}</td><td>{meaning}</td></tr>"
            )
        yield "</table>"

    def _type_name(self, full: str, page: str) -> str:
        place = self.types.get(full)
        short = full.split(".v1.", 1)[-1].removeprefix(".")
        return f'<a href="{place.href(page)}">{short}</a>' if place else html.escape(short)

    def _field_type(self, message: DescriptorProto, field: FieldDescriptorProto, page: str) -> str:
        entry = next((n for n in message.nested_type if field.type_name.endswith(f".{message.name}.{n.name}")), None)
        if entry is not None and entry.options.map_entry:
            key, value = (self._plain_type(part, page) for part in entry.field)
            return f"<code>map&lt;{key}, {value}&gt;</code>"
        words = []
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            words.append("repeated ")
        elif field.proto3_optional:
            words.append("optional ")
        elif (oneof := _oneof_of(field)) is not None:
            words.append(f"oneof {message.oneof_decl[oneof].name}: ")
        return f"<code>{''.join(words)}{self._plain_type(field, page)}</code>"

    def _plain_type(self, field: FieldDescriptorProto, page: str) -> str:
        if field.type_name:
            return self._type_name(field.type_name, page)
        return str(FieldDescriptorProto.Type.Name(field.type)).removeprefix("TYPE_").lower()


def _oneof_of(field: FieldDescriptorProto) -> int | None:
    """Which oneof a field belongs to; protoc makes one for every optional field, which does not count."""
    return field.oneof_index if field.HasField("oneof_index") and not field.proto3_optional else None


def _heading(level: int, text: str, anchor: str) -> str:
    link = f'<a class="anchor" href="#{anchor}" aria-label="Link to this">#</a>'
    return f'<h{level} id="{anchor}">{text} {link}</h{level}>'
