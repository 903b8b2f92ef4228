"""What quantiles are worth: how many values lie below each one, against how many should.

Between two quantiles lies a bin of the histogram of the probability integral transform, PIT (Dawid, "Statistical
Theory: The Prequential Approach", 1984): with the levels 0.05, 0.25, 0.5 there should be 5 % of the values in the first
one, 20 % in the next, 25 % in the third, and half of them in the last. Whether they are is tested by Pearson's
chi-square, against draws of values that are: a few dozen timestamps are too few for its limiting distribution.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.base.text import show_number
from pipeline.evaluation.intervals import name_level, share_interval, show_percent
from pipeline.evaluation.metrics import errors
from pipeline.evaluation.scores import Truth

Array = np.ndarray
_DRAWS = 9_999  # of the test: the smallest p is 0.0001
_DOUBT = 0.05  # p below which the bins are not what they should be


@dataclass(frozen=True)
class Calibration:
    """What quantiles are worth on the scored rows of the test part.

    Attributes:
        levels: Of the quantiles, ascending.
        below: Share of the values that lie below each one. Those that lie on it, as counts do, count as far as they are
            needed there. Shape (levels,).
        timestamps: How many there were.
        p_value: Of the test that each bin of the PIT holds the share it should, as if timestamps did not depend on each
            other.
        wql: Weighted quantile loss: twice the pinball losses, mean over the levels, over the sizes of the values; of
            several targets the mean.
    """

    levels: tuple[float, ...]
    below: Array
    timestamps: int
    p_value: float
    wql: float

    def interval(self, share: float) -> tuple[float, float]:
        """Return the exact 95 % interval of a share, as if timestamps did not depend on each other."""
        return share_interval(share, self.timestamps)

    def centres(self) -> list[tuple[float, float]]:
        """Return the levels that stand as far from both ends, as the interval between them and the share it covers."""
        places = {round(level, 6): place for place, level in enumerate(self.levels)}
        pairs = [(place, places.get(round(1 - level, 6))) for level, place in places.items() if level < 0.5]
        return [
            (round(self.levels[high] - self.levels[low], 6), float(self.below[high] - self.below[low]))
            for low, high in pairs
            if high is not None
        ]


def measure_calibration(truth: Truth, timestamps: pd.Index, answers: Array) -> Calibration:
    """Measure quantiles on the scored rows of the test part.

    Args:
        truth: What really happened, and a head with quantiles.
        timestamps: Of every row; lanes share them. Shape (time,).
        answers: Shape (time, horizon_steps, targets, levels).
    """
    levels, scored = truth.head.levels, truth.scored("test")
    known = ~np.isnan(errors(truth.actual, truth.head.points(answers), scored))  # (time, horizon_steps, targets)
    actual = truth.actual[:, None, :, None]
    least, most = (each[known].mean(axis=0) for each in (actual < answers, actual <= answers))  # each (levels,)
    below, count = np.clip(levels, least, most), len(pd.unique(timestamps[np.flatnonzero(scored.any(axis=1))]))
    penalty = truth.head.penalty(truth.head.errors(answers, truth.actual[:, None]))
    size = np.abs(np.broadcast_to(truth.actual[:, None], known.shape))
    losses = [
        penalty[:, :, one][known[:, :, one]].sum() / total
        for one in range(known.shape[2])
        if (total := size[:, :, one][known[:, :, one]].sum()) > 0
    ]
    wql = float(np.mean(losses)) if losses else float("nan")
    return Calibration(levels, below, count, _test_bins(levels, below, count), wql)


def _test_bins(levels: tuple[float, ...], below: Array, count: int) -> float:
    expected = np.diff(levels, prepend=0.0, append=1.0)
    drawn = np.random.default_rng(0).multinomial(count, expected, _DRAWS) / count  # (draws, bins)
    found = np.diff(below, prepend=0.0, append=1.0)
    away, drawn_away = (((shares - expected) ** 2 / expected).sum(axis=-1) for shares in (found, drawn))
    return float((1 + np.sum(drawn_away >= away - 1e-12)) / (1 + _DRAWS))


def calibration_metrics(network: Calibration, baselines: Mapping[str, Calibration]) -> dict[str, float]:
    """Return what quantiles are worth, by MLflow name."""
    metrics = {"test_wql": network.wql, "pit_p_value": network.p_value}
    for level, share in network.centres():
        low, high = network.interval(share)
        name = f"quantile_coverage_{name_level(level)}"
        metrics |= {name: share, f"{name}_low": low, f"{name}_high": high}
    metrics |= {f"baseline_{name}_wql": each.wql for name, each in baselines.items()}
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def describe_calibration(found: Calibration) -> str:
    """Say in one sentence whether quantiles can be relied on.

    Returns:
        For example: the 90 % interval of the quantiles covers 81 % of the test part (74 to 87): too narrow; the
        quantiles are not what they should be (PIT, p=0.002): 3 % below 0.05, 50 % below 0.5, 84 % below 0.95.
    """
    told = f"the quantiles have the shares of the test part below them that they should (PIT, p={_show(found.p_value)})"
    if found.p_value < _DOUBT:
        shares = ", ".join(
            f"{show_percent(share)} % below {level:g}" for level, share in zip(found.levels, found.below, strict=True)
        )
        told = f"the quantiles are not what they should be (PIT, p={_show(found.p_value)}): {shares}"
    if not found.centres():
        return told
    level, share = found.centres()[0]
    low, high = found.interval(share)
    kind = "too narrow" if high < level else "too wide" if low > level else "as it should"
    covered = f"{show_percent(share)} % of the test part ({show_percent(low)} to {show_percent(high)})"
    mark = "," if kind == "as it should" else ":"
    return f"the {name_level(level)} % interval of the quantiles covers {covered}{mark} {kind}; {told}"


def _show(p_value: float) -> str:
    return show_number(p_value, 2) if p_value > 1 / (1 + _DRAWS) else f"{1 / (1 + _DRAWS):g} or less"
