"""Series that are computed: a sine, and three tasks whose answer is known and can be found only with memory.

Each function returns the same values at every call: one row per step, the column `step` first.
"""

import numpy as np
import pandas as pd

from pipeline.config.schema import DatasetConfig, Source

_SHOPS = 8


def compute_table(dataset: DatasetConfig) -> pd.DataFrame:
    """Compute the table that `dataset.source` names."""
    compute = {
        Source.sine: sine,
        Source.delayed_copy: delayed_copy,
        Source.adding: adding,
        Source.seasonal_phase: seasonal_phase,
        Source.shops: shops,
    }[dataset.source]
    return compute(dataset)


def sine(dataset: DatasetConfig) -> pd.DataFrame:
    """One wave per `period` steps, amplitude 1, plus normal noise."""
    steps = np.arange(dataset.length)
    noise = np.random.default_rng(0).normal(0.0, dataset.noise, dataset.length) if dataset.noise > 0 else 0.0
    return pd.DataFrame({"step": steps, "value": np.sin(2 * np.pi * steps / dataset.period) + noise})


def delayed_copy(dataset: DatasetConfig) -> pd.DataFrame:
    """`copy` repeats the random `signal` of `delay` steps ago: a window of fewer steps cannot know it."""
    signal = np.random.default_rng(0).uniform(-1, 1, dataset.length + dataset.delay)
    return _table(signal=signal[dataset.delay :], copy=signal[: dataset.length])


def adding(dataset: DatasetConfig) -> pd.DataFrame:
    """`total` is the sum of the two last marked values: one of every `delay` random values is marked.

    Source: the adding problem of Hochreiter and Schmidhuber, "Long short-term memory", 1997, as an endless series.
    """
    random = np.random.default_rng(0)
    blocks = -(-dataset.length // dataset.delay) + 2  # two blocks before the first row that is kept
    value = random.uniform(0, 1, blocks * dataset.delay)
    marked = np.arange(blocks) * dataset.delay + random.integers(0, dataset.delay, blocks)
    marker = np.zeros(len(value))
    marker[marked] = 1
    latest = np.searchsorted(marked, np.arange(len(value))) - 1  # the last mark before each row
    total = value[marked[latest]] + value[marked[latest - 1]]
    kept = slice(2 * dataset.delay, 2 * dataset.delay + dataset.length)
    return _table(value=value[kept], marker=marker[kept], total=total[kept])


def seasonal_phase(dataset: DatasetConfig) -> pd.DataFrame:
    """`season` is one wave per `period`; all that is seen of it is a `pulse` where each wave begins."""
    steps = np.arange(dataset.length)
    return _table(pulse=(steps % dataset.period == 0).astype(float), season=np.sin(2 * np.pi * steps / dataset.period))


def shops(dataset: DatasetConfig) -> pd.DataFrame:
    """Eight shops: `sales` are twice the `size` of a shop, plus 4 on days of `promotion`, which come at random.

    A promotion is over when the next day begins, so only who knows it ahead can forecast; and `footfall`, all that is
    seen of the past, does not say how large a shop is.
    """
    random, steps = np.random.default_rng(0), -(-dataset.length // _SHOPS)
    each = []
    for number in range(_SHOPS):
        promotion = (random.uniform(size=steps) < 0.3).astype(float)
        noise = random.normal(0.0, dataset.noise, steps) if dataset.noise > 0 else 0.0
        size, footfall = 1.0 + number, random.normal(size=steps)
        sales = 2 * size + 4 * promotion + np.append(0.0, footfall[:-1]) + noise
        shop = _table(footfall=footfall, promotion=promotion, size=np.full(steps, size), sales=sales)
        each.append(shop.assign(shop=f"shop {number + 1}"))
    return pd.concat(each, ignore_index=True).head(dataset.length)


def _table(**columns: np.ndarray) -> pd.DataFrame:
    length = len(next(iter(columns.values())))
    return pd.DataFrame({"step": np.arange(length)} | columns)
