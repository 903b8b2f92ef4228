"""95 % bootstrap intervals over seeds: of a mean, and of a difference between two means.

Percentile intervals with a fixed random state, as scipy.stats.bootstrap has them: the same runs give the same numbers.
With few seeds they are too narrow: for normal scores they hold the true mean in about 80 % of cases with 4 seeds, 89 %
with 8, 93 % with 16. One seed has none. Samples of one size share their draws.
"""

from collections.abc import Callable, Sequence

import numpy as np

Array = np.ndarray
_RESAMPLES = 2000
_ENDS = (0.025, 0.975)
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
            sides = [np.stack([samples[number][side] for number in alike]) for side in range(len(size))]
            ends[alike] = _bootstrap(sides, statistic)
    return ends


def _bootstrap(sides: Sequence[Array], statistic: Callable[..., Array]) -> Array:
    """Return the ends of each sample. Each side (samples, seeds); shape (samples, 2).

    The draws of scipy.stats.bootstrap, whose import alone costs as much as logging a run.
    """
    random = np.random.default_rng(_RANDOM_STATE)  # the same draws for those that come later
    found = []
    for _ in range(0, _RESAMPLES, _RESAMPLES_AT_ONCE):
        drawn = [random.integers(0, side.shape[1], (_RESAMPLES_AT_ONCE, side.shape[1])) for side in sides]
        found.append(statistic(*(side[:, draw] for side, draw in zip(sides, drawn, strict=True))))
    return np.quantile(np.concatenate(found, axis=1), _ENDS, axis=1).T


def _mean(sample: Array) -> Array:
    return np.asarray(sample.mean(axis=-1))


def _difference(left: Array, right: Array) -> Array:
    return _mean(left) - _mean(right)
