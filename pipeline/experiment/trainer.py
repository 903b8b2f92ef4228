"""Training for the jobs of a command: those that one program can train are trained together, the first time one comes.

Each of the others finds its training done when its turn comes, and is scored and logged as if it had been trained then:
it has the same bits. A job that has many seeds, or that nothing resembles, is trained alone; programs stay open for
later jobs of the same shapes.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from pipeline.base.environment import hushed_stderr
from pipeline.base.interrupt import wait_for_safe_point
from pipeline.config.schema import Config, TrackingConfig
from pipeline.data.prepared import PreparedData
from pipeline.training.hyperparameters import without_hyperparameters

if TYPE_CHECKING:
    import numpy as np

    from pipeline.report.terminal.progress import Reporter
    from pipeline.serving.model import ServedModel
    from pipeline.training.programs import Programs
    from pipeline.training.record import Certificate, EpochReport, Training

log = logging.getLogger(__name__)

_MOST_WAITING = 2**28  # bytes of forecasts of jobs whose turn has not come


Show = Callable[[str, int, int, int], "AbstractContextManager[Reporter]"]  # as `show_progress`


class TrainsJobs(Protocol):
    """Trains the jobs of a command, in this process or in another one."""

    def __enter__(self) -> "TrainsJobs":
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free what training needed."""

    def train(
        self,
        job: Config,
        config: Config,
        data: PreparedData,
        label: str,
        tell: Callable[[str], None],
        is_done: Callable[[Config], bool] = ...,
        origin: int = ...,
    ) -> "Training":
        """As `Trainer.train` says."""

    def train_again(
        self, configs: Sequence[Config], data: PreparedData, label: str, tell: Callable[[str], None]
    ) -> "list[Training]":
        """As `Trainer.train_again` says."""

    def certify(self, job: Config, best: "ServedModel", outputs: "np.ndarray") -> "Certificate":
        """As `Trainer.certify` says."""


class Trainer:
    """Trains the jobs of a command; leaving the block frees what was compiled.

    Args:
        jobs: Those that will come, in their order, as far as it is known. Hydra's own sweeper knows it.
        show: Shows progress; None: on stderr.
    """

    def __init__(self, jobs: Sequence[Config] = (), show: Show | None = None) -> None:
        self._show = show
        self._coming: list[tuple[str, str, Config]] = []
        self.expect(jobs)
        self._trained: dict[tuple[str, int, str], Training] = {}  # by job, origin, and the values that were learnt
        self._programs: Programs | None = None

    def expect(self, jobs: Sequence[Config]) -> None:
        """Learn of more jobs that will come, in their order."""
        self._coming += [(name_job(job), _kind(job), job) for job in jobs]

    def __enter__(self) -> "Trainer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._programs is not None:
            self._programs.close()

    def train(
        self,
        job: Config,
        config: Config,
        data: PreparedData,
        label: str,
        tell: Callable[[str], None],
        is_done: Callable[[Config], bool] = lambda config: False,
        origin: int = 0,
    ) -> "Training":
        """Return the training of a job: made now, with others beside it, or made before.

        Args:
            job: The configuration as the command named it.
            config: As it is trained: with what the data decided.
            data: Its data.
            label: Names the job for people.
            tell: Shows a sentence to the person who waits.
            is_done: Says of another configuration, with what the data decided, whether it need not be trained, because
                a finished run stands for it.
            origin: Which origin of a rolling one, from 0.
        """
        self._open()
        learnt = data.series.digest()  # a file may have grown since others were trained on it
        found = self._trained.pop((name_job(job), origin, learnt), None)
        if found is not None:
            return found
        others = self._find_others(job, config, data, is_done, (origin, learnt))
        if others:
            tell(f"{label}: trained side by side with {len(others)} other job(s) of this sweep")
        own = [replace(other, dataset=config.dataset) for other in others]  # the same data decide the same
        trained = self._train([config, *own], data, label, tell)
        for other, training in zip(others, trained[1:], strict=True):
            self._trained[name_job(other), origin, learnt] = training
        return trained[0]

    def train_again(
        self, configs: Sequence[Config], data: PreparedData, label: str, tell: Callable[[str], None]
    ) -> "list[Training]":
        """Train some configurations that one program can train, side by side, whatever was trained before.

        Args:
            configs: They differ in hyperparameters and seeds.
            data: What all of them learn.
            label: Names them for people.
            tell: Shows a sentence to the person who waits.
        """
        self._open()
        return self._train(configs, data, label, tell)

    def _open(self) -> None:
        with wait_for_safe_point(), hushed_stderr():  # 10 s and 0.8 GB, and many lines about CPUs and GPUs
            from pipeline.training.programs import Programs
            from pipeline.training.train import start_tensorflow

            start_tensorflow()
        self._programs = self._programs or Programs()

    def certify(self, job: Config, best: "ServedModel", outputs: "np.ndarray") -> "Certificate":
        """Certify that a network answers alike however it is read.

        Args:
            job: The configuration as the command named it.
            best: The best seed of its training.
            outputs: Scaled outputs of that seed at every window. Shape (windows, outputs).

        Raises:
            TrainingError: If the network does not answer alike.
        """
        from pipeline.training.parity import certify

        return certify(best.config, best.data, best.weights, outputs)

    def _find_others(
        self, job: Config, config: Config, data: PreparedData, is_done: Callable[[Config], bool], on: tuple[int, str]
    ) -> list[Config]:
        """Return the coming jobs that are trained with one: as many as keep the cores busy, and memory holds."""
        from pipeline.training.train import most_side_by_side

        own, kind = name_job(job), _kind(job)
        place = next((place for place, (name, *_) in enumerate(self._coming) if name == own), -1)
        del self._coming[: place + 1]
        alike = {name: other for name, same, other in self._coming if same == kind}
        known = {name for name, *at in self._trained if tuple(at) == on} | {own}
        if not alike:
            return []
        waiting = sum(training.forecasts.nbytes for training in self._trained.values())
        of_a_seed = 4 * len(data.windows.starts) * data.head.kept(data.windows.num_outputs)  # bytes of float32
        left = min(most_side_by_side(config, data) - job.seeds, (_MOST_WAITING - waiting) // of_a_seed)
        others: list[Config] = []
        for name, other in alike.items():
            if other.seeds > left:
                break
            if name not in known and not is_done(replace(other, dataset=config.dataset)):
                others.append(other)
                left -= other.seeds
        return others

    def _train(
        self, configs: Sequence[Config], data: PreparedData, label: str, tell: Callable[[str], None]
    ) -> "list[Training]":
        from pipeline.report.terminal.progress import show_progress
        from pipeline.training.groups import Job
        from pipeline.training.train import train_or_again

        assert self._programs is not None
        jobs, first = [Job(config, data) for config in configs], configs[0].seed
        before = [sum(config.seeds for config in configs[:number]) for number in range(len(configs))]
        epochs = 1 if configs[0].training.online else max(config.training.epochs for config in configs)
        seeds = sum(config.seeds for config in configs)
        with (self._show or show_progress)(label, first, seeds, epochs) as show, wait_for_safe_point():

            def report(epoch: "EpochReport") -> None:  # progress counts the seeds of all jobs from the first one's
                number = before[epoch.job] + epoch.seed - configs[epoch.job].seed
                show(replace(epoch, seed=first + number))

            return train_or_again(jobs, self._programs, report, lambda told: log.warning("%s: %s", label, told))


def name_job(job: Config) -> str:
    """Name a job, wherever it is recorded: the parent run of its sweep is opened after the jobs were planned."""
    return repr(replace(job, tracking=TrackingConfig()))


def _kind(job: Config) -> str:
    """Name what jobs that one program trains have in common."""
    return repr(without_hyperparameters(job))
