"""A worker process as its parent sees it: started with its cores, asked to do something, and ended."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any


class Child:
    """A process that runs `pipeline.launching.worker`.

    Args:
        work: The module that says what it does, see `pipeline.launching.worker`.
        cores: That it may use.
        tell: Gets each line of its stderr, from a thread.
        series: A file with what was read for its tasks; None: it reads for itself.
        environment: Variables beside those of this process.
    """

    def __init__(
        self,
        work: str,
        cores: Sequence[int],
        tell: Callable[[str], None],
        series: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pipeline.launching.worker", "--parent", str(os.getpid())),
                *("--work", work, "--cores", ",".join(map(str, cores))),
                *(() if series is None else ("--series", str(series))),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **(environment or {}), "PYTHONIOENCODING": "utf-8"},
            start_new_session=True,  # Ctrl-C of a terminal reaches the command, which passes it on once
        )
        self._teller = threading.Thread(target=_forward, args=[self._process.stderr, tell], daemon=True)
        self._teller.start()

    def ask(self, tasks: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield the answer to each task as it comes; too few if the worker dies."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{json.dumps(tasks)}\n")
            self._process.stdin.flush()
        for _ in tasks:
            line = self._process.stdout.readline()
            if not line.endswith("\n"):
                return
            yield json.loads(line)

    def is_ready(self) -> bool:
        """It can be asked at once."""
        return True

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
