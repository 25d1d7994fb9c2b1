"""Between the protocol's enums and messages and the words that a notebook uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

# Fields whose argument has another name.
_ARGUMENTS = {"mid_form": "mid_dim", "held_out_share": "held_out", "DirectionSource.kind": "decoders"}


def to_enum(enum: Any, word: str | None, argument: str) -> Any:
    """The value of a protobuf enum that a word means; 0, the server's default, for None."""
    if word is None:
        return 0
    prefix = _prefix(enum)
    words = [name.removeprefix(prefix).lower() for name, value in enum.items() if value != 0]
    if word not in words:
        raise ValueError(f"{argument} is {word!r}: it must be one of {', '.join(map(repr, words))}")
    return enum.Value(prefix + word.upper())


def from_enum(enum: Any, value: int) -> str:
    """The word for a value, or the number itself where a newer server says something new."""
    names = {number: name for name, number in enum.items()}
    return names[value].removeprefix(_prefix(enum)).lower() if value in names else str(value)


def _prefix(enum: Any) -> str:
    """The part that all names share: that of the value 0 without its last word, UNSPECIFIED."""
    return enum.Name(0).removesuffix("UNSPECIFIED")


def settings(spec: Message) -> dict[str, Any]:
    """The fields of a spec that are set, by the names and words of the arguments that they come from; messages in it
    are dicts of their own."""
    return {_argument(field): _plain(field, value) for field, value in spec.ListFields()}


def _argument(field: Any) -> str:
    in_message = f"{field.containing_type.name}.{field.name}"
    return _ARGUMENTS.get(in_message) or _ARGUMENTS.get(field.name, field.name)


def _plain(field: Any, value: Any) -> Any:
    if isinstance(value, Message):
        return settings(value)
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, (str, int, float)):
        return [_plain(field, one) for one in value]
    return _word(field.enum_type, value) if field.enum_type is not None else value


def _word(descriptor: Any, value: Any) -> str:
    found = descriptor.values_by_number.get(value)
    return str(value) if found is None else found.name.removeprefix(_enum_prefix(descriptor)).lower()


def _enum_prefix(descriptor: Any) -> str:
    return descriptor.values_by_number[0].name.removesuffix("UNSPECIFIED")
