"""How wrong free runs of the past were, and so how far the intervals around the next one reach.

A head with quantiles says itself how sure it is of each step: its sample paths, from the same rows of the past, have
outermost quantiles, and errors are counted in half-widths of the interval between them, as everywhere else (see
evaluation/conformal.py). So the intervals are wide where the paths spread, and right where these are too sure.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.data.arrays import FloatArray, IntArray
from pipeline.evaluation.conformal import split_radii
from pipeline.evaluation.intervals import find_middle
from pipeline.models.heads.quantile import QuantileHead
from pipeline.serving.feed_back import feed_back, read_before
from pipeline.serving.lanes import Lanes
from pipeline.serving.model import ServedModel
from pipeline.serving.sample_paths import draw_paths

_MOST_RUNS, _FEWEST_RUNS = 200, 20  # from rows of the past
_MOST_PLACES = 20_000  # that run side by side
_MOST_PATHS, _FEWEST_PATHS = 100, 20  # from each of these rows
_MOST_LANES_OF_PATHS = 250  # of a panel; with more, paths from so many rows would take minutes
_SEED = 1


@dataclass(frozen=True)
class FreeRunErrors:
    """What is known of the errors of free runs.

    Attributes:
        errors: Absolute; in half-widths of the paths, if they are. NaN where nothing counts. Shape (origins, steps,
            lanes, targets).
        due: The rows that were forecast, counted from the end: negative, 0 and more beyond it. Shape (origins, steps).
        of_paths: Whether the errors are in half-widths of the interval between the outermost quantiles of paths.
    """

    errors: FloatArray
    due: IntArray
    of_paths: bool

    def reach(self, before: int, levels: tuple[float, ...]) -> FloatArray:
        """Return how far intervals reach, by split conformal prediction.

        Args:
            before: Only errors of rows before this one count, counted from the end.
            levels: Shares that intervals should cover.

        Returns:
            In the unit of the errors; NaN where too few are known. Shape (steps, lanes, targets, levels).
        """
        known = (self.due < before)[:, :, None, None]
        return split_radii(np.moveaxis(np.where(known, self.errors, np.nan), 0, -1), levels)


def measure_free_run(model: ServedModel, steps: int) -> FreeRunErrors:
    """Run free from some rows of the validation and test parts, and measure the errors.

    Args:
        model: A served model that can run free.
        steps: Of each free run.
    """
    series, actual = model.data.series, model.data.series.actual()
    ends = np.array([rows.stop for rows in series.slices()])
    offsets = _choose_origins(model, steps)
    head = model.data.head
    of_paths = isinstance(head, QuantileHead) and len(ends) <= _MOST_LANES_OF_PATHS
    due = offsets[:, None] + np.arange(steps)  # rows from the end: (origins, steps)
    if not offsets.size:
        return FreeRunErrors(np.empty((0, steps, len(ends), len(series.targets))), due, of_paths)
    lanes, places = _read_often(model, ends, offsets)
    firsts, ahead = (offsets[:, None] + ends).ravel(), _list_known(model, ends, offsets, steps)
    if of_paths:
        samples = max(_FEWEST_PATHS, min(_MOST_PATHS, _MOST_PLACES // len(places)))
        answers = list_answers(model, draw_paths(model, lanes, places, firsts, ahead, samples, _SEED))
        runs, halves = find_middle(head, answers)  # each (steps, origins x lanes, targets)
    else:
        runs = feed_back(model, lanes, places, firsts, ahead)
        halves = np.ones_like(runs)
    by_origin = (steps, len(offsets), len(ends), -1)
    runs, halves = (np.moveaxis(each.reshape(by_origin), 0, 1) for each in (runs, halves))
    rows = np.where(due < 0, due, -1)[:, :, None] + ends  # (origins, steps, lanes)
    came = np.where((due < 0)[:, :, None, None] & series.scorable()[rows], actual[rows], np.nan)
    return FreeRunErrors(np.abs(runs - came) / halves, due, of_paths)


def list_answers(model: ServedModel, paths: FloatArray) -> FloatArray:
    """Return the quantiles of paths at the levels of the head.

    Args:
        model: With a head of quantiles.
        paths: Shape (samples, ...).

    Returns:
        Shape (..., levels).
    """
    head = model.data.head
    whole = head.rule is not None and head.rule.counts  # a quantile of counts is a count
    found = np.quantile(paths, head.levels, axis=0, method="inverted_cdf" if whole else "linear")
    return np.moveaxis(found, 0, -1)


def _choose_origins(model: ServedModel, steps: int) -> IntArray:
    """Return rows at which free runs of the past begin, counted from the end of each lane: negative, ascending."""
    series, lead = model.data.series, model.data.windows.spec.horizon_steps[0]
    judged = model.data.split.rows("validation") | model.data.split.rows("test")
    lost = model.data.transformed.lost + model.data.windows.spec.nearest_forecast + lead
    reach = min(
        min(int(judged[rows].sum()), rows.stop - rows.start - lost) for rows in series.slices()
    )  # rows from the end that every lane has
    if reach < 1:
        return np.empty(0, int)
    most = max(_FEWEST_RUNS, min(_MOST_RUNS, _MOST_PLACES // len(series.slices())))
    return np.unique(np.linspace(-reach, -1, min(reach, most)).astype(int))


def _read_often(model: ServedModel, ends: IntArray, offsets: IntArray) -> tuple[Lanes, IntArray]:
    """Read the history once, and open copies of the lanes for each origin; return their numbers: (origins x lanes,)."""
    lanes, every = read_before(model, ends + offsets[0]), np.arange(len(ends))
    lead, at, copies = model.data.windows.spec.horizon_steps[0], int(offsets[0]), []
    for origin in offsets.tolist():
        for back in range(at, origin):
            lanes.advance(every, model.data.rows[ends + back - lead])
        at = origin
        copies.append(lanes.branch(every))
    return lanes, np.concatenate(copies)


def _list_known(model: ServedModel, ends: IntArray, offsets: IntArray, steps: int) -> FloatArray:
    """Return what was known ahead of each origin's rows. Shape (steps, origins x lanes, columns)."""
    known = model.data.rows.shape[1] - len(model.data.series.transformable().T)
    firsts = (offsets[:, None] + ends).ravel()
    limits = np.tile(ends, len(offsets))
    ahead = np.full((steps, len(firsts), known), np.nan)
    if known:
        for step in range(steps):
            there = firsts + step < limits
            ahead[step, there] = model.data.rows[firsts[there] + step, -known:]
    return ahead
