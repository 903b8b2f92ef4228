"""The process that trains ahead, as the command sees it."""

import os
import signal
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from pipeline.base.terminal import say
from pipeline.launching.line_process import LineProcess

SERIES = "series"  # the file of a process's folder that has the series of its jobs
_MODULE = "pipeline.launching.ahead_worker"


class AheadProcess(LineProcess):
    """A process that imports TensorFlow at once, and then trains what it is asked to; leaving the block kills it.

    Attributes:
        folder: Of this process and the other one, for series and trainings; removed in the end.
    """

    def __init__(self) -> None:
        self._made = TemporaryDirectory()
        self.folder = Path(self._made.name)
        super().__init__(_MODULE, "--parent", str(os.getpid()), "--folder", str(self.folder), tell=say)

    def __enter__(self) -> "AheadProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """End it at once: what it trains nobody waits for, and no run is open there."""
        self.signal(signal.SIGKILL)
        self.end()

    def end(self) -> str:
        """Let it end, say how it did, and remove its folder."""
        how = super().end()
        self._made.cleanup()
        return how
