"""Scalers fitted on the training part only: scaled = (value - offset) / scale, per column."""

from dataclasses import dataclass

import numpy as np

from pipeline.config import Scaler
from pipeline.data.series import FloatArray


@dataclass(frozen=True)
class Scaling:
    """A fitted scaler.

    Attributes:
        kind: How offset and scale were chosen.
        offset: Per column, in units of the transformed series. Shape (columns,).
        scale: Per column, above zero, same units. Shape (columns,).
    """

    kind: Scaler
    offset: FloatArray
    scale: FloatArray


def fit_scaling(kind: Scaler, values: FloatArray) -> Scaling:
    """Fit a scaler.

    Args:
        kind: minmax (training part to 0..1), standard (mean 0, standard deviation 1) or none.
        values: The training part, transformed. Shape (time, columns), without NaN.

    Returns:
        The fitted scaler.

    Example:
        >>> fit_scaling(Scaler.minmax, np.array([[10.0], [30.0]])).scale.tolist()
        [20.0]
    """
    columns = values.shape[1]
    if kind is Scaler.minmax:
        return Scaling(kind, values.min(axis=0), np.ptp(values, axis=0))
    if kind is Scaler.standard:
        return Scaling(kind, values.mean(axis=0), values.std(axis=0))
    return Scaling(kind, np.zeros(columns), np.ones(columns))


def apply_scaling(scaling: Scaling, values: FloatArray) -> FloatArray:
    """Scale values. Shape (..., columns) in and out."""
    return (values - scaling.offset) / scaling.scale


def invert_scaling(scaling: Scaling, values: FloatArray, columns: list[int]) -> FloatArray:
    """Undo the scaling of some columns.

    Args:
        scaling: The fitted scaler.
        values: Scaled values whose last axis holds the given columns. Shape (..., len(columns)).
        columns: Column numbers of that axis.

    Returns:
        Values in units of the transformed series, same shape.
    """
    return values * scaling.scale[columns] + scaling.offset[columns]
