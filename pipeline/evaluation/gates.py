"""What the units of a recurrent layer follow, and which gates are nearly always shut or open.

A correlation with a signal of a few dozen steps says where to look, not that a unit means it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.data.arrays import FloatArray, IntArray

SHUT, OPEN = 0.1, 0.9  # below, above: a gate is called saturated
_SIGNS = ("line position", "after a newline", "after a space", "upper case", "inside quotes")
_EITHER, _OPENING, _CLOSING = '"', "“«„", "”»"  # not single ones: they are apostrophes, too


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


def follow_text(signals: FloatArray, signs: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Correlate what units do with the signs of a text.

    Args:
        signals: A gate or a state of each unit. Shape (steps, units).
        signs: By name. Each (steps,).

    Returns:
        By name, each (units,), in -1..1; 0 where either side does not change.
    """
    return {name: correlate(signals, each[:, None]) for name, each in signs.items()}


def find_signs(tokens: Sequence[str]) -> dict[str, FloatArray]:
    """Return what a reader of a text keeps track of, after each token.

    Args:
        tokens: The text, cut.

    Returns:
        Each (tokens,): `line position`, characters since the last line break; else 1 where it holds and 0 elsewhere:
        `after a newline`, `after a space`, `upper case`, `inside quotes`.

    Example:
        >>> find_signs('A "b"')["inside quotes"].astype(int).tolist()
        [0, 0, 1, 1, 0]
    """
    column, quoted, found = 0, False, list[tuple[float, ...]]()
    for token in tokens:
        for character in token:
            if character == "\n" and column == 0:  # a paragraph ends: what was not closed is no quotation
                quoted = False
            column = 0 if character == "\n" else column + 1
            quoted = not quoted if character in _EITHER else (quoted or character in _OPENING)
            quoted = quoted and character not in _CLOSING
        found.append((column, token.endswith("\n"), token.endswith(" "), token.strip()[:1].isupper(), quoted))
    columns = np.array(found, float).reshape(-1, len(_SIGNS)).T
    return dict(zip(_SIGNS, columns, strict=True))


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
