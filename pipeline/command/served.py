"""A finished run that is put to work: the keys that choose it, and its best seed, found and loaded."""

import sys
import tempfile
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.base.text import show_number
from pipeline.command.arguments import option
from pipeline.config.schema import TrackingConfig

if TYPE_CHECKING:
    from pipeline.serving.model import ServedModel


@dataclass(frozen=True, kw_only=True)
class ServedRun:
    """The keys that choose a run; a command adds its own."""

    run: str = option(
        MISSING, "The run whose best seed forecasts: its id in MLflow, best, or latest.", shown="RUN_ID|best|latest"
    )
    uri: str | None = option(
        None, "Where runs are recorded; MLFLOW_TRACKING_URI wins.", name="tracking.uri", shown="URI"
    )
    experiment: str = option(
        TrackingConfig.experiment_name, "MLflow experiment of the runs.", name="tracking.experiment_name"
    )


def fetch_model(chosen: ServedRun) -> "ServedModel":
    """Find a run and load its best seed; which run is the best or the latest is told on stderr.

    Raises:
        UserError: If there is no such run, or it cannot be served.
    """
    from pipeline.serving.model import FILES, load_model
    from pipeline.tracking.past import BEST, LATEST, choose_run, fetch_files
    from pipeline.tracking.store import find_store

    sought = chosen.run in (BEST, LATEST)
    store = find_store(TrackingConfig(uri=chosen.uri), chosen.experiment if sought else None)
    record = choose_run(store, chosen.run)
    if sought:
        error = f"validation {record.measure.upper()} {show_number(record.score('validation'))}"
        print(f"run {record.run_id}: {error}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        tags = fetch_files(store, record.run_id, FILES, Path(folder))
        return load_model(Path(folder), tags, store.folder)
