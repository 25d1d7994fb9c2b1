"""What a bench ran on, and how it was called."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from pathlib import Path

from workers import Worker


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def facts(threads: int) -> dict[str, str | int | float]:
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count() or 1,
        "threads": threads,
        "memory_gib": round(memory_gib(), 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def libraries(workers: dict[str, Worker]) -> dict[str, str]:
    theirs = workers["default"].facts()
    return {
        "libtorch": workers["ours"].facts()["libtorch"],
        "reference_torch": theirs["torch"],
        "reference_model": theirs["model"],
        "tokenizers": theirs["tokenizers"],
    }


def command() -> str:
    """As it was typed: ./dev says where the build is."""
    words = sys.argv[1:]
    if "--build" in words:
        place = words.index("--build")
        del words[place : place + 2]
    return shlex.join(["./dev", "bench", *words])
