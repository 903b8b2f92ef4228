"""What every network is compared with, on the same timestamps: three forecasts that need no network.

All results have the shape (time, horizon_steps, targets), NaN where the past does not reach back far enough. The rows
of several lanes lie one after another, and no forecast reaches from one lane into another.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

Array = np.ndarray
_ONE_LANE = (slice(None),)
_WINDOWS_AT_ONCE = 8192  # bounds the memory of gathered windows


class Samples(Protocol):
    """An array of samples, or what gives one when it is sliced."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def __getitem__(self, block: slice, /) -> Array:
        """Return some samples. Shape (samples, ...)."""


def persistence(actual: Array, horizon_steps: Sequence[int], lanes: Sequence[slice] = _ONE_LANE) -> Array:
    """Repeat the last known value.

    Args:
        actual: The targets. Shape (time, targets), in the data's own units.
        horizon_steps: Steps ahead.
        lanes: Rows of each lane.

    Example:
        >>> persistence(np.array([[1.0], [2.0], [3.0]]), [1]).ravel().tolist()
        [nan, 1.0, 2.0]
    """
    return _shifted(actual, horizon_steps, list(horizon_steps), lanes)


def seasonal_naive(
    actual: Array, horizon_steps: Sequence[int], period: int, lanes: Sequence[slice] = _ONE_LANE
) -> Array:
    """Repeat the value one period ago, or the fewest whole periods that were known; period 1 is persistence.

    Args:
        actual: The targets. Shape (time, targets), in the data's own units.
        horizon_steps: Steps ahead.
        period: Steps per season.
        lanes: Rows of each lane.
    """
    return _shifted(actual, horizon_steps, [period * -(-ahead // period) for ahead in horizon_steps], lanes)


def _shifted(actual: Array, horizon_steps: Sequence[int], lags: Sequence[int], lanes: Sequence[slice]) -> Array:
    time, targets = actual.shape
    forecasts = np.full((time, len(horizon_steps), targets), np.nan)
    for rows in lanes:
        known, forecast = actual[rows], forecasts[rows]
        for position, lag in enumerate(lags):
            forecast[lag:, position] = known[: max(len(known) - lag, 0)]
    return forecasts


def linear_fit(train_inputs: Samples, train_targets: Array, inputs: Samples) -> Array:
    """Ordinary least squares with an intercept, on the same lags that the network sees.

    Samples are read in blocks, so that a long series is never copied look_back times: each block is folded into the
    triangular factor of a QR decomposition (sequential TSQR, Demmel et al. 2012), which has the same solution.

    Args:
        train_inputs: Samples of the training windows, an array or what can be sliced to one; flattened to one row per
            window. Shape (train windows, ...).
        train_targets: Shape (train windows, outputs).
        inputs: Samples to forecast from. Shape (windows, ...).

    Returns:
        Shape (windows, outputs), in the units of `train_targets`.
    """
    targets = train_targets.shape[1]
    factor = np.zeros((0, 0))
    for block in _blocks(len(train_inputs)):
        rows = np.hstack([_with_intercept(train_inputs[block]), train_targets[block].astype(float)])
        factor = np.asarray(np.linalg.qr(np.vstack([factor.reshape(-1, rows.shape[1]), rows]), mode="r"))
    lags = factor.shape[1] - targets
    coefficients, *_ = np.linalg.lstsq(factor[:, :lags], factor[:, lags:], rcond=None)
    return np.concatenate([_with_intercept(inputs[block]) @ coefficients for block in _blocks(len(inputs))])


def _blocks(length: int) -> list[slice]:
    return [slice(first, first + _WINDOWS_AT_ONCE) for first in range(0, length, _WINDOWS_AT_ONCE)]


def _with_intercept(samples: Array) -> Array:
    flat = samples.reshape(len(samples), -1).astype(float)  # (windows, lags)
    return np.hstack([flat, np.ones((len(flat), 1))])


def align_forecasts(
    forecasts: Array, origins: Array, horizon_steps: Sequence[int], time: int, ends: Array | None = None
) -> Array:
    """Place forecasts at the row they predict.

    Args:
        forecasts: Shape (origins, horizon_steps, targets).
        origins: Last row each forecast knew. Shape (origins,).
        horizon_steps: Steps ahead.
        time: Rows of the series; what lies beyond is left out.
        ends: Row after the end of each origin's lane; by default `time`. Shape (origins,).

    Returns:
        Shape (time, horizon_steps, targets), NaN where nothing was forecast.
    """
    aligned = np.full((time, len(horizon_steps), forecasts.shape[2]), np.nan)
    ends = np.full(len(origins), time) if ends is None else ends
    for position, ahead in enumerate(horizon_steps):
        inside = origins + ahead < ends
        aligned[origins[inside] + ahead, position] = forecasts[inside, position]
    return aligned
