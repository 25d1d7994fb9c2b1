"""What work takes in the server's memory."""

from __future__ import annotations

import dataclasses
from typing import Any

from superpose import _display
from superpose.v1 import memory_pb2


@dataclasses.dataclass(frozen=True, repr=False)
class MemoryEstimate:
    """What a job would take in memory, models and transcoders that are loaded left out.

    Attributes:
        peak_bytes: Most bytes that it holds while it runs.
        checkpoint_bytes: Bytes that each of its checkpoints takes on the server's disk.
        available_bytes: Bytes that the server could give it now.
        advice: What would fit; empty when it fits.
        snapshot_bytes: Bytes of the snapshots that result, for statistics.
        work: What it is about, ``"training"``, ``"statistics"`` or ``"factorization"``.
        decoders: Decoders that would be fitted, of a factorization.
        held_out_decoders: Decoders that would be held out, of a factorization.
    """

    peak_bytes: int
    checkpoint_bytes: int
    available_bytes: int
    advice: str = ""
    snapshot_bytes: int = 0
    work: str = "training"
    decoders: int = 0
    held_out_decoders: int = 0

    @property
    def fits(self) -> bool:
        """Whether there is room for it now. A job for which there is none waits until other jobs have ended."""
        return self.peak_bytes <= self.available_bytes

    def _facts(self) -> dict[str, Any]:
        facts = {
            "peak": in_words(self.peak_bytes),
            "available now": in_words(self.available_bytes),
            "checkpoint": in_words(self.checkpoint_bytes),
            "fits": "yes" if self.fits else "not now",
        }
        if self.snapshot_bytes:
            facts["snapshots"] = in_words(self.snapshot_bytes)
        if self.decoders:
            facts["decoders"] = f"{self.decoders} fitted, {self.held_out_decoders} held out"
        return facts | ({"advice": self.advice} if self.advice else {})

    def __repr__(self) -> str:
        return _display.text("MemoryEstimate", self.work, self._facts())

    def _repr_html_(self) -> str:
        return _display.html("MemoryEstimate", self.work, self._facts())


def estimate_from(proto: memory_pb2.MemoryEstimate, **more: Any) -> MemoryEstimate:
    """The estimate that a server sent; `more` are attributes that are not in it."""
    return MemoryEstimate(proto.peak_bytes, proto.checkpoint_bytes, proto.available_bytes, proto.advice, **more)


def in_words(count: int) -> str:
    """1.5 GiB."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
