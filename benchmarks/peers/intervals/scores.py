"""The quantiles that every contender is asked for, and what they are worth; both environments have what this needs."""

import numpy as np

COVERAGES = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95)  # intervals around the median, whose ends are the levels
LEVELS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
SCORED = (0.8, 0.95)  # intervals whose coverage is in the table
_DIGITS = 4


def join_quantiles(lows: np.ndarray, median: np.ndarray, highs: np.ndarray) -> np.ndarray:
    """Make quantiles of intervals.

    Args:
        lows: Lower ends of the intervals of COVERAGES. Shape (coverages, test, series).
        median: Shape (test, series).
        highs: Upper ends. Shape as `lows`.

    Returns:
        Quantiles of LEVELS. Shape (test, series, levels).
    """
    return np.moveaxis(np.concatenate([lows[::-1], median[None], highs]), 0, -1)


def score_quantiles(values: np.ndarray, quantiles: np.ndarray, start: int, period: int) -> dict[str, float]:
    """Return CRPS, coverage and width of one contender on one set.

    Args:
        values: The whole set, in its own units. Shape (time, series).
        quantiles: Of LEVELS, of the test part. Shape (test, series, levels).
        start: First step of the test part.
        period: Time steps of a season. One is the error, on the part before the test, of repeating the last season.

    Returns:
        `crps`: twice the mean pinball loss over LEVELS, over that error; `coverage_95`: share of the test part between
        the quantiles 0.025 and 0.975; `width_95`: their distance, over that error. Each the mean over the series.

    Raises:
        ValueError: If a quantile is missing: a contender is scored on every step or not at all.

    Example:
        >>> values, sure = np.array([[1.0], [2.0], [4.0], [5.0]]), np.full((1, 1, len(LEVELS)), 7.0)
        >>> score_quantiles(values, sure, 3, 1)["crps"]  # sure of 7, 2 off; past steps: 1, 2
        1.3333
    """
    past, actual = values[:start], values[start:]
    if quantiles.shape != (*actual.shape, len(LEVELS)):
        raise ValueError(f"a quantile is missing: {quantiles.shape} instead of {(*actual.shape, len(LEVELS))}")
    if missing := int((~np.isfinite(quantiles)).any(axis=-1).sum()):
        raise ValueError(f"a quantile is missing in {missing} of {actual.size} forecasts")
    scale = np.abs(past[period:] - past[:-period]).mean(axis=0)  # (series,)
    above, levels = quantiles - actual[..., None], np.array(LEVELS)
    losses = 2 * np.maximum((1 - levels) * above, -levels * above).mean(axis=(0, 2))  # (series,)
    scores = {"crps": float((losses / scale).mean())}
    for share in SCORED:
        low, high = (quantiles[..., LEVELS.index(round((1 + side * share) / 2, 6))] for side in (-1, 1))
        scores[f"coverage_{100 * share:g}"] = float(((low <= actual) & (actual <= high)).mean())
        scores[f"width_{100 * share:g}"] = float(((high - low).mean(axis=0) / scale).mean())
    return {name: round(score, _DIGITS) for name, score in scores.items()}
