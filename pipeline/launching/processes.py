"""`launcher=processes`: the jobs of a sweep in worker processes, each with its share of the cores."""

import os
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import psutil

from pipeline.base.errors import PipelineError, TrainingError
from pipeline.base.interrupt import check_interrupt, interrupt_signal
from pipeline.config.schema import Config, Device
from pipeline.launching.answers import ATTEMPTS, read_error, write_job
from pipeline.launching.batches import cut_batches
from pipeline.launching.child import Child
from pipeline.training.cores import count_cores

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

_SECONDS_BETWEEN_CHECKS = 0.2
_BYTES_OF_A_WORKER = 1.5e9  # TensorFlow, MLflow and a small network need 0.8 GB; data and large networks more


def check(config: Config) -> None:
    """Every machine has processes."""


def train_jobs(jobs: Sequence[Config], store: "Store", tell: Callable[[str], None]) -> list[PipelineError]:
    """Train the jobs of a sweep; as `pipeline.launching.launch.Engine` says."""
    from pipeline.tracking.past import kill_crashed

    on_gpu = any(job.training.device is Device.gpu for job in jobs)  # a second worker would only halve its memory
    cores = share_cores(1 if on_gpu and jobs[0].workers is None else jobs[0].workers, len(jobs))
    tell(f"launcher=processes: {len(cores)} worker(s) with {len(cores[0])} core(s) each, for {len(jobs)} jobs")
    return Processes(jobs, cores, tell, lambda: kill_crashed(store)).run()


def share_cores(workers: int | None, jobs: int) -> list[list[int]]:
    """Return the cores of each worker; without a number as many workers as cores, jobs and free memory allow."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(count_cores()))
    cores = cores[: count_cores()]
    allowed = max(1, int(psutil.virtual_memory().available / _BYTES_OF_A_WORKER))
    number = min(jobs, len(cores), allowed) if workers is None else min(jobs, workers)
    return [_share(cores, place, number) for place in range(number)]


def _share(cores: Sequence[int], place: int, number: int) -> list[int]:
    """Return a worker's own cores, the leftover ones given to the first; where there are too few, two share one."""
    return list(cores[place::number]) or [cores[place % len(cores)]]


@dataclass
class Processes:
    """Workers that share the jobs of a sweep. Used once.

    Attributes:
        jobs: Each is idempotent: with resume=true it is read back if it was finished before.
        cores: Of each worker: as many workers as there are entries.
        tell: Shows a sentence, or what a worker says, to the person who waits. Called from threads.
        bury: Called when a worker has died, before its job is trained again: marks its run as KILLED.
    """

    jobs: Sequence[Config]
    cores: Sequence[Sequence[int]]
    tell: Callable[[str], None]
    bury: Callable[[], object]
    _waiting: "queue.SimpleQueue[list[int]]" = field(default_factory=queue.SimpleQueue)
    _errors: dict[int, PipelineError] = field(default_factory=dict)  # by job
    _deaths: dict[int, int] = field(default_factory=dict)  # of workers, by the job that they were at
    _living: dict[int, Child] = field(default_factory=dict)  # by worker
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> list[PipelineError]:
        """Train every job; return the errors of those that failed, in the order of the jobs.

        Raises:
            KeyboardInterrupt: If a signal came; the workers have got it, too, and have ended.
        """
        for batch in cut_batches(self.jobs, len(self.cores)):
            self._waiting.put(batch)
        threads = [
            threading.Thread(target=self._serve, args=[number], daemon=True) for number in range(len(self.cores))
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    check_interrupt()
                    thread.join(_SECONDS_BETWEEN_CHECKS)
        except KeyboardInterrupt:
            self._stopped.set()
            self._pass_on(threads)
            raise
        return [self._errors[place] for place in sorted(self._errors)]

    def _pass_on(self, threads: Sequence[threading.Thread]) -> None:
        """Give each signal that comes to the workers, until they have ended."""
        while any(thread.is_alive() for thread in threads):
            for child in list(self._living.values()):
                child.signal(interrupt_signal())
            with suppress(KeyboardInterrupt):
                for thread in threads:
                    thread.join()

    def _serve(self, number: int) -> None:
        while not self._stopped.is_set():
            try:
                batch = self._waiting.get_nowait()
            except queue.Empty:
                break
            try:
                child = self._find_child(number)
            except OSError as error:  # no process, or no memory for one
                self._errors |= {place: TrainingError(f"no worker could be started: {error}") for place in batch}
                continue
            left = self._train(child, batch)
            if left and not self._stopped.is_set():
                self._retry(left, self._living.pop(number).end())
        if number in self._living:
            self._living[number].end()

    def _find_child(self, number: int) -> Child:
        if number not in self._living:
            self._living[number] = Child(self.cores[number], self.tell)
            if self._stopped.is_set():  # an interrupt came while it was started
                self._living[number].signal(interrupt_signal())
        return self._living[number]

    def _train(self, child: Child, batch: Sequence[int]) -> list[int]:
        """Let a worker train a batch; return the jobs that it has not answered for, because it died."""
        left = list(batch)
        for answer in child.train([write_job(each, self._job(each)) for each in batch]):
            left.remove(answer["place"])
            if (error := read_error(answer)) is not None:
                self._errors[answer["place"]] = error
        return left

    def _job(self, place: int) -> Config:
        # A worker may have died after its run was finished, before it said so: then that one is read back.
        return replace(self.jobs[place], resume=True) if place in self._deaths else self.jobs[place]

    def _retry(self, left: Sequence[int], code: int) -> None:
        """Give what a dead worker has left to a new one; the job that it was at, alone."""
        first, rest = left[0], list(left[1:])
        self._deaths[first] = self._deaths.get(first, 0) + 1
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        with suppress(Exception):  # the next command does it
            self.bury()
        if self._deaths[first] < ATTEMPTS:
            self.tell(f"a worker {how}: its job is trained again")
            self._waiting.put([first])
        else:
            self._errors[first] = TrainingError(f"its worker {how}, {ATTEMPTS} times")
        if rest:
            self._waiting.put(rest)
