"""Where the jobs of a sweep are trained: `launcher=local`, in this process, or by one of the engines."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from pipeline.base.errors import PipelineError, UserError
from pipeline.base.terminal import say
from pipeline.config.schema import Config, Launcher, Source
from pipeline.experiment.jobs import Plan
from pipeline.launching.workers import Asked, Here

if TYPE_CHECKING:
    from pipeline.data.series import Series
    from pipeline.tracking.store import Store

# The module of each engine, imported when it is asked for: what it needs may not be installed.
ENGINES: Mapping[Launcher, str] = {
    Launcher.processes: "pipeline.launching.processes",
    Launcher.slurm: "pipeline.launching.slurm",
    Launcher.ray: "pipeline.launching.ray",
}


class Engine(Protocol):
    """What the module of an engine has."""

    def check(self, config: Config) -> None:
        """Look whether the engine is there, before a sweep is opened.

        Args:
            config: Of any job: the keys of the launcher are those of the whole sweep.

        Raises:
            UserError: If it is not, with what to do.
        """

    def train_jobs(self, jobs: Sequence[Config], store: "Store", tell: Callable[[str], None]) -> list[PipelineError]:
        """Train every job of a sweep.

        Args:
            jobs: With the address of the store, and the parent run. Each is idempotent: with resume=true it is read
                back if it was finished before.
            store: Where they are recorded.
            tell: Shows a sentence to the person who waits; may be called from threads.

        Returns:
            The errors of the jobs that failed, in the order of the jobs; all others have a FINISHED run.

        Raises:
            KeyboardInterrupt: If a signal came; nothing is trained then, or what is has been told.
        """

    def open_workers(
        self,
        config: Config,
        tasks: int,
        work: str,
        store: "Store",
        tell: Callable[[str], None],
        series: "Mapping[str, Series]",
    ) -> AbstractContextManager[Asked]:
        """Return workers of a search, which do one thing after another; they start when there is something to do.

        Args:
            config: The largest of what is trained, with the keys of the launcher.
            tasks: That are asked at the same time, at most.
            work: The module that says what they do, see `pipeline.launching.worker`.
            store: Where runs are recorded.
            tell: Shows a sentence to the person who waits; may be called from threads.
            series: What has been read, by `name_dataset`; for workers that have not the same files.
        """


def find_launcher(plan: Plan) -> Launcher:
    """Return the launcher of a sweep.

    Raises:
        UserError: If its jobs name several, it cannot take them, or it is not there.
    """
    first = plan.jobs[0]
    if len({repr((job.launcher, job.workers, job.slurm, job.ray)) for job in plan.jobs}) > 1:
        raise UserError("launcher, workers, slurm and ray are those of the whole sweep; give one value of each")
    launcher = first.launcher
    if launcher is Launcher.local:
        return launcher
    if not plan.in_turn:
        raise UserError(f"launcher={launcher.value} plans its jobs itself; leave hydra/launcher and hydra/sweeper out")
    if any(job.dataset.source is Source.frame for job in plan.jobs):
        raise UserError(f"launcher={launcher.value} cannot take a table of this Python; write it to a file first")
    _engine(launcher).check(first)
    return launcher


def launch(plan: Plan, parent: str, store: "Store") -> None:
    """Train the jobs of a sweep by its engine.

    Args:
        plan: With another launcher than local.
        parent: The run of the sweep.
        store: Where it is.

    Raises:
        PipelineError: The first of the jobs that failed; all others were trained.
    """
    keys = plan.differing_keys()
    tracked = [
        replace(job, tracking=replace(job.tracking, uri=store.uri, parent_run_id=parent, sweep_keys=keys))
        for job in plan.jobs
    ]
    errors = _engine(plan.jobs[0].launcher).train_jobs(tracked, store, say)
    if errors:
        raise errors[0]


def check_to_search(config: Config) -> None:
    """Check that a search can use the launcher of its configuration.

    Raises:
        UserError: If it cannot, or the launcher is not there.
    """
    if config.launcher is Launcher.local:
        return
    if config.launcher is Launcher.slurm and config.workers is None:
        raise UserError(
            "launcher=slurm needs workers in a search: so many Slurm jobs stay until it ends; give e.g. workers=4"
        )
    _engine(config.launcher).check(config)


@contextmanager
def open_asked(
    config: Config, tasks: int, work: str, store: "Store", series: "Mapping[str, Series]"
) -> Iterator[Asked]:
    """Open what does tasks: the workers of launcher=, or this process.

    Args:
        config: The largest of what is trained, with the keys of the launcher.
        tasks: That are asked at the same time, at most.
        work: The module that says what is done, see `pipeline.launching.worker`.
        store: Where runs are recorded.
        series: What has been read, by `name_dataset`.
    """
    if config.launcher is Launcher.local:
        with import_module(work).open_work(dict(series)) as answer:
            yield Here(answer)
        return
    with _engine(config.launcher).open_workers(config, tasks, work, store, say, series) as workers:
        yield workers


def _engine(launcher: Launcher) -> Engine:
    return cast(Engine, import_module(ENGINES[launcher]))
