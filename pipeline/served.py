"""Find a finished run where it was logged, and load its best seed."""

import sys
import tempfile
from pathlib import Path

from pipeline.config import TrackingConfig
from pipeline.serving.model import FILES, ServedModel, load_model
from pipeline.tracking.past import choose_run, fetch_files
from pipeline.tracking.store import open_store


def fetch_model(run: str, uri: str | None, experiment: str) -> ServedModel:
    """Find a run and load its best seed.

    Args:
        run: A run id, or `best`; which run that is is told on stderr.
        uri: The MLflow store; None: the default one.
        experiment: The MLflow experiment in which `best` is looked for.

    Raises:
        UserError: If there is no such run, or it cannot be served.
    """
    store = open_store(TrackingConfig(uri=uri, experiment_name=experiment))
    record = choose_run(store, run)
    if run == "best":
        error = f"validation RMSE {record.metrics['validation_rmse']:.4g}"
        print(f"run {record.run_id}: {error}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        tags = fetch_files(store, record.run_id, FILES, Path(folder))
        return load_model(Path(folder), tags)
