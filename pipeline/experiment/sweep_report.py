"""The story of a sweep's report: group what is comparable, compare, read curves and forecasts, write, log."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.artifacts.errors_file import FALLBACK, NAME, read_test_errors
from pipeline.base.record import LoggedRun, Status
from pipeline.base.salvage import Salvage
from pipeline.comparison.groups import group_by_truth
from pipeline.comparison.runs import compare_runs
from pipeline.config.keys import varying_keys
from pipeline.models.heads.head import Head
from pipeline.models.heads.registry import head_of_run
from pipeline.report.figures.calibration import CURVES, Reliability, Shares
from pipeline.report.figures.sweep import MOST_CURVES, Forecast
from pipeline.report.page.sweep import Part, write_sweep_report
from pipeline.report.wording import describe_failed, name_row

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

FOLDER = "report"
_HISTORY, _CALIBRATION = "history.csv", "calibration.csv"
_LOW, _HIGH = "low_", "high_"
_TEXTS = ("lane", "timestamp", "target", "part")


def report_sweep(store: "Store", parent_run_id: str, salvage: Salvage) -> None:
    """Write the report of a sweep and log it, page and figures, on the parent run.

    Args:
        store: Where the sweep is.
        parent_run_id: The parent run.
        salvage: Keeps the page when one of its figures cannot be drawn.
    """
    from pipeline.comparison.document import describe_failure
    from pipeline.tracking.artifacts import log_folder
    from pipeline.tracking.past import find_sweep, sweep_runs

    runs = sweep_runs(store, parent_run_id, lambda _: None)  # the table before the report has told who is missing
    unfinished = [run for run in runs if run.record.status is not Status.finished]
    keys = varying_keys([run.record.params for run in runs])
    failed = [describe_failed(describe_failure(run.record, keys)) for run in unfinished]
    parts = read_parts(store, runs)
    with TemporaryDirectory() as folder:
        write_sweep_report(Path(folder), parts, find_sweep(store, parent_run_id).command, failed, salvage)
        log_folder(store, parent_run_id, Path(folder), FOLDER)


def read_parts(store: "Store", runs: Sequence[LoggedRun]) -> list[Part]:
    """Return what there is to show of the finished runs, a part for each group that can be compared."""
    finished = [run for run in runs if run.record.status is Status.finished]
    return [_read_part(store, group) for group in group_by_truth(store, finished)]


def _read_part(store: "Store", runs: Sequence[LoggedRun]) -> Part:
    from pipeline.tracking.artifacts import missing_files, run_folders

    document = compare_runs(store, runs)
    by_id = {run.record.run_id: run for run in runs}
    shown = document.configurations[:MOST_CURVES]
    newest = [by_id[each.runs[0]] for each in shown]
    with run_folders(store, newest, (_HISTORY,)) as folders:
        curves = {name_row(each): _read_losses(folder / _HISTORY) for each, folder in zip(shown, folders, strict=True)}
    with (
        run_folders(store, newest[:1], (NAME, FALLBACK)) as (errors,),
        run_folders(store, newest[:1], (FALLBACK,)) as (predictions,),
    ):
        head = head_of_run(newest[0].record.params)
        forecast = _read_forecast(errors, predictions / FALLBACK, name_row(shown[0]), document.dataset.unit, head)
    reliability = None
    if head.levels and not missing_files(store, newest[0], (_CALIBRATION,)):
        with run_folders(store, newest[:1], (_CALIBRATION,)) as (folder,):
            reliability = _read_reliability(folder / _CALIBRATION)
    return Part(document, curves, forecast, newest[0].sure, reliability)


def _read_losses(path: Path) -> np.ndarray:
    """Return the validation loss of every seed, NaN after it has stopped. Shape (seeds, epochs)."""
    table = pd.read_csv(path).pivot_table(index="seed", columns="epoch", values="val_loss")
    return table.to_numpy(dtype=float)


def _read_reliability(path: Path) -> Reliability:
    """Return what the quantiles of the network and of the linear fit are worth."""
    tables = dict(list(pd.read_csv(path).groupby("forecast")))
    levels = tables["network"]["level"].tolist()
    shares = {
        CURVES[name]: Shares(*(tables[name][column].to_numpy() for column in ("below", "below_low", "below_high")))
        for name in CURVES
    }
    return Reliability(levels, shares)


def _read_forecast(errors_folder: Path, predictions: Path, name: str, unit: str, head: Head) -> Forecast | None:
    """Read the first target and the furthest step ahead of the test part; of many lanes the first. A text has none."""
    numbers = [str(name) for name in pd.read_csv(predictions, nrows=0) if name not in _TEXTS]
    frame = pd.read_csv(
        predictions,
        dtype=dict.fromkeys(_TEXTS, str),
        keep_default_na=False,  # a lane may be called NA
        na_values=dict.fromkeys(numbers, ""),  # no value in the file; intervals of which too few errors are known
    )
    if "target" not in frame:
        return None
    target, ahead = frame["target"].iloc[0], frame["horizon"].max()
    frame = frame[(frame["part"] == "test") & (frame["target"] == target)]
    row = frame.groupby([*(["lane"] if "lane" in frame else []), "timestamp"], sort=False)["horizon"]
    scored = row.transform("size") == frame["horizon"].nunique()  # what waits for rows ahead ends before the others
    frame = frame[(frame["horizon"] == ahead) & scored]
    lane = frame["lane"].iloc[0] if "lane" in frame else None
    of_lane = np.full(len(frame), True) if lane is None else (frame["lane"] == lane).to_numpy()  # (rows,)
    frame = frame[of_lane]
    actual = frame["actual"].to_numpy(dtype=float)  # (time,)
    errors = read_test_errors(errors_folder)
    return Forecast(
        name=name,
        times=frame["timestamp"].tolist(),
        actual=actual,
        seeds=frame.filter(regex=r"^seed_\d+$").to_numpy(dtype=float).T,
        baselines={name: actual + head.points(each[of_lane])[:, -1, 0] for name, each in errors.baselines.items()},
        label=f"{'' if lane is None else f'{lane}: '}{target} [{unit}], {ahead} ahead",
        bands={
            low.removeprefix(_LOW): frame[[low, low.replace(_LOW, _HIGH)]].to_numpy(dtype=float).T
            for low in frame.filter(regex=rf"^{_LOW}\d")
        },
    )
