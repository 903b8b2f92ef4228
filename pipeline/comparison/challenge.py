"""One run against another, on values that both were scored on: is the challenger better than the champion?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.base.errors import UserError
from pipeline.base.record import LoggedRun, Measure, TestErrors
from pipeline.base.text import show_number
from pipeline.comparison.significance import compare_seeds, diebold_mariano, loss_series
from pipeline.evaluation.metrics import score_errors
from pipeline.models.heads.head import Head
from pipeline.models.heads.registry import head_of_run

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

LEVEL = 0.05  # of both tests
CHALLENGER, CHAMPION = "challenger", "champion"
FEWEST = 10  # timestamps that arrived since, below which nothing is called evidence


@dataclass(frozen=True)
class Challenge:
    """What two runs say on the same rows: their test parts, or rows that arrived since both ended.

    Attributes:
        score: Mean score of the challenger over its seeds, in the data's own units.
        other: The same of the champion.
        label: What the score is called.
        span: What was scored, in words.
        statistic: Diebold-Mariano over the timestamps; below 0, the challenger has the smaller loss.
        p: Of that test, two-sided; NaN with too few timestamps.
        p_seeds: Of Welch's t test over the seeds; NaN where a side has one seed.
        is_lower: Whether the challenger's score is the better one.
        timestamps: How many were scored.
        arrived_since: Whether the rows are new to both runs: then no challenge before has looked at them, and one seed
            on a side is enough.
    """

    score: float
    other: float
    label: str
    span: str
    statistic: float
    p: float
    p_seeds: float
    is_lower: bool
    timestamps: int
    arrived_since: bool = False

    @property
    def is_better(self) -> bool:
        """Whether the challenger is better, and timestamps and seeds both tell the two apart."""
        return self.is_lower and self.is_evidence

    @property
    def is_evidence(self) -> bool:
        """Whether timestamps and seeds both tell the two apart, in the direction of the scores."""
        alone = self.arrived_since and math.isnan(self.p_seeds)
        sure = self.p < LEVEL and (alone or self.p_seeds < LEVEL)
        return sure and not self.has_too_few and (self.statistic < 0) == self.is_lower

    @property
    def has_too_few(self) -> bool:
        """Whether there are too few new timestamps for evidence, whatever they say."""
        return self.arrived_since and (self.timestamps < FEWEST or math.isnan(self.p))

    @property
    def verdict(self) -> str:
        """Who is better with evidence, challenger or champion; or why nobody is: undecided, too few."""
        if self.is_evidence:
            return CHALLENGER if self.is_lower else CHAMPION
        return "too few" if self.has_too_few else "undecided"

    def state_verdict(self) -> str:
        """Say of rows that arrived since who is better on them, by how much and on which evidence."""
        low, high = sorted((self.score, self.other))
        size = f" ({(high - low) / high * 100:.0f} % lower)" if high > 0 else ""
        leader, other = (CHALLENGER, CHAMPION) if self.is_lower else (CHAMPION, CHALLENGER)
        scores = f"{self.label} {show_number(low)} against {show_number(high)} of the {other}{size}"
        if self.verdict == "too few":
            return (
                f"Too few rows arrived since for a verdict: {self.timestamps} timestamp(s), and at least {FEWEST} are "
                f"needed. So far the {leader} has {scores}"
            )
        if self.verdict == "undecided":
            return f"Not distinguishable on the rows that arrived since: the {leader} has {scores}; {self.say_tests()}"
        return f"Evidence that the {leader} is better on the rows that arrived since: {scores}; {self.say_tests()}"

    def sentence(self) -> str:
        """Say what was compared, and what came out."""
        part, rows = "test ", f"the same {self.span}"
        if self.arrived_since:
            part, rows = "", f"rows that arrived since, {self.span}"
        return (
            f"{part}{self.label} {show_number(self.score)} against {show_number(self.other)} of the champion, on "
            f"{rows}: {self.say_tests()}"
        )

    def say_tests(self) -> str:
        """Say both p values, or why there is none."""
        seeds = "one seed on a side, so nothing can be said over seeds"
        few = f"; fewer than {FEWEST} timestamps are too few for evidence" if self.has_too_few else ""
        over_time = "no test" if math.isnan(self.p) else f"p={self.p:.2g}"
        return (
            f"{over_time} over the timestamps, "
            + (seeds if math.isnan(self.p_seeds) else f"p={self.p_seeds:.2g} over the seeds")
            + few
        )


def challenge(store: "Store", challenger: LoggedRun, champion: LoggedRun) -> Challenge:
    """Compare two finished runs by their test parts.

    Args:
        store: Where they are.
        challenger: The run that may be better.
        champion: The run that is there.

    Raises:
        UserError: If they were not scored on the same values, or the files of one are damaged.
    """
    from pipeline.artifacts.errors_file import FALLBACK, NAME
    from pipeline.comparison.errors_once import ErrorsOnce
    from pipeline.tracking.artifacts import whole_folders

    runs, errors = [challenger, champion], ErrorsOnce()
    with whole_folders(store, runs, (NAME, FALLBACK), errors.read, None) as folders:
        mine, theirs = (errors.read(folders[run.record.run_id]) for run in runs)
    _check_same(runs, mine, theirs)
    return weigh(head_of_run(challenger.record.params), challenger.record.measure, mine, theirs)


def weigh(head: Head, measure: Measure, mine: TestErrors, theirs: TestErrors, arrived_since: bool = False) -> Challenge:
    """Compare the errors of two runs on the same rows.

    Args:
        head: Of both.
        measure: What they are judged by.
        mine: Errors of the challenger.
        theirs: Errors of the champion.
        arrived_since: Whether the rows arrived since both ended.
    """
    scores, others = (score_errors(head, each.errors, mine.scale) for each in (mine, theirs))
    typical = mine.scale * (float(scores.mean()) or 1.0)  # squares neither vanish nor overflow
    losses, other_losses = (loss_series(each.errors, each.times, typical, head) for each in (mine, theirs))
    test = diebold_mariano(np.stack([losses - other_losses]), mine.horizon)
    score, other = float(scores.mean()), float(others.mean())
    return Challenge(
        score=score,
        other=other,
        label=measure.label,
        span=mine.span,
        statistic=float(test.statistic[0]),
        p=float(test.p[0]),
        p_seeds=float(compare_seeds([scores], [others])[0]),
        is_lower=measure.rank(score) < measure.rank(other),
        timestamps=len(losses),
        arrived_since=arrived_since,
    )


def _check_same(runs: Sequence[LoggedRun], mine: TestErrors, theirs: TestErrors) -> None:
    if mine.rows != theirs.rows:
        raise UserError(
            f"run {runs[0].record.run_id} was scored on {mine.span}, and the champion {runs[1].record.run_id} on "
            f"{theirs.span}: their scores do not compare; train both on the same data and test part"
        )
