"""A real server for the tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("SUPERPOSE_BUILD", ROOT / "build" / "release")) / "server" / "superposed"


class Server:
    """One server process on loopback, with its data in `folder`. It keeps its port over restarts."""

    def __init__(self, folder: Path, config: str) -> None:
        self._folder = folder
        self._config = config
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.address = "127.0.0.1:0"

    def start(self) -> None:
        """Starts it and waits until it listens."""
        config = self._folder / "server.textproto"
        config.write_text(f'listen_address: "{self.address}"\ndata_dir: "data"\nthreads: 1\n{self._config}')
        starts = sum(1 for _ in self._entries("listening"))
        with self._log.open("ab") as log:
            environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
            self._process = subprocess.Popen([BINARY, "--config", config], stderr=log, env=environment)
        while len(listening := list(self._entries("listening"))) == starts:
            if not self.running:
                raise RuntimeError(f"the server ended early:\n{self._log.read_text()}")
            time.sleep(0.02)
        self.address = listening[-1]["address"]

    def kill(self) -> None:
        """As a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """As an administrator does; returns the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(timeout=60)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """It answers nothing meanwhile, and everything after."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def calls(self, method: str) -> int:
        """How many calls of a method have ended."""
        return sum(entry.get("method") == method for entry in self._entries())

    def _entries(self, message: str | None = None) -> Iterator[dict[str, Any]]:
        if not self._log.exists():
            return
        for line in self._log.read_text().splitlines(keepends=True):
            # A last line may be only half written yet.
            if line.startswith("{") and line.endswith("\n"):
                entry = json.loads(line)
                if message in (None, entry["message"]):
                    yield entry
