"""The process that trains ahead, as the command sees it: started, asked, heard, and ended."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

from pipeline.base.terminal import say

SERIES = "series"  # the file of a process's folder that has the series of its jobs
_MODULE = "pipeline.launching.ahead_worker"


class AheadProcess:
    """A process that imports TensorFlow at once, and then trains what it is asked to; leaving the block ends it.

    Attributes:
        folder: Of this process and the other one, for series and trainings; removed in the end.
    """

    def __init__(self) -> None:
        self._made = TemporaryDirectory()
        self.folder = Path(self._made.name)
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, "--parent", str(os.getpid()), "--folder", str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            start_new_session=True,  # Ctrl-C of a terminal reaches this process, which ends the other one
        )
        threading.Thread(target=_forward, args=[self._process], daemon=True).start()

    def __enter__(self) -> "AheadProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End it at once, if it has not ended: what it trains nobody waits for, and no run is open there."""
        self._process.kill()
        self.wait()

    def ask(self, told: Mapping[str, Any]) -> None:
        """Send a line; whether the process lives is seen where its answers are read."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{json.dumps(told)}\n")
            self._process.stdin.flush()

    def answers(self) -> Iterator[Mapping[str, Any]]:
        """Give its answers as they come, until it ends."""
        assert self._process.stdout is not None
        while (line := self._process.stdout.readline()).endswith("\n"):
            yield json.loads(line)

    def wait(self) -> str:
        """Wait for its end, and say how it did."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        code = self._process.wait()
        self._process.stdout.close()
        self._made.cleanup()
        return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _forward(process: "subprocess.Popen[str]") -> None:
    assert process.stderr is not None
    with process.stderr as lines:
        for line in lines:
            say(line.rstrip("\n"))
