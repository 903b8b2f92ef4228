"""A process of this package that is spoken to in lines of JSON: started, asked, heard, and ended."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import IO, Any


class LineProcess:
    """A process that reads lines of JSON from its stdin, and answers in such lines.

    Args:
        words: Of its command, after `python -m`.
        tell: Gets each line of its stderr, from a thread.
        environment: Variables beside those of this process.
    """

    def __init__(self, *words: str, tell: Callable[[str], None], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **(environment or {}), "PYTHONIOENCODING": "utf-8"},
            start_new_session=True,  # Ctrl-C of a terminal reaches the command, which says what it means for this one
        )
        self._teller = threading.Thread(target=_forward, args=[self._process.stderr, tell], daemon=True)
        self._teller.start()

    def send(self, told: Any) -> None:
        """Send a line; whether the process lives is seen where its answers are read."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{json.dumps(told)}\n")
            self._process.stdin.flush()

    def answers(self) -> Iterator[Mapping[str, Any]]:
        """Yield its answers as they come, until it ends."""
        assert self._process.stdout is not None
        while (line := self._process.stdout.readline()).endswith("\n"):
            yield json.loads(line)

    def signal(self, number: int) -> None:
        """Send a signal; one that has ended gets none."""
        with suppress(OSError):
            self._process.send_signal(number)

    def end(self) -> str:
        """Let it end, and say how it did. All it said has been told then."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        code = self._process.wait()
        self._process.stdout.close()
        self._teller.join()
        return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _forward(stream: IO[str], tell: Callable[[str], None]) -> None:
    with stream:
        for line in stream:
            tell(line.rstrip("\n"))
