"""Put a finished run to work: on tables of raw rows, and beyond the end of its own data."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.api.records import Run
from pipeline.base.errors import UserError
from pipeline.base.record import RunRecord
from pipeline.base.terminal import say
from pipeline.base.text import show_number
from pipeline.config.schema import TrackingConfig
from pipeline.serving.frames import FrameForecaster

if TYPE_CHECKING:
    from pipeline.serving.model import ServedModel
    from pipeline.serving.writer import Writer
    from pipeline.tracking.store import Store


def load(run: Run | RunRecord | str) -> FrameForecaster:
    """Load the best seed of a run, with its transforms and its scaler: it needs nothing of what it was trained on.

    Args:
        run: A run, its id, `best`, `latest` or `champion`.

    Returns:
        What answers `predict(frame)`, raw rows, with forecasts in the data's own units, their intervals (`low_95`,
        `high_95`, ...) and of a head with quantiles these (`quantile_0.05`, ...).

    Raises:
        UserError: If there is no such run, or its files are damaged.

    Example:
        >>> load("best").predict(frame)  # doctest: +SKIP
    """
    from pipeline.serving.packed import MORE_PACKED, PACKED, unpack_model
    from pipeline.tracking.past import fetch_files

    store, run_id = _find(run)
    with tempfile.TemporaryDirectory() as folder:
        fetch_files(store, run_id, PACKED, Path(folder), MORE_PACKED)
        return FrameForecaster(unpack_model(Path(folder)))


def forecast(
    run: Run | RunRecord | str,
    steps: int = 24,
    data: pd.DataFrame | None = None,
    future: pd.DataFrame | Path | str | None = None,
) -> pd.DataFrame:
    """Forecast beyond the end of a run's data, and its last rows as if they were not known.

    Args:
        run: A run, its id, `best`, `latest` or `champion`.
        steps: Time steps of both.
        data: The table that the run was trained on, if it was one; a run of this session still has it.
        future: What is known ahead: a table, or a file, of the rows after the end, with the columns of dataset.future.
            None: the rows of the run's own data whose targets are empty.

    Returns:
        What `python -m pipeline.forecast` writes: one row per series, target, part (backtest, future) and timestamp, in
        the data's own units, with the columns `actual`, `free_run`, `one_step_ahead`.

    Raises:
        UserError: If the run cannot be served, its data have changed or are too short, or a table is missing.
    """
    from pipeline.serving.free_run import forecast_steps

    if steps < 1:
        raise UserError(f"steps must be at least 1, but got steps={steps}")
    table = run.data if data is None and isinstance(run, Run) else data
    given = Path(future) if isinstance(future, str) else future
    return forecast_steps(_open(*_find(run), table, future=given), steps)


def open_model(
    chosen: str,
    tracking: TrackingConfig,
    seed: int | None = None,
    of_text: bool | None = None,
    future: Path | None = None,
) -> "ServedModel":
    """Find a run and load a seed of it together with its data; which run is the best or the latest is told.

    Args:
        chosen: The id of a run, `best`, `latest` or `champion`.
        tracking: Where it is recorded.
        seed: The number of the seed; None: the best by validation.
        of_text: Only runs that were trained on a text, or on a series; None: on either.
        future: A file of what is known ahead of the rows after its data.

    Raises:
        UserError: If there is no such run or seed, or it cannot be served.
    """
    model = _open(*find_run(chosen, tracking, of_text), None, seed, future)
    if model.scored is not None:
        say(
            f"its seed {model.seed} was trained again on all {len(model.data.series)} rows: that network forecasts; "
            "scores, intervals and alarms are those of the training before, from which the newest rows were held out"
        )
    return model


def open_writer(chosen: str, tracking: TrackingConfig, seed: int | None = None) -> "Writer":
    """Find a run of a text and load a seed of it; for the arguments see `open_model`.

    Raises:
        UserError: If there is no such run or seed, or it cannot write.
    """
    from pipeline.serving.writer import FILES, load_writer
    from pipeline.tracking.past import fetch_files

    store, run_id = find_run(chosen, tracking, of_text=True)
    with tempfile.TemporaryDirectory() as folder:
        fetch_files(store, run_id, FILES, Path(folder))
        return load_writer(Path(folder), seed)


def _open(
    store: "Store",
    run_id: str,
    table: pd.DataFrame | None,
    seed: int | None = None,
    future: pd.DataFrame | Path | None = None,
) -> "ServedModel":
    from pipeline.serving.model import FILES, MORE_FILES, load_model
    from pipeline.tracking.past import fetch_files

    with tempfile.TemporaryDirectory() as folder:
        tags = fetch_files(store, run_id, FILES, Path(folder), MORE_FILES)
        return load_model(Path(folder), tags, store.folder, table, seed, future)


def _find(run: Run | RunRecord | str) -> tuple["Store", str]:
    """Return where a run of a series is recorded, and its id."""
    from pipeline.tracking.past import choose_run

    if isinstance(run, Run):
        choose_run(run.store, run.run_id, of_text=False)
        return run.store, run.run_id
    return find_run(run.run_id if isinstance(run, RunRecord) else run, TrackingConfig(), of_text=False)


def find_run(
    chosen: str, tracking: TrackingConfig, of_text: bool | None = None, told: bool = True
) -> tuple["Store", str]:
    """Return where a run is recorded, and its id; which run is the best or the latest is told.

    Args:
        chosen: The id of a run, `best`, `latest` or `champion`.
        tracking: Where it is recorded.
        of_text: Only runs that were trained on a text, or on a series; None: on either.
        told: Whether it is told which run that is.

    Raises:
        UserError: If there is no such run.
    """
    from pipeline.tracking.past import BEST, CHAMPION, LATEST, choose_run
    from pipeline.tracking.store import find_store

    sought = chosen in (BEST, LATEST, CHAMPION)
    store = find_store(tracking, tracking.experiment_name if sought else None)
    record = choose_run(store, chosen, of_text)
    if sought and told:
        say(f"run {record.run_id}: {record.judged} {show_number(record.score('validation'))}")
    return store, record.run_id
