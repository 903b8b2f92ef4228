"""Compare configurations: the best by validation with every other one and with the baselines, and along each axis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from pipeline.comparison.axes import take_steps
from pipeline.comparison.configurations import Configuration
from pipeline.comparison.intervals import bootstrap_differences, bootstrap_means
from pipeline.comparison.pooling import Cell
from pipeline.comparison.significance import (
    compare_seeds,
    compare_with_value,
    correct_holm,
    diebold_mariano,
)

Array = np.ndarray
LEVEL = 0.05  # of the tests, after Holm's correction


class Kind(Enum):
    """What is compared with what."""

    best = "best"  # a configuration with the best by validation
    axis = "axis"  # a level of an axis with the level before it
    baseline = "baseline"  # the best by validation with a forecast that needs no network


@dataclass(frozen=True)
class Rival:
    """A baseline at its strongest: the linear fit is another one for every look_back.

    Attributes:
        name: Of the baseline.
        parameters: Of the configuration whose baseline it is; empty if it is the same for all.
        rmse: Test score, as that of a configuration.
        losses: Loss at every test timestamp. Shape (time,).
        look_back: What its configuration looks back on.
    """

    name: str
    parameters: Mapping[str, str]
    rmse: float
    losses: Array
    look_back: int


@dataclass(frozen=True)
class Comparison:
    """One paired comparison on identical timestamps: the first minus the second.

    Attributes:
        kind: What is compared with what.
        first: Its parameters.
        second: The parameters of the other one; for a baseline {"baseline": NAME} and, where it depends on them, its
            parameters.
        first_rmse: Mean test RMSE over seeds, in the data's own units; with several targets the RMSSE.
        second_rmse: The same of the other one.
        low: Lower end of the 95 % bootstrap interval over seeds of their difference; NaN where a side has one seed.
        high: Upper end.
        p_seeds: Of a t test over the seeds (Welch's; paired by seed along an axis); NaN where a side has one seed.
        statistic: Diebold-Mariano, corrected for few timestamps; below 0 when the first has the smaller loss.
        p: Two-sided.
        p_holm: Corrected for all comparisons that are shown together.
        matched: Pairs of cells that an axis' difference is averaged over; 1 otherwise.
    """

    kind: Kind
    first: Mapping[str, str]
    second: Mapping[str, str]
    first_rmse: float
    second_rmse: float
    low: float
    high: float
    p_seeds: float
    statistic: float
    p: float
    p_holm: float = float("nan")
    matched: int = 1

    @property
    def difference(self) -> float:
        """Test RMSE of the first minus that of the second: below 0, the first is better."""
        return self.first_rmse - self.second_rmse

    @property
    def significant(self) -> bool:
        """Whether the timestamps tell the two apart, and in the direction of the mean scores."""
        return self.p_holm < LEVEL and np.sign(self.statistic) == np.sign(self.difference)

    @property
    def evidence(self) -> bool:
        """Whether the timestamps tell the two apart, and the seeds do as well."""
        return self.significant and self.p_seeds < LEVEL


def compare_all(
    configurations: Sequence[Configuration],
    cells: Sequence[Cell],
    axes: Sequence[str],
    rivals: Sequence[Rival],
    horizon: int,
) -> list[Comparison]:
    """Make every comparison and correct their p values together.

    Args:
        configurations: The lowest validation RMSE first.
        cells: Every single configuration.
        axes: Keys whose main effect is wanted.
        rivals: The baselines, each at its strongest.
        horizon: Largest step ahead.
    """
    found = [
        *_with_best(configurations, horizon),
        *(each for axis in axes for each in _along_axis(cells, axis, horizon)),
        *_with_baselines(configurations[0], rivals, horizon),
    ]
    # With one axis, a step to or from the best is the same test under two names; it counts once.
    tests, places = np.unique([abs(each.statistic) for each in found], return_inverse=True)
    p = np.array([each.p for each in found])
    corrected = correct_holm([p[places == number][0] for number in range(len(tests))])
    return [replace(each, p_holm=float(corrected[place])) for each, place in zip(found, places, strict=True)]


def _with_best(configurations: Sequence[Configuration], horizon: int) -> list[Comparison]:
    best, others = configurations[0], configurations[1:]
    if not others:
        return []
    tests = diebold_mariano(np.stack([other.losses - best.losses for other in others]), horizon)
    sides = [other.scores for other in others], [best.scores] * len(others)
    ends, p_seeds = bootstrap_differences(*sides), compare_seeds(*sides)
    return [
        Comparison(
            kind=Kind.best,
            first=other.parameters,
            second=best.parameters,
            first_rmse=other.test_rmse.mean,
            second_rmse=best.test_rmse.mean,
            low=float(ends[number, 0]),
            high=float(ends[number, 1]),
            p_seeds=float(p_seeds[number]),
            statistic=float(tests.statistic[number]),
            p=float(tests.p[number]),
        )
        for number, other in enumerate(others)
    ]


def _along_axis(cells: Sequence[Cell], axis: str, horizon: int) -> list[Comparison]:
    steps = take_steps(cells, axis)
    if not steps:
        return []
    tests = diebold_mariano(np.stack([step.losses for step in steps]), horizon)
    ends = bootstrap_means([step.per_seed for step in steps])
    return [
        Comparison(
            kind=Kind.axis,
            first={axis: step.after},
            second={axis: step.before},
            first_rmse=step.before_rmse + step.difference,
            second_rmse=step.before_rmse,
            low=float(ends[number, 0]),
            high=float(ends[number, 1]),
            p_seeds=compare_with_value(step.per_seed, 0.0),
            statistic=float(tests.statistic[number]),
            p=float(tests.p[number]),
            matched=step.matched,
        )
        for number, step in enumerate(steps)
    ]


def _with_baselines(best: Configuration, rivals: Sequence[Rival], horizon: int) -> list[Comparison]:
    if not rivals:
        return []
    tests = diebold_mariano(np.stack([best.losses - rival.losses for rival in rivals]), horizon)
    return [
        Comparison(
            kind=Kind.baseline,
            first=best.parameters,
            second={"baseline": rival.name, **rival.parameters},
            first_rmse=best.test_rmse.mean,
            second_rmse=rival.rmse,
            low=best.test_rmse.low - rival.rmse,
            high=best.test_rmse.high - rival.rmse,
            p_seeds=compare_with_value(best.scores, rival.rmse),
            statistic=float(tests.statistic[number]),
            p=float(tests.p[number]),
        )
        for number, rival in enumerate(rivals)
    ]
