"""What a researcher gives, read under the name that it has in the call: errors say which argument is wrong."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any


def whole(value: Any, argument: str, low: int = -(2**31), high: int = 2**31 - 1) -> int:
    """A whole number, from `low` to `high`; NumPy's too."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{argument} {_said(value)}: it must be an integer") from None
    if number < low:
        raise ValueError(f"{argument} is {number}: it must be {low} or more")
    if number > high:
        raise ValueError(f"{argument} is {number}: it must be {high} at most")
    return number


def real(value: Any, argument: str) -> float:
    """A number; the server says which it takes."""
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{argument} {_said(value)}: it must be a number") from None


def if_given(read: Any, value: Any, *how: Any) -> Any:
    """What `read` makes of a value; None, which leaves it to the server, for None."""
    return None if value is None else read(value, *how)


def words(labels: Any) -> dict[str, str] | None:
    """Labels: texts by name."""
    if labels is None:
        return None
    if not isinstance(labels, Mapping):
        raise TypeError(f"labels {_said(labels)}: it must be a dict, such as {{'run': 'first'}}")
    for name, value in labels.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"labels has {name!r}: {value!r}; names and values must be texts")
    return dict(labels)


def _said(value: Any) -> str:
    return f"is {value!r}" if isinstance(value, (str, int, float)) else f"is of the type {type(value).__name__}"
