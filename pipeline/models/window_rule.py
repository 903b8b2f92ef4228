"""How a window is measured by its own past, and a forecast brought back: one rule for Keras, XLA and NumPy.

With look_back=3 and window_last, of one feature:

    window    410  412  413        shift 413, scale 1         the network reads    -3  -1  0
    forecast  413 + what the network says

`window_mean` shifts by the mean of the window; `window_standard` also divides by its standard deviation, but by no less
than `SMALLEST`: what does not move is then no division by zero. It is RevIN without numbers to learn (Kim et al.,
"Reversible instance normalization", 2022). `window_scale`, for counts, shifts nothing and divides by 1 + the mean of
the window, as DeepAR does (Salinas et al., 2020).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.config.schema import Normalise

SMALLEST = 1e-3  # in scaled units: of the range, or of the deviation, of the training part


@dataclass(frozen=True)
class WindowRule:
    """How windows are measured by their own past, and which measure brings each output back.

    Attributes:
        how: The rule.
        features: Numbers of one row of the series: a time step has several rows with dataset.lags_as=features.
        columns: Of each output the feature that its target is. Shape (outputs,).
        untouched: Features at the end of a row that are left as they are: a month has no level of its own.
        moves: Of each output whether it is shifted, and whether it is scaled; () if all are both, as values are. A
            standard deviation is not shifted.
    """

    how: Normalise
    features: int
    columns: tuple[int, ...]
    untouched: int = 0
    moves: tuple[tuple[bool, bool], ...] = ()

    def measure(self, rows: Any, space: Any) -> tuple[Any, Any]:
        """Return what is taken off each window, and what it is then divided by.

        Args:
            rows: Scaled. Shape (..., rows of a window, features).
            space: `numpy` or `keras.ops`.

        Returns:
            Shift and scale, each (..., 1, features).
        """
        shift, scale = self._measure(rows, space)
        if not self.untouched:
            return shift, scale
        measured = np.arange(self.features) < self.features - self.untouched
        return space.where(measured, shift, space.zeros_like(shift)), space.where(
            measured, scale, space.ones_like(scale)
        )

    def _measure(self, rows: Any, space: Any) -> tuple[Any, Any]:
        if self.how is Normalise.window_last:
            last = rows[..., -1:, :]
            return last, space.ones_like(last)
        if self.how is Normalise.window_scale:
            size = 1 + space.mean(space.abs(rows), axis=-2, keepdims=True)
            return space.zeros_like(size), size
        mean = space.mean(rows, axis=-2, keepdims=True)
        if self.how is Normalise.window_mean:
            return mean, space.ones_like(mean)
        variance = space.mean(space.square(rows - mean), axis=-2, keepdims=True)
        return mean, space.maximum(space.sqrt(variance), SMALLEST)

    def bring_back(self, outputs: Any, shift: Any, scale: Any, space: Any) -> Any:
        """Return outputs where the window lies that they were made from.

        Args:
            outputs: Of the core. Shape (..., outputs).
            shift: As `measure` gives it.
            scale: As `measure` gives it.
            space: `numpy` or `keras.ops`.

        Returns:
            Scaled. Shape (..., outputs).
        """
        shift, scale = (space.take(each[..., 0, :], self.columns, axis=-1) for each in (shift, scale))
        if self.moves:
            shifted, scaled = np.array(self.moves).T  # each (outputs,)
            shift = space.where(shifted, shift, space.zeros_like(shift))
            scale = space.where(scaled, scale, space.ones_like(scale))
        return outputs * scale + shift
