"""Error measures. All take errors of the same timestamps and ignore what is not scored.

Shapes everywhere: actual (time, targets); forecasts (time, horizon_steps, targets), where forecasts[t, j] predicts
row t from horizon_steps[j] rows before it; scored (time, targets), True where the row counts.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.base.moments import root_mean_square
from pipeline.models.heads.head import Head

Array = np.ndarray


def errors(actual: Array, forecasts: Array, scored: Array) -> Array:
    """Return forecast minus actual with NaN where not scored. Shape (time, horizon_steps, targets).

    Raises:
        ValueError: If a row that is scored has no forecast: dropped rows would make scores incomparable.
    """
    difference = np.where(scored[:, None], forecasts - actual[:, None], np.nan)  # (time, horizon_steps, targets)
    missing = np.isnan(difference) & scored[:, None]
    if missing.any():
        raise ValueError(f"row {int(np.argwhere(missing)[0][0])} is scored but has no forecast")
    return difference


def rmse(actual: Array, forecasts: Array, scored: Array) -> float:
    """Root mean squared error over every row, horizon step and target, in the data's own units.

    Example:
        >>> rmse(np.array([[1.0], [2.0]]), np.array([[[1.0]], [[4.0]]]), np.array([[True], [True]])).__round__(4)
        1.4142
    """
    difference = errors(actual, forecasts, scored)
    return root_mean_square(difference[~np.isnan(difference)])


def mae(actual: Array, forecasts: Array, scored: Array) -> float:
    """Mean absolute error over every row, horizon step and target, in the data's own units."""
    return float(np.nanmean(np.abs(errors(actual, forecasts, scored))))


def mase(
    actual: Array, forecasts: Array, scored: Array, trained: Array, slices: Sequence[slice] = (slice(None),)
) -> float:
    """Mean absolute scaled error: MAE over the in-sample MAE of repeating the last value.

    Source: Hyndman and Koehler, "Another look at measures of forecast accuracy", 2006. Several targets or series: the
    mean of the MASE of each that changed in the training part.

    Args:
        actual: Shape (time, targets).
        forecasts: Shape (time, horizon_steps, targets).
        scored: Shape (time, targets).
        trained: True for values of the training part that were measured. Shape (time, targets).
        slices: Rows of each series.

    Returns:
        No unit; below 1 is better than one-step persistence was on the training part.
    """
    absolute = np.abs(errors(actual, forecasts, scored))  # (time, horizon_steps, targets)
    scaled = []
    for rows, scale in zip(slices, naive_errors(actual, trained, slices), strict=True):
        for target in np.flatnonzero(scored[rows].any(axis=0)):
            if np.isfinite(scale[target]):
                scaled.append(np.nanmean(absolute[rows, :, target]) / scale[target])
    return float(np.mean(scaled)) if scaled else float("nan")


def naive_errors(actual: Array, trained: Array, slices: Sequence[slice] = (slice(None),)) -> Array:
    """Return the MAE of repeating the last value on the training part, of each series: what MASE and MSIS divide by.

    Args:
        actual: Shape (time, targets).
        trained: True for values of the training part that were measured. Shape (time, targets).
        slices: Rows of each series.

    Returns:
        Shape (series, targets), in the data's own units; NaN for a target that never changed.
    """
    known = np.where(trained, actual, np.nan)
    found = np.full((len(slices), actual.shape[1]), np.nan)
    for number, rows in enumerate(slices):
        for target in range(actual.shape[1]):
            changes = np.abs(np.diff(known[rows, target]))
            changes = changes[~np.isnan(changes)]
            if changes.any():
                found[number, target] = changes.mean()
    return found


def naive_scale(actual: Array, trained: Array, slices: Sequence[slice] = (slice(None),)) -> Array:
    """Return the RMSE of repeating the last value on the training part, of each target: what RMSSE divides by.

    Args:
        actual: Shape (time, targets).
        trained: True for values of the training part that were measured. Shape (time, targets).
        slices: Rows of each series; no change reaches from one into another.

    Returns:
        Shape (targets,), in the data's own units; 1 for a target that never changed.
    """
    known = np.where(trained, actual, np.nan)
    changes = np.concatenate([np.diff(known[rows], axis=0) for rows in slices])  # (changes, targets)
    return np.array([root_mean_square(each[~np.isnan(each)]) or 1.0 for each in changes.T])


def rmsse(actual: Array, forecasts: Array, scored: Array, scale: Array) -> float:
    """Root mean squared scaled error: the mean over the targets of RMSE / scale. It has no unit.

    Source: Hyndman and Koehler, "Another look at measures of forecast accuracy", 2006; the M5 competition.

    Args:
        actual: Shape (time, targets).
        forecasts: Shape (time, horizon_steps, targets).
        scored: Shape (time, targets).
        scale: Of each target, see `naive_scale`. Shape (targets,).

    Returns:
        Below 1: better, one or more steps ahead, than repeating the last value was for one step in training.
    """
    columns = np.flatnonzero(scored.any(axis=0))
    each = [rmse(actual[:, [one]], forecasts[:, :, [one]], scored[:, [one]]) / scale[one] for one in columns]
    return float(np.mean(each))


def score_errors(head: Head, errors: Array, scale: Array) -> Array:
    """Return what the head of a network is judged by, of each seed.

    Args:
        head: Says what an error costs.
        errors: Answers minus what came, NaN where nothing is scored. Shape (seeds, rows, horizon_steps, targets, *shape
            of an answer).
        scale: What the errors of each target are divided by before targets are averaged. Shape (targets,).

    Returns:
        Shape (seeds,).
    """
    scaled = errors.astype(float) / head.spread(scale)
    _, exponent = np.frexp(np.nanmax(np.abs(scaled), initial=0.0))
    penalties = head.penalty(np.ldexp(scaled, -exponent))  # squares of tiny errors would vanish
    measured = [each for each in np.moveaxis(penalties, -1, 0) if not np.isnan(each).all()]  # (seeds, rows, steps) each
    means = np.array([np.nanmean(each, axis=(1, 2)) for each in measured])  # (targets, seeds)
    return np.asarray(np.ldexp(np.mean(head.score(means), axis=0), exponent))


def smape(actual: Array, forecasts: Array, scored: Array) -> float:
    """Symmetric mean absolute percentage error, 0 to 200 %: 200 |forecast - actual| / (|forecast| + |actual|)."""
    absolute = np.abs(errors(actual, forecasts, scored))
    size = np.abs(forecasts) + np.abs(actual)[:, None]
    return float(np.nanmean(np.where(size > 0, 200 * absolute / np.where(size > 0, size, 1.0), 0 * absolute)))


def skill(error: float, baseline_error: float) -> float:
    """Return 1 - error / baseline_error: above 0 beats the baseline, 1 is perfect. NaN if the baseline is perfect."""
    return 1 - error / baseline_error if baseline_error > 0 else float("nan")
