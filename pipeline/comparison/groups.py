"""Which runs may stand in one table: those that were scored on the same values, whatever they read to forecast them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.base.record import LoggedRun

if TYPE_CHECKING:
    from pipeline.tracking.store import Store


def group_by_truth(store: "Store", runs: Sequence[LoggedRun]) -> list[list[LoggedRun]]:
    """Group finished runs by the timestamps, targets, steps ahead and actual values that they were scored on."""
    from pipeline.artifacts.errors_file import FALLBACK, NAME, read_scored_rows
    from pipeline.tracking.artifacts import run_folders

    groups: dict[str, list[LoggedRun]] = {}
    unknown = [run for run in runs if not run.scored_rows]  # logged by an older version: the files tell
    with run_folders(store, unknown, (NAME, FALLBACK)) as folders:
        read = {run.record.run_id: read_scored_rows(folder)[0] for run, folder in zip(unknown, folders, strict=True)}
    for run in runs:
        groups.setdefault(run.scored_rows or read[run.record.run_id], []).append(run)
    return list(groups.values())
