"""Scalers fitted on the training part only: scaled = (value - offset) / scale, per column, for all series or each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.base.moments import standard_deviation
from pipeline.config.schema import Scaler
from pipeline.data.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Scaling:
    """A fitted scaler.

    Attributes:
        kind: How offset and scale were chosen.
        offset: Per column, in units of the transformed series. Shape (series, columns); all alike if shared.
        scale: Per column, above zero, same units. Shape (series, columns).
    """

    kind: Scaler
    offset: FloatArray
    scale: FloatArray

    def choose(self, columns: Sequence[int]) -> "Scaling":
        """Return the scaler of some columns, each as often as it is named."""
        return Scaling(self.kind, self.offset[:, list(columns)], self.scale[:, list(columns)])


def fit_scaling(
    kind: Scaler,
    trained: Sequence[FloatArray],
    per_series: bool = False,
    untouched: int = 0,
    shared: Sequence[int] = (),
) -> Scaling:
    """Fit a scaler.

    Args:
        kind: minmax (training part to 0..1), standard (mean 0, standard deviation 1) or none.
        trained: The training part of each series, transformed. Each (time, columns), without NaN.
        per_series: Whether each series is scaled by itself, or all by the values of all.
        untouched: Columns at the end that are left as they are.
        shared: Columns that are scaled by the values of all series in any case.

    Returns:
        The fitted scaler.

    Example:
        >>> fit_scaling(Scaler.minmax, [np.array([[10.0], [30.0]])]).scale.tolist()
        [[20.0]]
    """
    fitted = [_fit(kind, values) for values in (trained if per_series else [np.concatenate(trained)])]
    offset, scale = (np.stack(each) for each in zip(*fitted, strict=True))
    if per_series and shared:
        whole = _fit(kind, np.concatenate(trained)[:, list(shared)])
        offset[:, list(shared)], scale[:, list(shared)] = whole
    if untouched:
        offset[:, -untouched:], scale[:, -untouched:] = 0.0, 1.0
    shape = (len(trained), offset.shape[1])
    return Scaling(kind, np.broadcast_to(offset, shape), np.broadcast_to(scale, shape))


def _fit(kind: Scaler, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    columns = values.shape[1]
    if kind is Scaler.minmax:
        return values.min(axis=0), np.ptp(values, axis=0)
    if kind is Scaler.standard:
        return values.mean(axis=0), standard_deviation(values)
    return np.zeros(columns), np.ones(columns)


def forward_scaling(scaling: Scaling, values: FloatArray, numbers: IntArray) -> FloatArray:
    """Scale values.

    Args:
        scaling: The fitted scaler.
        values: In units of the transformed series. Shape (rows, columns).
        numbers: Which series each row belongs to. Shape (rows,).
    """
    return (values - scaling.offset[numbers]) / scaling.scale[numbers]


def inverse_scaling(scaling: Scaling, values: FloatArray, columns: list[int], numbers: IntArray) -> FloatArray:
    """Undo the scaling of some columns.

    Args:
        scaling: The fitted scaler.
        values: Scaled values. Shape (rows, ..., len(columns)).
        columns: Column numbers of the last axis.
        numbers: Which series each row belongs to. Shape (rows,).

    Returns:
        Values in units of the transformed series, same shape.
    """
    between = (1,) * (values.ndim - 2)
    offset, scale = (
        fitted[numbers][:, columns].reshape(len(numbers), *between, len(columns))
        for fitted in (scaling.offset, scaling.scale)
    )
    return values * scale + offset
