"""Is a difference in accuracy more than chance over the test timestamps? Diebold-Mariano and Holm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.base.moments import standard_deviation
from pipeline.models.heads.head import Head
from pipeline.models.heads.point import POINT

Array = np.ndarray


@dataclass(frozen=True)
class DieboldMariano:
    """One test per pair of forecasts.

    Attributes:
        statistic: Below 0 when the first of the pair has the smaller loss. Shape (pairs,).
        p: Two-sided. Shape (pairs,), NaN where there are too few timestamps for the horizon.
    """

    statistic: Array
    p: Array


def loss_series(errors: Array, times: Array, scale: Array | None = None, head: Head = POINT) -> Array:
    """Return one loss per timestamp: what its errors cost, averaged over everything that was forecast for it.

    That is seeds, lanes, horizon steps and targets. Averaging over seeds makes it the expected loss of a configuration,
    not that of one lucky training; averaging over lanes counts a day on which 400 stocks fell together once, not 400
    times.

    Args:
        errors: Answers minus what came. Shape (seeds, rows, horizon_steps, targets, *shape of an answer), NaN where
            nothing is scored.
        times: Number of the timestamp of each row, ascending with time. Shape (rows,).
        scale: What the errors of each target are divided by, so that units are not mixed. Shape (targets,).
        head: Says what an error costs; points cost its square.

    Returns:
        Shape (scored timestamps,), in time order; timestamps at which nothing is scored are left out.
    """
    scaled = errors.astype(float) if scale is None else errors.astype(float) / head.spread(scale)
    costs = head.penalty(scaled)  # (seeds, rows, horizon_steps, targets)
    known = np.isfinite(costs)
    row_sums = np.where(known, costs, 0.0).sum(axis=(0, 2, 3))  # (rows,)
    row_counts = known.sum(axis=(0, 2, 3))
    _, places = np.unique(times, return_inverse=True)
    sums, counts = np.bincount(places, row_sums), np.bincount(places, row_counts)  # (timestamps,)
    return np.asarray(sums[counts > 0] / counts[counts > 0])


def diebold_mariano(differences: Array, horizon: int) -> DieboldMariano:
    """Test whether the mean of each series of loss differences is zero.

    One step ahead, errors do not overlap: the statistic of Harvey, Leybourne and Newbold (HLN), compared with Student's
    t of time - 1 degrees of freedom. Several steps ahead they do, and HLN calls 7 to 14 % of equal forecasts different
    where there are few timestamps per step (their 5 % hold for long series). There the long-run variance is the mean
    of the squares of the first B cosine transforms, and the statistic is compared with t of B degrees of freedom; B is
    0.4 time^(2/3), but at most time / horizon, so that only waves longer than two horizons count.

    Source: Diebold and Mariano, "Comparing predictive accuracy", 1995; Harvey, Leybourne and Newbold, "Testing the
    equality of prediction mean squared errors", 1997; Coroneo and Iacone, "Comparing predictive accuracy in small
    samples using fixed-smoothing asymptotics", 2020; B: Lazarus, Lewis, Stock and Watson, "HAR inference:
    recommendations for practice", 2018.

    Args:
        differences: Loss of the first minus loss of the second, on identical timestamps. Shape (pairs, time).
        horizon: Largest step ahead, at least 1.

    Returns:
        Statistic and p of each pair. Equal forecasts have statistic 0 and p 1.
    """
    time = differences.shape[1]
    freedom = time - 1 if horizon == 1 else min(int(0.4 * time ** (2 / 3)), time // horizon)
    if freedom < (1 if horizon == 1 else 2):
        unknown = np.full(len(differences), np.nan)
        return DieboldMariano(unknown, unknown)
    largest = np.abs(differences).max(axis=1, initial=0.0)
    unit = differences / np.where(largest > 0, largest, 1.0)[:, None]  # squares of tiny differences would vanish
    mean = unit.mean(axis=1)
    # One step ahead, n - 1 in place of n is what HLN's correction comes to.
    variance = unit.var(axis=1, ddof=1) if horizon == 1 else _cosine_variance(unit, freedom)
    error = np.sqrt(variance / time)
    constant = error <= 1e-12  # no variance: equal, or apart for sure
    apart = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
    statistic = np.where(constant, apart, mean / np.where(constant, 1.0, error))
    return DieboldMariano(statistic, _two_sided(statistic, freedom))


def _cosine_variance(differences: Array, waves: int) -> Array:
    """Return the long-run variance of each series: mean square of its first cosine transforms. Shape (pairs,)."""
    time = differences.shape[1]
    angles = np.pi * np.outer(np.arange(1, waves + 1), np.arange(time) + 0.5) / time
    transforms = differences @ (np.sqrt(2 / time) * np.cos(angles)).T  # (pairs, waves); blind to the mean
    return np.asarray((transforms**2).mean(axis=1))


def compare_seeds(left: Sequence[Array], right: Sequence[Array]) -> Array:
    """Test whether the mean scores of each pair differ over the seeds: Welch's t test, two-sided.

    With few seeds it is careful where a bootstrap interval is not: of two seeds that reaches from one to the other.

    Args:
        left: Scores of one side of each pair, one per seed. Each (seeds,).
        right: Of the other side.

    Returns:
        p of each pair, NaN where a side has one seed. Shape (pairs,).
    """
    pairs = zip(left, right, strict=True)
    units = [max(np.abs(one).max(), np.abs(other).max()) or 1.0 for one, other in pairs]  # squares of 1e-200 would be 0

    def facts(samples: Sequence[Array]) -> tuple[Array, Array, Array]:
        """Means, their squared errors, and degrees of freedom."""
        scaled = [sample / unit for sample, unit in zip(samples, units, strict=True)]
        squares = [sample.var(ddof=1) / len(sample) if len(sample) > 1 else np.nan for sample in scaled]
        counts = np.array([len(sample) - 1 for sample in samples], dtype=float)
        return np.array([sample.mean() for sample in scaled]), np.array(squares), counts

    (mean, square, freedom), (other_mean, other_square, other_freedom) = facts(left), facts(right)
    with np.errstate(invalid="ignore", divide="ignore"):  # seeds that all agree
        statistic = (mean - other_mean) / np.sqrt(square + other_square)
        joint = (square + other_square) ** 2 / (square**2 / freedom + other_square**2 / other_freedom)
    return _two_sided(statistic, np.where(np.isnan(joint), 1.0, joint))


def compare_with_value(sample: Array, value: float) -> float:
    """Test whether the mean of a sample over seeds is a value: Student's t test, two-sided; NaN for one seed."""
    if len(sample) < 2:
        return float("nan")
    distance, error = abs(float(sample.mean()) - value), float(standard_deviation(sample, ddof=1)) / len(sample) ** 0.5
    if error <= 1e-12 * abs(float(sample.mean())):  # seeds that all agree
        return 1.0 if distance <= error else 0.0
    return float(_two_sided(np.asarray(distance / error), len(sample) - 1))


def _two_sided(statistic: Array, freedom: Array | float) -> Array:
    """Return how likely Student's t of so many degrees of freedom is as far from zero, on either side."""
    from scipy.special import stdtr  # imported late: --help must stay fast. scipy.stats costs five times as much

    return np.asarray(2 * stdtr(freedom, -np.abs(statistic)))


def correct_holm(p: Sequence[float]) -> Array:
    """Return p values corrected for how many there are, by Holm's method; NaN stays NaN and does not count.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    corrected = np.asarray(p, dtype=float).copy()
    known = np.flatnonzero(np.isfinite(corrected))
    order = known[np.argsort(corrected[known])]  # the most significant first
    still = np.arange(len(order), 0, -1)  # hypotheses that are not rejected before it
    corrected[order] = np.minimum(np.maximum.accumulate(still * corrected[order]), 1.0)
    return corrected
