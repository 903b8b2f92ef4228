"""What the units of a recurrent layer follow, and which gates are nearly always shut or open.

A correlation with a signal of a few dozen steps says where to look, not that a unit means it.
"""

from collections.abc import Mapping

import numpy as np

from pipeline.data.arrays import FloatArray, IntArray

SHUT, OPEN = 0.1, 0.9  # below, above: a gate is called saturated


def follow(
    signals: FloatArray, values: FloatArray, position: IntArray, rows: IntArray, period: int
) -> dict[str, FloatArray]:
    """Correlate what units do with what they may have learnt to follow.

    Args:
        signals: A gate or a state of each unit. Shape (steps, units).
        values: The series, in any unit. Shape (steps,).
        position: Steps since the state was zero. Shape (steps,).
        rows: Row of the series at each step, from which the phase of the season is counted. Shape (steps,).
        period: Steps of a season; below 2 there is none.

    Returns:
        Each (units,): `value`, `change` and `position` in -1..1; `season`, if there is one, in 0..1: the multiple
        correlation with sine and cosine of the phase. 0 where either side does not change.
    """
    change = np.append(np.nan, np.diff(values))
    found = {
        "value": correlate(signals, values[:, None]),
        "change": correlate(signals, change[:, None]),
        "position": correlate(signals, position[:, None].astype(float)),
    }
    if period >= 2:
        angle = 2 * np.pi * (rows % period) / period
        waves = np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, : 1 if period == 2 else 2]
        found["season"] = np.abs(correlate(signals, waves))
    return found


def correlate(signals: FloatArray, references: FloatArray) -> FloatArray:
    """Return the correlation of each signal with one reference, or the multiple correlation with several.

    Args:
        signals: Shape (steps, units).
        references: Shape (steps, references); steps at which one is NaN are left out.

    Returns:
        Shape (units,).

    Example:
        >>> correlate(np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0]]), np.array([[3.0], [2.0], [1.0]])).round(6).tolist()
        [-1.0, 0.0]
    """
    known = np.isfinite(references).all(axis=1)
    if known.sum() < 3:
        return np.zeros(signals.shape[1])
    left = _standardise(signals[known].astype(float))
    right = _standardise(references[known])
    if right.shape[1] == 1:
        return np.clip(left.T @ right[:, 0], -1, 1)
    explained = right @ np.linalg.lstsq(right, left, rcond=None)[0]  # (steps, units)
    return np.clip(np.linalg.norm(explained, axis=0), 0, 1)


def saturation(gates: Mapping[str, FloatArray]) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return the share of time that each gate of each unit is nearly shut, and nearly open.

    Args:
        gates: Values in 0..1 by name. Each (steps, units).

    Returns:
        By name two arrays of shape (units,): shares below 0.1 and above 0.9.
    """
    return {name: ((gate < SHUT).mean(axis=0), (gate > OPEN).mean(axis=0)) for name, gate in gates.items()}


def _standardise(columns: FloatArray) -> FloatArray:
    """Bring columns to mean 0 and length 1; those that do not change to 0."""
    centred = columns - columns.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    still = length <= 1e-6 * np.maximum(np.abs(columns).max(axis=0), 1e-30)  # rounding of float32 alone
    return np.where(still, 0.0, centred / np.where(still, 1.0, length))
