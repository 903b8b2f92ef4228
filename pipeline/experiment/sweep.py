"""A sweep around its jobs: the parent run that opens before the first and closes after the last, and the report."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.base.errors import PipelineError
from pipeline.base.salvage import Salvage
from pipeline.base.terminal import say
from pipeline.config.schema import TrackingConfig

if TYPE_CHECKING:
    from pipeline.tracking.store import Store


def open_store_to_train(tracking: TrackingConfig) -> "Store":
    """Open the store, log what was kept for it, and close in it what a crash of another process left open."""
    from pipeline.tracking.past import kill_crashed
    from pipeline.tracking.spool import log_spool
    from pipeline.tracking.store import open_store

    store = open_store(tracking)
    log_spool(store, say)
    if crashed := kill_crashed(store):
        say(f"{crashed} run(s) that a crash left open are now marked KILLED")
    return store


def log_kept(store: "Store") -> str | None:
    """Log what was kept while the store did not answer, so that the runs of a command can be read.

    Returns:
        Why they cannot be read yet, and what to do then; None if they can.
    """
    from pipeline.tracking.spool import log_spool
    from pipeline.tracking.store import ask_store

    kept = log_spool(store, say)
    if kept is None and (reason := ask_store(store)) is not None:
        return f"the MLflow store {store.shown} does not answer: {reason}; when it does, repeat with resume=true"
    return kept


@dataclass
class Sweep:
    """A sweep that goes on.

    Attributes:
        parent: Its parent run.
        failure: Of the first job that failed, after the block; None if none did.
    """

    parent: str
    failure: PipelineError | None = None


@contextmanager
def open_sweep(store: "Store", words: Sequence[str], overrides: Sequence[str]) -> Iterator[Sweep]:
    """Open the parent run of a sweep, and close it as what happened: FINISHED, FAILED or KILLED.

    A failed job does not raise out of the block: `failure` holds it, because the other jobs were trained.

    Args:
        store: Where it is recorded.
        words: The command line that makes the same sweep.
        overrides: Those of them that are settings: they name the sweep.
    """
    from pipeline.tracking.live import open_parent
    from pipeline.tracking.parent import keep_parent

    name = " ".join(["sweep", *overrides])
    with keep_parent(store, "sweep", lambda: open_parent(store, name, words)) as parent:
        sweep = Sweep(parent.run_id)
        try:
            yield sweep
        except PipelineError as error:
            sweep.failure = error
        parent.has_failed = sweep.failure is not None


def log_report(store: "Store", parent: str) -> None:
    """Log the report of a sweep on its parent run; whatever goes wrong here, the runs are safe."""
    salvage = Salvage(say)
    with salvage.attempt("the report of the sweep"):
        from pipeline.experiment.sweep_report import FOLDER, report_sweep

        report_sweep(store, parent, salvage)
        say(f"report: {FOLDER}/report.html of run {parent} in MLflow")
    if salvage.lost:
        from pipeline.tracking.live import note_incomplete

        note_incomplete(store, parent, salvage.lost)
