"""A worker process as its parent sees it: started with its cores, asked to do something, and ended."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.launching.line_process import LineProcess


class Child(LineProcess):
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
        super().__init__(
            *("pipeline.launching.worker", "--parent", str(os.getpid())),
            *("--work", work, "--cores", ",".join(map(str, cores))),
            *(() if series is None else ("--series", str(series))),
            tell=tell,
            environment=environment,
        )

    def ask(self, tasks: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield the answer to each task as it comes; too few if the worker dies."""
        self.send(tasks)
        yield from islice(self.answers(), len(tasks))

    def is_ready(self) -> bool:
        """It can be asked at once."""
        return True
