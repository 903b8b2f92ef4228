"""95 % bootstrap intervals over seeds: of a mean, and of a difference between two means.

Percentile intervals from scipy.stats.bootstrap with a fixed random state: the same runs give the same numbers. With
few seeds they are too narrow: for normal scores they hold the true mean in about 80 % of cases with 4 seeds, 89 % with
8, 93 % with 16. One seed has none. Samples of one size are resampled in one call, with the same draws for all of them.
"""

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray
_RESAMPLES = 2000
_RANDOM_STATE = 0
_RESAMPLES_AT_ONCE = 200
_SAMPLES_AT_ONCE = 500  # of which all resampled means are held, 16 kB each


def bootstrap_means(samples: Sequence[Array]) -> Array:
    """Return the interval of the mean of each sample.

    Args:
        samples: Values of each sample, one per seed. Each (seeds,).

    Returns:
        Lower and upper end. Shape (samples, 2), NaN for a sample of one.
    """
    return _by_size([(sample,) for sample in samples], _mean)


def bootstrap_differences(left: Sequence[Array], right: Sequence[Array]) -> Array:
    """Return the interval of mean(left) - mean(right) of each pair of samples, resampled independently.

    Returns:
        Lower and upper end. Shape (pairs, 2), NaN where a sample has one value.
    """
    return _by_size(list(zip(left, right, strict=True)), _difference)


def _by_size(samples: Sequence[tuple[Array, ...]], statistic: Callable[..., Array]) -> Array:
    from scipy.stats import bootstrap  # imported late: --help must stay fast

    ends = np.full((len(samples), 2), np.nan)
    if not samples:
        return ends
    sizes = np.array([[len(each) for each in sample] for sample in samples], dtype=int)  # (samples, sides)
    for size in np.unique(sizes, axis=0):
        if size.min() < 2:
            continue
        every = np.flatnonzero((sizes == size).all(axis=1)).tolist()
        for first in range(0, len(every), _SAMPLES_AT_ONCE):
            alike = every[first : first + _SAMPLES_AT_ONCE]
            found = bootstrap(
                [np.stack([samples[number][side] for number in alike]) for side in range(len(size))],  # (alike, seeds)
                statistic,
                axis=-1,
                vectorized=True,
                n_resamples=_RESAMPLES,
                batch=_RESAMPLES_AT_ONCE,
                method="percentile",
                rng=np.random.default_rng(_RANDOM_STATE),  # the same draws for those that come later
            ).confidence_interval
            ends[alike] = np.column_stack([found.low, found.high])
    return ends


def _mean(sample: Array, axis: int) -> Array:
    return sample.mean(axis=axis)


def _difference(left: Array, right: Array, axis: int) -> Array:
    return left.mean(axis=axis) - right.mean(axis=axis)
