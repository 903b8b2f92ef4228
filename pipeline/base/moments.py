"""Squares without accidents: of numbers like 1e-200 they would be 0, of numbers like 1e+200 infinite.

Values are brought near 1 by a power of two, which changes no digit, and the result is brought back.
"""

import numpy as np

Array = np.ndarray


def root_mean_square(values: Array) -> float:
    """Return the root of the mean square of numbers in any unit; of no numbers, 0.

    Args:
        values: Finite. Any shape.

    Example:
        >>> root_mean_square(np.array([1e-200, -1e-200]))
        1e-200
    """
    exponent = _exponent(values.ravel())
    return float(np.ldexp(np.sqrt(np.mean(np.ldexp(values, -exponent) ** 2)), exponent)) if values.size else 0.0


def standard_deviation(values: Array, ddof: int = 0) -> Array:
    """Return the standard deviation along the first axis of numbers in any unit.

    Args:
        values: Shape (numbers, ...).
        ddof: 1 for a sample, 0 for all there are.

    Returns:
        Shape (...).

    Example:
        >>> standard_deviation(np.array([[1e-200], [3e-200]])).tolist()
        [1e-200]
    """
    exponent = _exponent(values)
    return np.asarray(np.ldexp(np.ldexp(values, -exponent).std(axis=0, ddof=ddof), exponent))


def _exponent(values: Array) -> Array:
    """Return the power of two just above the largest value. Shape: that of `values` without its first axis."""
    return np.asarray(np.frexp(np.abs(values).max(axis=0, initial=0.0))[1])
