"""The actor of launcher=ray on a node of the cluster: starts a worker process there and passes on what it is told.

TensorFlow lives in that process: so a worker ends as it does with launcher=processes, by signals that close
its run. It ends, too, when Ray's process is gone, or when nobody has listened to it for half a minute.
"""

import fcntl
import os
import queue
import signal
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from pipeline.launching.child import Child

DONE, SAID, ANSWERED = "done", "said", "answered"
_SECONDS_TO_LISTEN = 30.0  # the command is gone, or the network to it: its job is trained elsewhere
_SECONDS_BETWEEN_LOOKS = 1.0


class Relay:
    """One worker on a node.

    Args:
        work: The module that says what it does.
        cores: How many it may use.
        environment: Variables for it.
        series: What was read for its tasks, as `write_series` gives it.
    """

    def __init__(self, work: str, cores: int, environment: Mapping[str, str], series: bytes) -> None:
        self._messages: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._listened = time.monotonic()
        self._busy = False
        self._claims = claim_cores(cores)
        self._folder = tempfile.TemporaryDirectory(prefix="lstm-pipeline-")
        file = Path(self._folder.name) / "series.npz"
        file.write_bytes(series)
        path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
        self._child = Child(
            work, list(self._claims), lambda line: self._messages.put((SAID, line)), file,
            {**environment, "PYTHONPATH": path},
        )  # fmt: skip
        threading.Thread(target=self._watch, daemon=True).start()

    def is_ready(self) -> bool:
        """Answer as soon as the actor has a place in the cluster."""
        return True

    def ask(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        """Give the worker a batch of tasks; `take` has the answers."""
        self._listened, self._busy = time.monotonic(), True
        threading.Thread(target=self._ask, args=[tasks], daemon=True).start()

    def take(self) -> list[tuple[str, Any]]:
        """Return what came since the last time; waits a second for the first message."""
        self._listened = time.monotonic()
        taken: list[tuple[str, Any]] = []
        with suppress(queue.Empty):
            taken.append(self._messages.get(timeout=_SECONDS_BETWEEN_LOOKS))
            while True:
                taken.append(self._messages.get_nowait())
        return taken

    def signal(self, number: int) -> None:
        """Send the worker a signal."""
        self._child.signal(number)

    def end(self) -> str:
        """Let the worker end, and say how it did."""
        how = self._child.end()
        self._folder.cleanup()
        return how

    def _ask(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        for answer in self._child.ask(tasks):
            self._messages.put((ANSWERED, answer))
        self._busy = False
        self._messages.put((DONE, None))

    def _watch(self) -> None:
        while not self._busy or time.monotonic() - self._listened < _SECONDS_TO_LISTEN:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        self._child.signal(signal.SIGTERM)


def claim_cores(number: int) -> dict[int, IO[bytes] | None]:
    """Return cores of this machine that no other worker has, each with the lock that says so; it ends with its process.

    Ray counts cores and does not say which. Where too few are left, as Ray was told of more than there are, others are
    shared.
    """
    folder = Path(tempfile.gettempdir()) / f"lstm-pipeline-cores-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    claimed: dict[int, IO[bytes] | None] = {}
    cores = sorted(os.sched_getaffinity(0))
    for core in cores:
        if len(claimed) == number:
            return claimed
        lock = (folder / str(core)).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
        else:
            claimed[core] = lock
    for core in cores[: number - len(claimed)]:
        claimed.setdefault(core, None)
    return claimed
