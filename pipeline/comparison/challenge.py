"""One run against another, on the values that both were scored on: is the challenger better than the champion?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.base.errors import UserError
from pipeline.base.record import LoggedRun, TestErrors
from pipeline.base.text import show_number

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

LEVEL = 0.05  # of both tests
_APART = "run"  # the key that keeps two runs of one configuration apart


@dataclass(frozen=True)
class Challenge:
    """What the test parts of two runs say.

    Attributes:
        score: Mean test score of the challenger over its seeds, in the data's own units.
        other: The same of the champion.
        label: What the score is called.
        span: What was scored, in words.
        statistic: Diebold-Mariano over the timestamps; below 0, the challenger has the smaller loss.
        p: Of that test, two-sided; NaN with too few timestamps.
        p_seeds: Of Welch's t test over the seeds; NaN where a side has one seed.
        is_lower: Whether the challenger's score is the better one.
    """

    score: float
    other: float
    label: str
    span: str
    statistic: float
    p: float
    p_seeds: float
    is_lower: bool

    @property
    def is_better(self) -> bool:
        """Whether the challenger is better, and timestamps and seeds both tell the two apart."""
        return self.is_lower and self.statistic < 0 and self.p < LEVEL and self.p_seeds < LEVEL

    def sentence(self) -> str:
        """Say what was compared, and what came out."""
        seeds = "one seed on a side, so nothing can be said over seeds"
        tests = f"p={self.p:.2g} over the timestamps, " + (
            seeds if math.isnan(self.p_seeds) else f"p={self.p_seeds:.2g} over the seeds"
        )
        return (
            f"test {self.label} {show_number(self.score)} against {show_number(self.other)} of the champion, on the "
            f"same {self.span}: {tests}"
        )


def challenge(store: "Store", challenger: LoggedRun, champion: LoggedRun) -> Challenge:
    """Compare two finished runs.

    Args:
        store: Where they are.
        challenger: The run that may be better.
        champion: The run that is there.

    Raises:
        UserError: If they were not scored on the same values, or the files of one are damaged.
    """
    from pipeline.artifacts.errors_file import FALLBACK, NAME
    from pipeline.comparison.errors_once import ErrorsOnce
    from pipeline.comparison.pooling import pool_seeds
    from pipeline.comparison.significance import compare_seeds, diebold_mariano
    from pipeline.tracking.artifacts import whole_folders

    runs = [_name_apart(run) for run in (challenger, champion)]
    errors = ErrorsOnce()
    with whole_folders(store, runs, (NAME, FALLBACK), errors.read, None) as folders:
        found = {run.record.run_id: errors.read(folders[run.record.run_id]) for run in runs}
        _check_same(runs, found)
        cells = pool_seeds(runs, lambda run: found[run.record.run_id], [_APART])
    by_run = {cell.parameters[_APART]: cell for cell in cells}
    mine, theirs = (by_run[run.record.run_id] for run in runs)
    measure, scored = challenger.record.measure, found[challenger.record.run_id]
    test = diebold_mariano(np.stack([mine.losses - theirs.losses]), scored.horizon)
    return Challenge(
        score=mine.mean_rmse,
        other=theirs.mean_rmse,
        label=measure.label,
        span=scored.span,
        statistic=float(test.statistic[0]),
        p=float(test.p[0]),
        p_seeds=float(compare_seeds([mine.test_rmse], [theirs.test_rmse])[0]),
        is_lower=measure.rank(mine.mean_rmse) < measure.rank(theirs.mean_rmse),
    )


def _name_apart(run: LoggedRun) -> LoggedRun:
    record = run.record
    return replace(run, record=replace(record, params={**record.params, _APART: record.run_id}))


def _check_same(runs: Sequence[LoggedRun], found: dict[str, TestErrors]) -> None:
    mine, theirs = (found[run.record.run_id] for run in runs)
    if mine.rows != theirs.rows:
        raise UserError(
            f"run {runs[0].record.run_id} was scored on {mine.span}, and the champion {runs[1].record.run_id} on "
            f"{theirs.span}: their scores do not compare; train both on the same data and test part"
        )
