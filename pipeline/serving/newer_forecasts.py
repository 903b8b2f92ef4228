"""Forecasts for the rows that arrived since a run ended: one row after another, as they would have been served."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.data.arrays import FloatArray, IntArray
from pipeline.evaluation.alignment import align_forecasts
from pipeline.evaluation.intervals import Bounds
from pipeline.serving.lane_bounds import warm_bounds
from pipeline.serving.lanes import answer_last, warm_lanes
from pipeline.serving.model import ServedModel
from pipeline.serving.newer import Newer


class Joined:
    """Where the rows of each lane stand when the history of each is followed by its new rows.

    Attributes:
        starts: First new row of each lane. Shape (lanes,).
        ends: Row after its last one. Shape (lanes,).
    """

    def __init__(self, model: ServedModel, newer: Newer) -> None:
        self._histories, self._news = model.data.series.slices(), newer.slices
        lengths = np.array([rows.stop - rows.start for rows in self._histories])
        news = np.array([rows.stop - rows.start for rows in self._news])
        self.ends: IntArray = np.cumsum(lengths + news)
        self.starts: IntArray = self.ends - news

    def slices(self) -> list[slice]:
        """Return all rows of each lane."""
        ends = self.ends.tolist()
        return [slice(first, end) for first, end in zip([0, *ends[:-1]], ends, strict=True)]

    def join(self, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Put the new rows of each lane behind its history."""
        pairs = zip(self._histories, self._news, strict=True)
        return np.concatenate([part for was, came in pairs for part in (old[was], new[came])])

    def join_times(self, old: pd.Index, new: pd.Index) -> pd.Index:
        """Do the same with timestamps."""
        pairs = zip(self._histories, self._news, strict=True)
        first, *others = [part for was, came in pairs for part in (old[was], new[came])]
        return first.append(others)


def forecast_newer(
    model: ServedModel, newer: Newer, joined: Joined, with_bounds: bool
) -> tuple[FloatArray, Bounds | None]:
    """Let one seed read the new rows of all lanes side by side, one after another.

    Args:
        model: The seed.
        newer: The rows, at least one.
        joined: Where they stand behind the history.
        with_bounds: Whether intervals are wanted, where the model has any; they learn from every row.

    Returns:
        Answers at the rows they are for, (time, horizon_steps, targets, *shape of an answer), those for the first rows
        made at the end of the history; and the intervals around them.
    """
    lanes, last = warm_lanes(model), answer_last(model)
    conformal = model.conformal if with_bounds else None
    bounds = None if conformal is None else warm_bounds(model, conformal, last)
    waiting = () if bounds is None else bounds.waiting()
    starts, ends = joined.starts, joined.ends
    firsts = np.array([rows.start for rows in newer.slices])
    origins = [starts - back for back in range(len(last), 0, -1)]
    stops, made, around = [ends] * len(last), list(last), []
    for step in range(int((ends - starts).max())):
        going = np.flatnonzero(ends - starts > step)
        values = newer.values[firsts[going] + step]
        origins.append(starts[going] + step)
        stops.append(ends[going])
        made.append(lanes.advance_answers(going, values))
        if bounds is not None:
            around.append(bounds.measure(going, values, made[-1]))

    def align(each: Sequence[FloatArray]) -> FloatArray:
        rows, ends = (np.concatenate(some[-len(each) :]) for some in (origins, stops))
        return align_forecasts(
            np.concatenate(each), rows, model.data.windows.spec.horizon_steps, int(joined.ends[-1]), ends
        )

    answers = align(made)
    if bounds is None or conformal is None:
        return answers, None
    middles, reach = (align(each) for each in zip(*around, strict=True))
    for ahead, (centres, radii) in enumerate(zip(*waiting, strict=True)):  # noted at the end of the history
        lane = np.flatnonzero(starts + ahead < ends)
        rows = starts[lane] + ahead
        middles[rows] = np.where(np.isfinite(middles[rows]), middles[rows], centres[lane])
        reach[rows] = np.where(np.isfinite(reach[rows]), reach[rows], radii[lane])
    reach = np.where(np.isfinite(middles)[..., None], reach, np.nan)
    return answers, Bounds(tuple(conformal.levels), middles, reach, conformal)
