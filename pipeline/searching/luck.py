"""How good the best of many would look by luck alone: what choosing by a noisy score adds to it."""

import math
from collections.abc import Sequence

import numpy as np

_SAMPLES = 20_001  # of the integral


def expect_best(folds: Sequence[Sequence[float]], num_trials: int) -> float:
    """Return the score that the best of some trials would be expected to have if all were equally good.

    What the logarithms of a trial's folds say beyond its own mean and the mean of the fold is noise. A trial is chosen
    by the root of the mean square over its folds, in which a fold weighs as much as the square of its level: the noise
    of the folds, so weighted, is the standard error of its logarithm. All trials then have the median score, and the
    lowest of `num_trials` normal numbers lies so many standard errors below it.

    Args:
        folds: Score of each complete trial on each fold, above 0. Shape (trials, folds).
        num_trials: How many trials the best one was chosen from, pruned ones as well.

    Returns:
        NaN with fewer than three trials or two folds.

    Example:
        >>> round(expect_best([[10, 11], [11, 10], [10.5, 10.5]], num_trials=50), 1)
        9.4
    """
    scores = np.asarray(folds, dtype=float)
    if scores.ndim != 2 or len(scores) < 3 or scores.shape[1] < 2 or not (scores > 0).all():
        return math.nan
    logs = np.log(scores)
    noise = logs - logs.mean(1, keepdims=True) - logs.mean(0) + logs.mean()
    trials, num_folds = logs.shape
    variance = float((noise**2).sum()) / ((trials - 1) * (num_folds - 1))
    weights = np.exp(2 * logs.mean(0))  # (folds,)
    error = math.sqrt(variance * float((weights**2).sum())) / float(weights.sum())
    median = float(np.median(np.sqrt((scores**2).mean(1))))
    return median * math.exp(-error * expect_largest(num_trials))


def expect_largest(count: int) -> float:
    """Return the expected largest of so many standard normal numbers.

    Example:
        >>> [round(expect_largest(count), 3) for count in (1, 2, 100)]
        [0.0, 0.564, 2.508]
    """
    from scipy.stats import norm

    at = np.linspace(-10, 10, _SAMPLES)
    density = count * norm.pdf(at) * norm.cdf(at) ** (count - 1)
    return float(np.trapezoid(at * density, at))
