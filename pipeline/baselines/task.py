"""What a baseline may use to make its forecasts. A forecast of row t, h steps ahead, may use rows up to t - h."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

Array = np.ndarray


class Samples(Protocol):
    """An array of samples, or what gives one when it is sliced."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def __getitem__(self, block: slice, /) -> Array:
        """Return some samples. Shape (samples, ...)."""


@dataclass(frozen=True)
class WindowTask:
    """The windows of the network, as it sees them: transformed and scaled.

    Attributes:
        train_inputs: Samples of the training part. Shape (train windows, ...).
        train_targets: Shape (train windows, outputs).
        validation_inputs: Samples of the validation part. Shape (validation windows, ...).
        validation_targets: Shape (validation windows, outputs).
        inputs: Samples to forecast from. Shape (windows, ...).
        align: Brings outputs, shape (windows, outputs), to the data's own units and the rows they predict, shape (time,
            horizon_steps, targets).
        coefficients: Of the linear fit, if it was fitted before, on more than these windows.
    """

    train_inputs: Samples
    train_targets: Array
    validation_inputs: Samples
    validation_targets: Array
    inputs: Samples
    align: Callable[[Array], Array]
    coefficients: Array | None = None


@dataclass(frozen=True)
class Task:
    """What is to be forecast.

    Attributes:
        actual: The targets. Shape (time, targets), in the data's own units.
        horizon_steps: Steps ahead.
        slices: Rows of each series; no forecast reaches from one into another.
        period: Steps per season.
        windows: What the network sees; None for a baseline that does not look at it.
    """

    actual: Array
    horizon_steps: Sequence[int]
    slices: Sequence[slice]
    period: int
    windows: WindowTask | None = None


def shift(task: Task, lags: Sequence[int]) -> Array:
    """Return for each horizon step the value so many rows before. Shape (time, horizon_steps, targets), NaN at first.

    Args:
        task: What is to be forecast.
        lags: One for each horizon step, at least as long as the step.
    """
    time, targets = task.actual.shape
    forecasts = np.full((time, len(task.horizon_steps), targets), np.nan)
    for rows in task.slices:
        known, forecast = task.actual[rows], forecasts[rows]
        for position, lag in enumerate(lags):
            forecast[lag:, position] = known[: max(len(known) - lag, 0)]
    return forecasts
