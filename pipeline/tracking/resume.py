"""One FINISHED run for each configuration: found again, or trained again where its files are damaged."""

import logging
from collections.abc import Callable, Iterator, Sequence

from pipeline.base.record import HASH_TAG, REASON_TAG, LoggedRun, RunRecord, Status
from pipeline.tracking.artifacts import missing_files
from pipeline.tracking.past import logged_run
from pipeline.tracking.store import Store, search_runs

log = logging.getLogger(__name__)


def find_finished(
    store: Store, config_hash: str, files: Sequence[str] = (), tell: Callable[[str], None] = log.warning
) -> RunRecord | None:
    """Return the newest FINISHED run of a configuration that is whole, or None.

    Args:
        store: Where it was logged.
        config_hash: Identifies the configuration and its data.
        files: Artifacts without which a run is not trusted.
        tell: Told of each run that is FINISHED but lacks one of them.
    """
    for run, lost in _newest_first(store, config_hash, files):
        if not lost:
            return run.record
        tell(f"run {run.record.run_id} is FINISHED, but its {' and '.join(lost)} cannot be read: it is not counted")
    return None


def fail_damaged(
    store: Store, config_hash: str, files: Sequence[str], whole: str, tell: Callable[[str], None] = log.warning
) -> None:
    """Mark every FINISHED run of a configuration that lacks a file as FAILED; nothing of it is deleted.

    The files are looked at once more: during a long training a disk may have come back.

    Args:
        store: Where the runs were logged.
        config_hash: Identifies the configuration and its data.
        files: Artifacts without which a run is not trusted.
        whole: Id of the run that stands for the configuration; if it lacks a file itself, it replaces none.
        tell: Told of each run that is marked.
    """
    damaged = {run.record.run_id: lost for run, lost in _newest_first(store, config_hash, files) if lost}
    if whole in damaged:
        return
    for run_id, lost in damaged.items():
        reason = f"{' and '.join(lost)} cannot be read; run {whole} replaced this run"
        store.client.set_tag(run_id, REASON_TAG, reason)
        store.client.update_run(run_id, Status.failed.value)  # unlike set_terminated it keeps the time of its end
        tell(f"run {run_id} is now marked FAILED: {reason}")


def _newest_first(store: Store, config_hash: str, files: Sequence[str]) -> Iterator[tuple[LoggedRun, list[str]]]:
    """Give each FINISHED run of a configuration with the files that it lacks."""
    found = search_runs(store, f"tags.{HASH_TAG} = '{config_hash}' and attributes.status = 'FINISHED'")
    for each in reversed(found):
        run = logged_run(each, resumed=True)
        yield run, missing_files(store, run, files)
