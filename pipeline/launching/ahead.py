"""Training ahead of the log: a process of its own trains the next jobs of a command, while this one logs those before.

Both begin at once: while this process checks the jobs, opens the store, and imports what logs and draws, the other one
imports TensorFlow. Runs stay here, each opened, scored, logged and closed in its turn: whatever becomes of the other
process, a job whose training does not come back is FAILED, and nothing is lost that had been logged.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING

from pipeline.base.errors import TrainingError
from pipeline.config.schema import Config, Launcher, Source
from pipeline.data.prepared import PreparedData
from pipeline.data.series_file import write_series
from pipeline.experiment.jobs import Plan
from pipeline.experiment.trainer import Trainer, TrainsJobs, name_job
from pipeline.launching.ahead_process import SERIES, AheadProcess
from pipeline.launching.answers import name_dataset, read_error, write_job
from pipeline.launching.trained import read_training
from pipeline.training.cores import count_cores
from pipeline.training.record import Certificate, EpochReport, Training

if TYPE_CHECKING:
    import numpy as np

    from pipeline.serving.model import ServedModel

_AHEAD = 2  # jobs that are trained before their turn comes
_SENT = 32  # jobs that are known before their turn comes: those that one program trains are trained together
_MOST_BYTES = 2**26  # of series that are sent to the other process
_ELSEWHERE = ("launcher=", "resume=", "hydra/")  # words of commands whose jobs are trained in other ways


@contextmanager
def begin_ahead(arguments: Namespace) -> Iterator[AheadProcess | None]:
    """Start the other process before the jobs are known, where a command looks as if it were worth it.

    Args:
        arguments: What Hydra's own parser made of the command line.
    """
    elsewhere = any(word.startswith(_ELSEWHERE) for word in arguments.overrides)
    if not arguments.multirun or elsewhere or not _has_room():
        yield None
        return
    with AheadProcess() as process:
        yield process


def make_trainer(plan: Plan, begun: AheadProcess | None = None) -> TrainsJobs:
    """Return what trains the jobs of a command: another process, where that is worth it, else this one.

    It is not where there is one core, or one job, where TensorFlow has been imported here (a notebook), and where a job
    needs more than its own data, or may find that an earlier run stands for it.

    Args:
        plan: Of the command.
        begun: The other process, if it was started already; it is ended if it is not worth it.
    """
    if plan.in_turn and len(plan.jobs) > 1 and _has_room() and all(map(_can_be_sent, plan.jobs)):
        series = [each for each in plan.series.values() if each.panel is None]
        if len(series) == len(plan.series) and sum(each.values.nbytes for each in series) <= _MOST_BYTES:
            return AheadTrainer(plan, begun)
    if begun is not None:
        begun.kill()
    return Trainer(plan.jobs)


def _has_room() -> bool:
    return count_cores() > 1 and "tensorflow" not in sys.modules


def _can_be_sent(job: Config) -> bool:
    dataset = job.dataset
    plain = dataset.source is not Source.frame and dataset.lane_block is None and not job.reads_text
    once = job.evaluation.origins == 1 and not job.training.all_rows
    return plain and once and job.launcher is Launcher.local and not job.resume


class AheadTrainer:
    """Lets another process train the jobs of a plan, in their order; leaving the block ends it.

    Args:
        plan: Of the command.
        begun: The other process, if it was started already; whoever started it ends it.
    """

    def __init__(self, plan: Plan, begun: AheadProcess | None = None) -> None:
        keys = plan.differing_keys()
        self._jobs = [replace(job, tracking=replace(job.tracking, sweep_keys=keys)) for job in plan.jobs]
        self._names, self._place, self._sent = [name_job(job) for job in self._jobs], -1, 0
        self._series = {name_dataset(job.dataset): plan.series_of(job) for job in plan.jobs}
        self._certificates: dict[str, tuple[int, Certificate | str]] = {}
        self._here = Trainer()  # for what no plan knows
        self._begun = begun
        self._process: AheadProcess | None = None
        self._opened = ExitStack()

    def __enter__(self) -> "AheadTrainer":
        self._ask(0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._here.__exit__(kind, error, trace)
        self._opened.close()

    def train(
        self,
        job: Config,
        config: Config,
        data: PreparedData,
        label: str,
        tell: Callable[[str], None],
        is_done: Callable[[Config], bool] = lambda config: False,
        origin: int = 0,
    ) -> Training:
        """Return the training of a job, as `Trainer.train` does; wait for it, and show its progress, if it goes on."""
        from pipeline.report.terminal.progress import show_progress

        name = name_job(job)
        if name not in self._names[self._place + 1 :]:
            return self._here.train(job, config, data, label, tell, is_done, origin)
        self._place = self._names.index(name, self._place + 1)
        self._ask(self._place)
        assert self._process is not None
        with ExitStack() as shown:
            for answer in self._process.answers():
                if answer["place"] != self._place:
                    continue  # of a job that failed before its training
                if answer["is"] == "told":
                    tell(answer["text"])
                elif answer["is"] == "begun":
                    report = shown.enter_context(show_progress(label, *answer["of"]))
                elif answer["is"] == "epoch":
                    report(EpochReport(**answer["epoch"]))
                elif (error := read_error(answer)) is not None:
                    raise error
                else:
                    training, best, certificate = read_training(answer)
                    self._certificates = {name: (best, certificate)}
                    return training
        how, self._process = self._process.end(), None
        raise TrainingError(f"the process that trains {how}; repeat the command with resume=true")

    def train_again(
        self, configs: Sequence[Config], data: PreparedData, label: str, tell: Callable[[str], None]
    ) -> list[Training]:
        """As `Trainer.train_again` says, in this process."""
        return self._here.train_again(configs, data, label, tell)

    def certify(self, job: Config, best: "ServedModel", outputs: "np.ndarray") -> Certificate:
        """Return the certificate of the best seed, as `Trainer.certify` does; it came with the training."""
        seed, certificate = self._certificates.pop(name_job(job), (None, ""))
        if seed != best.seed:
            return self._here.certify(job, best, outputs)
        if isinstance(certificate, str):
            raise TrainingError(certificate)
        return certificate

    def _ask(self, place: int) -> None:
        """Let it train up to some jobs after a place, of which it is told with those that follow."""
        if self._process is None:
            self._process, self._begun = self._begun or self._opened.enter_context(AheadProcess()), None
            (self._process.folder / SERIES).write_bytes(write_series(self._series))
            self._sent = place
        coming = range(self._sent, min(len(self._jobs), place + _SENT))
        self._sent = coming.stop if coming else self._sent
        self._process.send({"jobs": [write_job(each, self._jobs[each]) for each in coming], "until": place + _AHEAD})
