"""How things look at the end of a notebook cell."""

from __future__ import annotations

import datetime
import html as _html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from google.protobuf import timestamp_pb2

_LEFT = "style='text-align:left'"


def text(kind: str, name: str, facts: Mapping[str, Any]) -> str:
    """One line."""
    return f"<{kind} {name}: {', '.join(f'{key} {_short(value)}' for key, value in facts.items())}>"


def html(kind: str, name: str, facts: Mapping[str, Any]) -> str:
    """A small table of two columns."""
    rows = "".join(
        f"<tr><td {_LEFT}>{_html.escape(key)}</td><td {_LEFT}>{_html.escape(_short(value))}</td></tr>"
        for key, value in facts.items()
    )
    return f"<div><b>{_html.escape(kind)}</b> <code>{_html.escape(name)}</code><table>{rows}</table></div>"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def frame(
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    *,
    integers: Sequence[str] = (),
    times: Sequence[str] = (),
) -> pd.DataFrame:
    """A frame with these columns even without rows; `integers` and `times` may lack values."""
    table = pd.DataFrame(list(rows), columns=list(columns))
    return table.astype(dict.fromkeys(integers, "Int64") | dict.fromkeys(times, "datetime64[ns, UTC]"))


def short_name(name: str) -> str:
    """The last part of a resource name."""
    return name.rpartition("/")[2]


def full_name(collection: str, name: str) -> str:
    """The resource name for a name with or without its collection."""
    return name if name.startswith(f"{collection}/") else f"{collection}/{name}"


def moment(stamp: timestamp_pb2.Timestamp) -> datetime.datetime | None:
    """In UTC; None when it has not come."""
    if not stamp.ByteSize():
        return None
    return stamp.ToDatetime(tzinfo=datetime.UTC)
