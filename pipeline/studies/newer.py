"""Runs on rows that arrived since they ended: forecast with every seed that is kept, and scored on the same rows."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.artifacts.recipe_files import CONFIG_NAME
from pipeline.artifacts.weights import load_weights, name_weights
from pipeline.base.errors import UserError
from pipeline.base.paths import data_dir
from pipeline.config.schema import Config, Source
from pipeline.serving.follow import Followed, follow_run
from pipeline.serving.model import FILES, MORE_FILES, find_file, load_config, load_model, make_model

if TYPE_CHECKING:
    from pipeline.tracking.store import Store


def follow_since(
    store: "Store", run_id: str, given: Path | pd.DataFrame | None = None, table: pd.DataFrame | None = None
) -> Followed:
    """Let every seed of a run forecast the rows that arrived since it ended, as `stream` does, to the bit.

    `measure_followed` measures the errors of one run, or of several on the same rows.

    Args:
        store: Where the run is.
        run_id: The run, finished.
        given: A file or a table of rows; None: the run's own file, which has grown.
        table: What the run was trained on, if that was a table of Python.

    Raises:
        UserError: If the run cannot be served, or there is no such row.
    """
    from pipeline.tracking.past import fetch_files

    with TemporaryDirectory() as name:
        folder = Path(name)
        tags = fetch_files(store, run_id, FILES, folder, MORE_FILES)
        source = _find_own_file(load_config(folder / CONFIG_NAME), run_id, store.folder) if given is None else given
        served = load_model(folder, tags, store.folder, table)
        saved = load_weights(folder / name_weights(served.config.training.all_rows))
    seeds = [
        make_model(served.config, served.data, int(number), [array[place] for array in saved.arrays])
        for place, number in enumerate(saved.seeds)
    ]
    seeds[saved.best] = replace(served, seed=int(saved.seeds[saved.best]))
    return follow_run(seeds, saved.best, source)


def own_file(store: "Store", run_id: str) -> Path:
    """Return the file that a run was trained on, which may have grown.

    Raises:
        UserError: If it was trained on no file, or the file is gone.
    """
    from pipeline.tracking.past import fetch_files

    with TemporaryDirectory() as name:
        fetch_files(store, run_id, (CONFIG_NAME,), Path(name))
        return _find_own_file(load_config(Path(name) / CONFIG_NAME), run_id, store.folder)


def _find_own_file(config: Config, run_id: str, home: Path | None) -> Path:
    dataset = find_file(config.dataset, home)
    if dataset.path is None or dataset.source not in (Source.file, Source.packaged):
        raise UserError(
            f"run {run_id} was trained on dataset={dataset.name}, which is no file that grows; give the rows that "
            "arrived since: data=FILE"
        )
    return data_dir() / dataset.path if dataset.source is Source.packaged else Path(dataset.path).expanduser()
