"""`launcher=slurm`: the jobs of a sweep as tasks of Slurm's array jobs, whose answers are read from a shared folder.

command -- N.json, sbatch --> Slurm -- one task for each batch --> worker: N.answers, its log, its runs in MLflow
   |                                                                  |
   +---------------- squeue, the files, runs left open <--------------+
"""

import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.base.errors import PipelineError, TrainingError, UserError
from pipeline.base.interrupt import check_interrupt
from pipeline.config.schema import Config
from pipeline.launching import slurm_queue as queue
from pipeline.launching.answers import ATTEMPTS, label_job, read_error
from pipeline.launching.batches import cut_batches
from pipeline.launching.slurm_earlier import NAME, find_left
from pipeline.launching.slurm_folder import PATTERN, batch_file, read_answers, read_log, tell_of_sqlite, write_batch
from pipeline.launching.slurm_warm import open_workers

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

__all__ = ["check", "open_workers", "train_jobs"]

_NOTHING = "#!/bin/sh\n"
_MOST_TASKS = 1000  # of one array: what Slurm allows where nobody has changed it
_SECONDS_BETWEEN_LOOKS = 1.0  # at files
_SECONDS_BETWEEN_QUESTIONS = 10.0  # to the controller, which serves everybody
_SECONDS_BETWEEN_WORDS = 60.0  # about the queue
_SECONDS_TO_END = 90.0  # of cancelled tasks: Slurm leaves 30 s between SIGTERM and SIGKILL


def check(config: Config) -> None:
    """Look for Slurm's commands, and ask Slurm whether it would take such jobs; none is queued."""
    queue.find_commands()
    queue.submit([*queue.write_words(config.slurm), "--test-only"], _NOTHING)


def train_jobs(jobs: Sequence[Config], store: "Store", tell: Callable[[str], None]) -> list[PipelineError]:
    """Train the jobs of a sweep; as `pipeline.launching.launch.Engine` says."""
    tell_of_sqlite(store, tell)
    return Arrays(jobs, store, tell).run()


@dataclass
class _Task:
    """A task that has not answered for all of its jobs.

    Attributes:
        folder: Of its round.
        index: In its array.
        log: Its log.
        left: The places of the jobs that it has not answered for, in their order.
        read: Bytes of the log that have been told.
        is_missing: Whether it was not in the queue when Slurm was asked: its last answer may be on its way.
    """

    folder: Path
    index: int
    log: Path
    left: list[int]
    read: int = 0
    is_missing: bool = False


@dataclass
class Arrays:
    """The arrays that train a sweep: one, and one more for what died. Used once.

    Attributes:
        jobs: Each is idempotent: with resume=true it is read back if it was finished before.
        store: Where they are recorded.
        tell: Shows a sentence, or a line of a task's log, to the person who waits.
    """

    jobs: Sequence[Config]
    store: "Store"
    tell: Callable[[str], None]
    _tasks: dict[str, _Task] = field(default_factory=dict)  # by name, such as 12_3
    _errors: dict[int, PipelineError] = field(default_factory=dict)  # by job
    _deaths: Counter[int] = field(default_factory=Counter)  # of tasks, by the job that they were at
    _done: int = 0
    _rounds: int = 0
    _asked: float = field(default_factory=time.monotonic)
    _said: tuple[float, str] = (float("-inf"), "")

    def run(self) -> list[PipelineError]:
        """Train every job; return the errors of those that failed, in the order of the jobs.

        Raises:
            UserError: If Slurm refuses the jobs.
            KeyboardInterrupt: If a signal came; the tasks have been cancelled, unless slurm.cancel=false.
        """
        try:
            left = list(range(len(self.jobs)))
            if self.jobs[0].resume:
                left = find_left(self.jobs, self._folder.parent, self.store, self.tell)
            self._done = len(self.jobs) - len(left)
            self._submit(self._cut(left))
            while self._tasks:
                check_interrupt()
                time.sleep(_SECONDS_BETWEEN_LOOKS)
                self._read()
                if time.monotonic() - self._asked >= _SECONDS_BETWEEN_QUESTIONS:
                    self._ask()
        except KeyboardInterrupt:
            self._leave()
            raise
        return [self._errors[place] for place in sorted(self._errors)]

    @property
    def _parent(self) -> str:
        parent = self.jobs[0].tracking.parent_run_id
        assert parent is not None
        return parent

    @property
    def _folder(self) -> Path:
        return Path(self.jobs[0].slurm.folder).resolve() / self._parent

    def _cut(self, left: Sequence[int]) -> list[list[int]]:
        """Return batches of places, not more than an array may have."""
        batches = cut_batches([self.jobs[place] for place in left], self.jobs[0].workers or 1) if left else []
        together = -(-len(batches) // _MOST_TASKS)
        joined = (batches[first : first + together] for first in range(0, len(batches), together or 1))
        return [[left[place] for batch in several for place in batch] for several in joined]

    def _submit(self, batches: Sequence[Sequence[int]]) -> None:
        """Hand batches to Slurm as one array; what is handed over once more may have been finished."""
        if not batches:
            return
        self._rounds += 1
        folder = self._folder / str(self._rounds)
        folder.mkdir(mode=0o700, parents=True)
        for index, batch in enumerate(batches):
            jobs = {place: self.jobs[place] for place in batch}
            again = {place: replace(job, resume=True) for place, job in jobs.items()}
            write_batch(folder, index, jobs if self._rounds == 1 else again)
        at_once = f"%{self.jobs[0].workers}" if self.jobs[0].workers is not None else ""
        worker = shlex.join([sys.executable, "-m", "pipeline.launching.slurm_worker", str(folder)])
        words = [
            *queue.write_words(self.jobs[0].slurm),
            *(f"--array=0-{len(batches) - 1}{at_once}", f"--job-name={NAME}{self._parent}", "--export=ALL"),
            *(f"--output={str(folder).replace('%', '%%')}/{PATTERN}", "--open-mode=append", f"--chdir={Path.cwd()}"),
        ]
        array = queue.submit(words, f"{_NOTHING}exec {worker}\n", {"MLFLOW_TRACKING_URI": self.store.uri})
        for index, batch in enumerate(batches):
            name = f"{array}_{index}"
            self._tasks[name] = _Task(folder, index, folder / f"{name}.log", list(batch))
        jobs_told = f"{sum(map(len, batches))} job(s) of the sweep in {len(batches)} Slurm job(s)"
        self.tell(f"launcher=slurm: {jobs_told}, array {array}; logs: {folder}")

    def _read(self) -> None:
        """Take the answers that have come, and tell what the logs say."""
        for name, task in list(self._tasks.items()):
            answers = [answer for answer in read_answers(task.folder, task.index) if answer["place"] in task.left]
            lines, task.read = read_log(task.log, task.read)
            for line in lines:
                self.tell(line)
            for answer in answers:
                task.left.remove(answer["place"])
                self._done += 1
                if (error := read_error(answer)) is not None:
                    self._errors[answer["place"]] = error
            if not task.left:
                del self._tasks[name]

    def _ask(self) -> None:
        """Ask Slurm which tasks are left; one that was missing twice has ended without an answer."""
        found = queue.list_tasks(f"{NAME}{self._parent}")
        self._asked = time.monotonic()
        if found is None:
            return self._say("Slurm does not answer (squeue); waiting for it and for the jobs")
        names = {task.name for task in found}
        gone = [name for name, task in self._tasks.items() if name not in names and task.is_missing]
        for name, task in self._tasks.items():
            task.is_missing = name not in names
        self._retry(gone)
        waiting = [task.reason for task in found if task.state == queue.WAITING]
        why = f" ({Counter(waiting).most_common(1)[0][0]})" if waiting else ""
        counts = f"{len(found) - len(waiting)} running, {len(waiting)} waiting{why}"
        self._say(f"Slurm: {counts}; {self._done} of {len(self.jobs)} jobs of the sweep done")

    def _say(self, text: str) -> None:
        """Tell something about the queue, if it is new, and not too often."""
        if text != self._said[1] and time.monotonic() - self._said[0] >= _SECONDS_BETWEEN_WORDS:
            self._said = (time.monotonic(), text)
            self.tell(text)

    def _retry(self, gone: Sequence[str]) -> None:
        """Hand over once more what tasks have left that ended; the job that each was at, alone."""
        batches: list[list[int]] = []
        for name in gone:
            task = self._tasks.pop(name)
            batch_file(task.folder, task.index).unlink(missing_ok=True)
            first, rest = task.left[0], task.left[1:]
            ending = queue.find_ending(name) or ("" if task.log.exists() else queue.CANCELLED)  # it never began
            how = f"Slurm job {name} {queue.ENDINGS.get(ending, 'died')}"
            self._close_left_open(how, name)
            if ending == queue.CANCELLED:
                self._give_up(task.left, f"its {how}")
                continue
            self._deaths[first] += 1
            if self._deaths[first] < ATTEMPTS:
                self.tell(f"{how}: {label_job(self.jobs[first])} is trained again, in a Slurm job of its own")
                batches.append([first])
            else:
                self._give_up([first], f"its {how}, the second one that did; {task.log}")
            batches += [rest] if rest else []
        try:
            self._submit(batches)
        except UserError as error:
            self._give_up([place for batch in batches for place in batch], str(error))

    def _give_up(self, places: Sequence[int], why: str) -> None:
        for place in places:
            self._errors[place] = TrainingError(why)
            self.tell(f"{label_job(self.jobs[place])}: FAILED: {why}")

    def _close_left_open(self, why: str, task: str | None = None) -> None:
        from pipeline.tracking.past import close_left_open

        with suppress(Exception):  # the next command does it
            close_left_open(self.store, self._parent, why, task)

    def _leave(self) -> None:
        """Cancel what waits and runs, and wait until it has closed its runs; or say how it goes on."""
        name = f"{NAME}{self._parent}"
        found = queue.list_tasks(name)
        if found == []:
            return
        waiting = sum(task.state == queue.WAITING for task in found or [])
        told = f"{len(found or []) - waiting} running and {waiting} waiting Slurm job(s)" if found else "the Slurm jobs"
        if not self.jobs[0].slurm.cancel:
            self.tell(f"{told} go on; resume=true waits for them, `scancel --name={name}` ends them")
            return
        queue.cancel(name)
        self.tell(f"cancelled {told}; waiting until they have closed their runs")
        deadline = time.monotonic() + _SECONDS_TO_END
        while (found := queue.list_tasks(name)) != [] and time.monotonic() < deadline:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        self._read()
        if found == []:
            self._close_left_open("the sweep was interrupted")
        else:
            self.tell(f"they have not ended; see `squeue --name={name}`")
