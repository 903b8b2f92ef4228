"""What a series is like, in three numbers: is its level constant, how strong is its season, does its spread grow."""

import numpy as np

from pipeline.data.arrays import FloatArray

_LEAST_BLOCKS = 4  # points of a line whose slope is trusted
_SURE = 3.0  # standard errors


def kpss_statistic(values: FloatArray) -> float:
    """Return the KPSS statistic of a constant level: large where the level wanders, as that of a random walk does.

    Args:
        values: Shape (time,).

    Source:
        Kwiatkowski, Phillips, Schmidt and Shin 1992; lags of the long-run variance as R's forecast::ndiffs has them.
    """
    errors = values - values.mean()
    length = len(values)
    lags = int(3 * np.sqrt(length) / 13)
    products = [float(errors[lag:] @ errors[: length - lag]) for lag in range(lags + 1)]
    weights = 1 - np.arange(1, lags + 1) / (lags + 1)  # Bartlett's
    variance = (products[0] + 2 * float(weights @ products[1:])) / length
    return float((np.cumsum(errors) ** 2).sum() / length**2 / variance) if variance > 0 else 0.0


def seasonal_strength(values: FloatArray, period: int) -> float:
    """Return how much of a series without its trend is season: 0 nothing, 1 all of it.

    Args:
        values: Shape (time,), at least two periods.
        period: Steps of a season, at least 2.

    Source:
        Wang, Smith and Hyndman 2006: 1 - var(remainder) / var(season + remainder), after a classical decomposition.
    """
    kernel = np.ones(period) if period % 2 else np.concatenate([[0.5], np.ones(period - 1), [0.5]])
    trend = np.convolve(values, kernel / period, mode="valid")  # the centred mean over one period
    first = len(kernel) // 2
    left = values[first : first + len(trend)] - trend
    phases = np.arange(len(left)) % period
    means = np.bincount(phases, left, minlength=period) / np.maximum(np.bincount(phases, minlength=period), 1)
    whole = float(left.var())
    return max(0.0, 1 - float((left - means[phases]).var()) / whole) if whole > 0 else 0.0


def spread_slope(values: FloatArray, period: int) -> float | None:
    """Return the power of the level with which the spread of the changes grows: 0 not at all, 1 in proportion.

    The series is cut into blocks, whole periods where there is one; the slope is that of a line through the logarithms
    of each block's mean and of the standard deviation of its changes.

    Args:
        values: Shape (time,), above zero.
        period: Steps of a season; 1: none.

    Returns:
        The slope; None where it is not above zero by three standard errors, or the blocks are too few.

    Source:
        Spread against level: Bartlett 1947, Tukey 1977.
    """
    wanted = max(int(np.sqrt(len(values))), 8)
    block = wanted if period < 2 else period * max(round(wanted / period), 1)
    count = len(values) // block
    if count < _LEAST_BLOCKS:
        return None
    blocks = values[len(values) - count * block :].reshape(count, block)
    spreads = np.diff(blocks, axis=1).std(axis=1)  # (blocks,)
    usable = spreads > 0
    if usable.sum() < _LEAST_BLOCKS:
        return None
    level, spread = np.log(blocks.mean(axis=1)[usable]), np.log(spreads[usable])
    centred = level - level.mean()
    squares = float(centred @ centred)
    if squares <= 0:
        return None
    slope = float(centred @ spread) / squares
    errors = spread - spread.mean() - slope * centred
    error = np.sqrt(float(errors @ errors) / max(len(errors) - 2, 1) / squares)
    return slope if slope > _SURE * error else None
