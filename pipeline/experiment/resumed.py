"""With resume=true a job that has a FINISHED run is read back, not trained again."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.artifacts.errors_file import NAME as ERRORS_FILE
from pipeline.artifacts.weights import ALL_ROWS_NAME
from pipeline.artifacts.weights import FILE_NAME as WEIGHTS_FILE
from pipeline.base.record import RunRecord
from pipeline.base.salvage import Salvage
from pipeline.config.schema import Config, hash_config
from pipeline.data.auto_transforms import resolve_transforms
from pipeline.data.prepare import prepare_data

if TYPE_CHECKING:
    from pipeline.data.series import Series
    from pipeline.tracking.store import Store

ESSENTIAL_FILES = (ERRORS_FILE, "predictions.csv", WEIGHTS_FILE)  # a run that lacks one does not stand for a training


def essential_files(config: Config) -> tuple[str, ...]:
    """Return these, and what training.all_rows adds to them."""
    return (*ESSENTIAL_FILES, ALL_ROWS_NAME) if config.training.all_rows else ESSENTIAL_FILES


def find_resumed(
    config: Config, config_hash: str, label: str, store: "Store", tell: Callable[[str], None]
) -> RunRecord | None:
    """Return the FINISHED run that stands for a job, and note it on the sweep; None: the job must be trained.

    Args:
        config: Of the job, with what the data decided.
        config_hash: Its name.
        label: Names the job for people.
        store: Where runs are recorded.
        tell: Shows a sentence to the person who waits.
    """
    from pipeline.tracking.past import note_resumed
    from pipeline.tracking.resume import fail_damaged, find_finished

    files = essential_files(config)
    finished = find_finished(store, config_hash, files, tell)
    if finished is None:
        return None
    if config.tracking.parent_run_id is not None:
        note_resumed(store, config.tracking.parent_run_id, finished.run_id)
    with Salvage(lambda text: tell(f"{label}: {text}")).attempt("the mark of damaged runs"):
        fail_damaged(store, config_hash, files, finished.run_id, tell)
    return finished


def read_back(job: Config, series: "Series", label: str, store: "Store", tell: Callable[[str], None]) -> bool:
    """Return whether a finished run stands for a job, which need not be handed to a worker then; it is told."""
    config, _ = resolve_transforms(job, series)
    digest = prepare_data(config, series).series.digest()
    finished = find_resumed(config, hash_config(config, digest), label, store, tell)
    if finished is not None:
        tell(f"{label}: already trained, read back from run {finished.run_id}")
    return finished is not None
