"""Workers of a search by launcher=slurm: Slurm jobs that stay until the search ends, asked through files.

outputs/slurm/<parent run>/search-.../beat           rewritten by the command as long as it lives
outputs/slurm/<parent run>/search-.../series.npz     what the command has read
outputs/slurm/<parent run>/search-.../2/0.json       a batch of tasks for worker 2, written by the command
outputs/slurm/<parent run>/search-.../2/0.answers    one line for each task as it ends, written by the worker
outputs/slurm/<parent run>/search-.../2/started, stop, ended    by the worker, the command, the worker
"""

import json
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.base.beat import beating_every
from pipeline.base.errors import UserError
from pipeline.config.schema import Config
from pipeline.data.series_file import write_series
from pipeline.launching import slurm_queue as queue
from pipeline.launching.slurm_folder import PATTERN, batch_file, read_answers, read_log, tell_of_sqlite
from pipeline.launching.workers import Answer, Task, Workers

if TYPE_CHECKING:
    from pipeline.data.series import Series
    from pipeline.tracking.store import Store

NAME = "lstm-"  # of a Slurm job, before the folder of its command
BEAT, SERIES, STARTED, STOP, ENDED = "beat", "series.npz", "started", "stop", "ended"
SECONDS_BETWEEN_BEATS = 10.0
_SECONDS_BETWEEN_LOOKS = 0.5  # at files
_SECONDS_BETWEEN_QUESTIONS = 10.0  # to the controller, which serves everybody
_SECONDS_UNTIL_TOLD = 30.0
_SECONDS_TO_END = 90.0  # of a worker: Slurm leaves 30 s between SIGTERM and SIGKILL


@dataclass
class Looks:
    """What Slurm's queue holds of a search, asked for all workers together.

    Attributes:
        name: Of its jobs.
        number: Of answers that came.
        tasks: In the last one, by name.
    """

    name: str
    number: int = 0
    tasks: Mapping[str, queue.Task] = field(default_factory=dict)
    _asked: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> int:
        """Ask Slurm, if the last time was some seconds ago, and return the number of answers that came."""
        with self._lock:
            if time.monotonic() - self._asked >= _SECONDS_BETWEEN_QUESTIONS:
                self._asked = time.monotonic()
                if (found := queue.list_tasks(self.name)) is not None:
                    self.number, self.tasks = self.number + 1, {task.name: task for task in found}
            return self.number


@contextmanager
def open_workers(
    config: Config, tasks: int, work: str, store: "Store", tell: Callable[[str], None], series: "Mapping[str, Series]"
) -> Iterator[Workers]:
    """Return workers; as `pipeline.launching.launch.Engine` says."""
    from pipeline.tracking.past import close_left_open, kill_crashed

    parent = config.tracking.parent_run_id
    assert parent is not None and config.workers is not None  # see `pipeline.launching.launch.check_to_search`
    number, above = min(config.workers, tasks), Path(config.slurm.folder).resolve() / parent
    above.mkdir(mode=0o700, parents=True, exist_ok=True)
    tell_of_sqlite(store, tell)
    _end_earlier(above, tell)
    folder = Path(tempfile.mkdtemp(prefix="search-", dir=above))
    looks = Looks(f"{NAME}{folder.name}")
    (folder / SERIES).write_bytes(write_series(series))
    limit = "" if config.slurm.time is None else f"; after slurm.time={config.slurm.time} minutes another takes over"
    tell(f"launcher=slurm: {number} Slurm job(s) stay for up to {tasks} task(s) at once{limit}; logs: {folder}")
    places = count()

    def bury(task: str, why: str) -> None:
        with suppress(Exception):  # the next command does it
            close_left_open(store, parent, why, task)

    def start(place: int) -> SlurmWorker:
        return SlurmWorker(folder / str(next(places)), config, work, store.uri, looks, tell, bury)

    try:
        with _beating(folder / BEAT), Workers(number, start, tell, lambda: kill_crashed(store)) as workers:
            yield workers
    finally:
        _await_empty(looks.name)  # what comes next wants their nodes


class SlurmWorker:
    """A worker in a Slurm job of its own, as the command sees it.

    Args:
        folder: Its own; is made.
        config: With what a job asks for.
        work: The module that says what it does.
        uri: Of the store; it goes by the environment, as it may hold a password.
        looks: At the queue.
        tell: Shows what it says.
        bury: Told its job, and how it ended, if it died.

    Raises:
        OSError: If Slurm refuses it.
    """

    def __init__(
        self,
        folder: Path,
        config: Config,
        work: str,
        uri: str,
        looks: Looks,
        tell: Callable[[str], None],
        bury: Callable[[str, str], None],
    ) -> None:
        self._folder, self._looks, self._tell, self._bury = folder, looks, tell, bury
        folder.mkdir(mode=0o700)
        command = shlex.join([sys.executable, "-m", "pipeline.launching.slurm_warm_worker", str(folder), work])
        words = [
            *queue.write_words(replace(config.slurm, requeue=False)),  # another one takes over
            *("--array=0-0", f"--job-name={looks.name}", "--export=ALL", f"--chdir={Path.cwd()}"),
            f"--output={str(folder).replace('%', '%%')}/{PATTERN}",
        ]
        try:
            self._job = queue.submit(words, f"#!/bin/sh\nexec {command}\n", {"MLFLOW_TRACKING_URI": uri}) + "_0"
        except UserError as error:
            raise OSError(str(error)) from error
        self._since = looks.number + 1  # the answer after the last may have been under way
        self._submitted: float | None = time.monotonic()
        self._batches = self._read = 0

    def is_ready(self) -> bool:
        """Return whether it has begun, or ended before that."""
        if (self._folder / STARTED).exists() or self._is_gone():
            return True
        if self._submitted is not None and time.monotonic() - self._submitted > _SECONDS_UNTIL_TOLD:
            self._submitted = None
            waits = self._looks.tasks.get(self._job)
            self._tell(f"Slurm job {self._job} waits in the queue{f' ({waits.reason})' if waits is not None else ''}")
        return False

    def ask(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """Yield the answer to each task as it comes; too few if the worker dies."""
        number, told = self._batches, 0
        self._batches += 1
        file = batch_file(self._folder, number)
        file.with_suffix(".part").write_text(json.dumps(_without_address(tasks)), encoding="utf-8")
        file.with_suffix(".part").replace(file)
        while told < len(tasks):
            is_gone = self._is_gone()  # before its answers are read: none comes later
            answers = read_answers(self._folder, number)[told:]
            self._tell_log()
            yield from answers
            told += len(answers)
            if is_gone:
                return
            if not answers:
                time.sleep(_SECONDS_BETWEEN_LOOKS)

    def signal(self, number: int) -> None:
        """Let Slurm end it by SIGTERM."""
        queue.cancel_task(self._job)

    def end(self) -> str:
        """Let it end, and say how it did."""
        (self._folder / STOP).touch()
        if not (began := (self._folder / STARTED).exists()):
            queue.cancel_task(self._job)
        deadline = time.monotonic() + _SECONDS_TO_END
        while not self._is_gone() and time.monotonic() < deadline:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        self._tell_log()
        if (self._folder / ENDED).exists():
            return f"of Slurm job {self._job} ended with exit code {(self._folder / ENDED).read_text()}"
        how = f"of Slurm job {self._job} {queue.ENDINGS.get(queue.find_ending(self._job), 'died')}"
        if began:
            self._bury(self._job, f"the worker {how}")
        return how

    def _is_gone(self) -> bool:
        """Return whether it has ended: it says so, or two answers of Slurm in a row know nothing of it."""
        if (self._folder / ENDED).exists():
            return True
        number = self._looks.look()
        if self._job in self._looks.tasks:
            self._since = number
        return number >= self._since + 2

    def _tell_log(self) -> None:
        lines, self._read = read_log(self._folder / f"{self._job}.log", self._read)
        for line in lines:
            self._tell(line)


def _without_address(given: Any) -> Any:
    """Return plain values without the addresses of stores, which may hold passwords."""
    if isinstance(given, Mapping):
        return {key: None if key == "uri" else _without_address(value) for key, value in given.items()}
    return [_without_address(each) for each in given] if isinstance(given, list | tuple) else given


def _end_earlier(above: Path, tell: Callable[[str], None]) -> None:
    """End the workers of commands that were killed: they would train beside the new ones. Others share this search."""
    queued = {task.array_name for task in queue.list_tasks() or []}
    beats = {folder: _read_beat(folder) for folder in above.glob("search-*") if f"{NAME}{folder.name}" in queued}
    if beats:
        time.sleep(2.5 * SECONDS_BETWEEN_BEATS)
    for folder, beat in beats.items():
        if _read_beat(folder) == beat:
            tell(f"Slurm jobs of an earlier command are cancelled, as nothing is heard of it: {folder}")
            queue.cancel(f"{NAME}{folder.name}")
            _await_empty(f"{NAME}{folder.name}")


def _read_beat(folder: Path) -> str:
    return (folder / BEAT).read_text() if (folder / BEAT).exists() else ""


def _await_empty(name: str) -> None:
    deadline = time.monotonic() + _SECONDS_TO_END
    while queue.list_tasks(name) != [] and time.monotonic() < deadline:
        time.sleep(1.0)


@contextmanager
def _beating(file: Path) -> Iterator[None]:
    """Rewrite a file while the block lasts, by which workers know that the command lives."""
    numbers = count()

    def beat() -> None:
        file.write_text(str(next(numbers)))

    with suppress(OSError):  # a network disk that is away for a while
        beat()
    with beating_every(SECONDS_BETWEEN_BEATS, beat):
        yield
