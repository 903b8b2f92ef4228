"""What a run would have forecast for the rows that arrived since it ended, and how far that was from what came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artifacts.errors_file import measure_test_errors
from pipeline.base.errors import UserError
from pipeline.base.record import TestErrors
from pipeline.base.text import show_names
from pipeline.baselines.registry import BASELINES
from pipeline.baselines.task import Task
from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.data.series import plain_times
from pipeline.evaluation.alignment import take_truth
from pipeline.evaluation.intervals import Bounds, Coverage, measure_coverage
from pipeline.evaluation.scores import Truth, dress
from pipeline.models.heads.head import Head
from pipeline.models.heads.point import POINT
from pipeline.serving.model import ServedModel
from pipeline.serving.newer import Newer, read_newer
from pipeline.serving.newer_forecasts import Joined, forecast_newer

NAIVE = ("persistence", "seasonal")  # baselines that need no training part


@dataclass(frozen=True)
class Followed:
    """A run's history with the rows that arrived since, lane after lane.

    Attributes:
        seeds: Number of each seed.
        steps: Steps ahead of the forecasts.
        truth: What came; its part `test` is the rows that arrived since.
        timestamps: Of each row.
        lanes: Name of the lane of each row; "" of a single series. Shape (time,).
        answers: Of each seed, for the rows that arrived since. Shape (seeds, time, horizon_steps, targets, *shape of an
            answer).
        baselines: Points by name, each (time, horizon_steps, targets).
        bounds: Intervals of the seed that is served; None without any.
        notes: What a person should know of the reading.
    """

    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    truth: Truth
    timestamps: pd.Index
    lanes: np.ndarray
    answers: FloatArray
    baselines: Mapping[str, FloatArray]
    bounds: Bounds | None
    notes: tuple[str, ...] = ()

    @property
    def end(self) -> float:
        """When its data end, see `plain_times`."""
        return float(plain_times(self.timestamps)[~self.truth.parts["test"]].max())

    def rows_after(self, end: float) -> IntArray:
        """Return the rows after a time, lane after lane in the order of their names. Shape (rows,)."""
        later = np.flatnonzero(plain_times(self.timestamps) > end)
        return later[np.argsort(self.lanes[later], kind="stable")]


def follow_run(models: Sequence[ServedModel], served: int, given: Path | pd.DataFrame) -> Followed:
    """Let the seeds of a run forecast the rows that arrived since it ended, each as it would have been served.

    The forecasts are those of `stream` to the bit; those for the first rows were made at the end of the history.

    Args:
        models: Every seed of the run, with its data.
        served: Place of the one that is served, which may have intervals.
        given: A file or a table: rows as the run's dataset has them, from the row after its end at the latest.

    Raises:
        UserError: If the table cannot be read, holds no row after the end, or lacks rows before its first one.
    """
    model, newer = read_newer(models[served], given)
    data = model.data
    joined = Joined(model, newer)
    found = [
        forecast_newer(replace(each, data=data), newer, joined, with_bounds=place == served)
        for place, each in enumerate(models)
    ]
    truth = _join_truth(model, newer, joined)
    steps = tuple(data.windows.spec.horizon_steps)
    task = Task(truth.actual, steps, truth.slices, model.config.dataset.period)
    names = np.array(data.series.series_ids or ("",))
    return Followed(
        seeds=tuple(each.seed for each in models),
        steps=steps,
        truth=truth,
        timestamps=joined.join_times(data.series.timestamps, newer.timestamps),
        lanes=np.repeat(names, [rows.stop - rows.start for rows in joined.slices()]),
        answers=np.stack([answers for answers, _ in found]),
        baselines={name: BASELINES[name].forecast(task) for name in NAIVE},
        bounds=found[served][1],
        notes=newer.notes,
    )


def _join_truth(model: ServedModel, newer: Newer, joined: Joined) -> Truth:
    history, rows = take_truth(model.measured.data), len(newer.timestamps)
    is_new = joined.join(np.zeros(len(model.data.series), bool), np.ones(rows, bool))
    parts = {name: joined.join(part, np.zeros(rows, bool)) for name, part in history.parts.items()}
    return replace(
        history,
        actual=joined.join(history.actual, newer.actual),
        scorable=joined.join(history.scorable, newer.measured),
        parts=parts | {"test": is_new},
        slices=joined.slices(),
    )


def find_head(each: Sequence[Followed]) -> Head:
    """Return what some runs are compared by: their head, or points where theirs are not the same."""
    heads = {one.truth.head for one in each}
    return heads.pop() if len(heads) == 1 else POINT


def measure_followed(each: Sequence[Followed], end: float | None = None, head: Head | None = None) -> list[TestErrors]:
    """Return the errors of some runs on the same rows: those after the end of all their data that all have forecast.

    Args:
        each: The runs.
        end: Only rows after this time, too, see `plain_times`.
        head: What they are measured by: their own, or points; None: see `find_head`.

    Returns:
        For each run its errors, with `rows` equal for all; validation scores are NaN.

    Raises:
        UserError: If they have not the same targets, steps ahead, lanes, timestamps or values, or there is no such row.
    """
    _check_same(each)
    last = max([one.end for one in each] + ([] if end is None else [end]))
    rows = [one.rows_after(last) for one in each]
    _check_rows(each, rows)
    points = [one.truth.head.points(one.answers[:, some]) for one, some in zip(each, rows, strict=True)]
    known = np.all([np.isfinite(some).all(axis=0) for some in points], axis=0)  # (rows, horizon_steps, targets)
    if not known.any():
        raise UserError(
            "there is no row after the end of all the runs' data that each has a forecast for; give a file that has "
            "grown since: data=FILE"
        )
    chosen = find_head(each) if head is None else head
    return [_measure(one, some, known, chosen) for one, some in zip(each, rows, strict=True)]


def cover_followed(one: Followed, end: float) -> list[Coverage]:
    """Return what the intervals of a run are worth on the rows after a time; nothing where it has none."""
    if one.bounds is None:
        return []
    later = np.zeros(len(one.lanes), bool)
    later[one.rows_after(end)] = True
    return measure_coverage(replace(one.truth, parts={**one.truth.parts, "test": later}), one.timestamps, one.bounds)


def _check_same(each: Sequence[Followed]) -> None:
    first = each[0]
    for other in each[1:]:
        for what, mine, theirs in (
            ("targets", first.truth.targets, other.truth.targets),
            ("steps ahead", first.steps, other.steps),
            ("lanes", tuple(sorted({*first.lanes})), tuple(sorted({*other.lanes}))),
        ):
            if mine != theirs:
                shown = [show_names([str(one) for one in some]) for some in (mine, theirs)]
                raise UserError(
                    f"the two runs forecast other {what}: {shown[0]} and {shown[1]}; compare runs that forecast the "
                    "same"
                )


def _check_rows(each: Sequence[Followed], rows: Sequence[IntArray]) -> None:
    first, mine = each[0], rows[0]
    for other, theirs in zip(each[1:], rows[1:], strict=True):
        same = first.lanes[mine].tolist() == other.lanes[theirs].tolist()
        if not same or not first.timestamps[mine].equals(other.timestamps[theirs]):
            raise UserError(
                "the two runs read other timestamps of the same file: see dataset.time_zone, dataset.date_format and "
                "dataset.missing of both"
            )
        if not np.array_equal(_measured(first, mine), _measured(other, theirs), equal_nan=True):
            raise UserError("the two runs read other values of the same file: see dataset.decimal of both")


def _measured(one: Followed, rows: IntArray) -> FloatArray:
    return np.where(one.truth.scorable, one.truth.actual, np.nan)[rows]


def _measure(one: Followed, rows: IntArray, known: BoolArray, head: Head) -> TestErrors:
    """Measure errors on some rows, NaN where `known`, (rows, horizon_steps, targets), is False."""
    truth = replace(one.truth, head=head)
    found = measure_test_errors(
        one.timestamps,
        truth.targets,
        one.steps,
        rows,
        np.where(truth.scorable, truth.actual, np.nan),
        one.answers if head == one.truth.head else one.truth.head.points(one.answers),
        {name: dress(truth, points) for name, points in one.baselines.items()},
        one.seeds,
        [float("nan")] * len(one.seeds),
        truth.divisors,
        truth.head,
    )
    kept = truth.head.spread(np.where(known, 1.0, np.nan))
    baselines = {name: errors * kept for name, errors in found.baselines.items()}
    return replace(found, errors=found.errors * kept, baselines=baselines)
