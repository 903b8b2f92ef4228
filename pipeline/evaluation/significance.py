"""Is a difference in accuracy more than chance over the test timestamps? Diebold-Mariano and Holm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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


def loss_series(errors: Array) -> Array:
    """Return the loss at every timestamp: the squared error, averaged over seeds, horizon steps and targets.

    Averaging over seeds makes it the expected loss of a configuration, not that of one lucky training.

    Args:
        errors: Forecast minus actual. Shape (seeds, time, horizon_steps, targets), NaN where nothing is scored.

    Returns:
        Shape (scored time,), in squared units of the data; timestamps at which nothing is scored are left out.
    """
    squared = errors.astype(float) ** 2
    scored = np.isfinite(squared).any(axis=(0, 2, 3))  # (time,)
    return np.asarray(np.nanmean(squared[:, scored], axis=(0, 2, 3)))


def diebold_mariano(differences: Array, horizon: int) -> DieboldMariano:
    """Test whether the mean of each series of loss differences is zero.

    The long-run variance has horizon - 1 autocovariances, because errors `horizon` steps ahead overlap that far; where
    it is not positive, none are used, as forecast::dm.test of R does. The statistic is corrected for few timestamps
    and compared with Student's t.

    Source: Diebold and Mariano, "Comparing predictive accuracy", 1995; Harvey, Leybourne and Newbold, "Testing the
    equality of prediction mean squared errors", 1997.

    Args:
        differences: Loss of the first minus loss of the second, on identical timestamps. Shape (pairs, time).
        horizon: Largest step ahead, at least 1.

    Returns:
        Statistic and p of each pair. Equal forecasts have statistic 0 and p 1.
    """
    from scipy.stats import t as student

    time = differences.shape[1]
    corrected = (time + 1 - 2 * horizon + horizon * (horizon - 1) / time) / time if time else 0.0
    if time < 2 or corrected <= 0:
        unknown = np.full(len(differences), np.nan)
        return DieboldMariano(unknown, unknown)
    mean = differences.mean(axis=1)
    error = np.sqrt(_long_run_variance(differences, horizon) / time)
    constant = error <= 1e-12 * np.abs(differences).max(axis=1, initial=0.0)  # no variance: equal, or apart for sure
    apart = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
    statistic = np.where(constant, apart, np.sqrt(corrected) * mean / np.where(constant, 1.0, error))
    return DieboldMariano(statistic, 2 * student.sf(np.abs(statistic), time - 1))


def _long_run_variance(differences: Array, horizon: int) -> Array:
    """Return the long-run variance of each series, with a rectangular window of horizon - 1 lags. Shape (pairs,)."""
    from statsmodels.tsa.stattools import acovf

    if horizon == 1:
        return np.asarray(differences.var(axis=1))
    lagged = np.stack([acovf(each, nlag=horizon - 1, fft=False) for each in differences])  # (pairs, horizon)
    total = lagged[:, 0] + 2 * lagged[:, 1:].sum(axis=1)
    return np.where(total > 0, total, lagged[:, 0])


def compare_seeds(left: Sequence[Array], right: Sequence[Array]) -> Array:
    """Test whether the mean scores of each pair differ over the seeds: Welch's t test, two-sided.

    With few seeds it is careful where a bootstrap interval is not: of two seeds that reaches from one to the other.

    Args:
        left: Scores of one side of each pair, one per seed. Each (seeds,).
        right: Of the other side.

    Returns:
        p of each pair, NaN where a side has one seed. Shape (pairs,).
    """
    from scipy.stats import ttest_ind_from_stats

    def facts(samples: Sequence[Array]) -> tuple[Array, Array, Array]:
        spread = [sample.std(ddof=1) if len(sample) > 1 else np.nan for sample in samples]
        return (
            np.array([sample.mean() for sample in samples]),
            np.array(spread),
            np.array([len(each) for each in samples]),
        )

    with np.errstate(invalid="ignore", divide="ignore"):  # seeds that all agree
        return np.asarray(ttest_ind_from_stats(*facts(left), *facts(right), equal_var=False).pvalue)


def compare_with_value(sample: Array, value: float) -> float:
    """Test whether the mean of a sample over seeds is a value: Student's t test, two-sided; NaN for one seed."""
    from scipy.stats import t as student

    if len(sample) < 2:
        return float("nan")
    distance, error = abs(float(sample.mean()) - value), float(sample.std(ddof=1)) / len(sample) ** 0.5
    if error <= 1e-12 * abs(float(sample.mean())):  # seeds that all agree
        return 1.0 if distance <= error else 0.0
    return float(2 * student.sf(distance / error, len(sample) - 1))


def correct_holm(p: Sequence[float]) -> Array:
    """Return p values corrected for how many there are, by Holm's method; NaN stays NaN and does not count.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    from statsmodels.stats.multitest import multipletests

    corrected = np.asarray(p, dtype=float).copy()
    known = np.isfinite(corrected)
    if known.any():
        corrected[known] = multipletests(corrected[known], method="holm")[1]
    return corrected
