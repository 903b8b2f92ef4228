"""Forecasts at chosen origins, from any weights: by window for a stateless network, warm for a stateful one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.config.schema import Config
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.reading import read_in_order
from pipeline.data.windows import Windows
from pipeline.models.keras_network import build_serving_network, build_streaming_network

_WINDOWS_AT_ONCE = 4096  # bounds the memory of gathered windows


class Forecaster:
    """A twin of the trained network that forecasts without touching the training state.

    A stateless network answers each window by itself. A stateful one reads the series from its first row, carrying its
    state, and its output at an origin is the forecast made there: every forecast starts from the state after the whole
    true past (warm), whatever part the origin lies in.
    """

    def __init__(self, config: Config, windows: Windows) -> None:
        spec = windows.spec
        spec.require_past_only("the network of the engine fit")
        self._config = config
        self._windows = windows
        build = build_streaming_network if config.stateful else build_serving_network
        self._network = build(config, windows.num_features, windows.num_outputs)
        shape = tf.TensorSpec((None, None if config.stateful else spec.time_steps, windows.num_features), tf.float32)
        self._apply = tf.function(lambda samples: self._network(samples, training=False), input_signature=[shape])

    def forecast(self, weights: Sequence[Any], starts: IntArray) -> FloatArray:
        """Forecast from the end of each window.

        Args:
            weights: Weights of the trained network, as `get_weights` returns them.
            starts: First row of each window, ascending. Shape (windows,).

        Returns:
            Scaled outputs at each window's origin. Shape (windows, outputs), float32.
        """
        self._network.set_weights(weights)
        return self._stream(starts) if self._config.stateful else self._answer(starts)

    def _answer(self, starts: IntArray) -> FloatArray:
        parts = []
        for first in range(0, len(starts), _WINDOWS_AT_ONCE):
            samples = self._windows.gather_inputs(starts[first : first + _WINDOWS_AT_ONCE])
            outputs = self._apply(tf.constant(samples)).numpy()  # (windows, outputs) or (windows, time_steps, outputs)
            parts.append(outputs[:, -1] if self._config.answers_every_step else outputs)
        return np.concatenate(parts)

    def _stream(self, starts: IntArray) -> FloatArray:
        first_rows, steps, lanes = read_in_order(self._config, self._windows, starts)
        sequences = self._windows.gather_steps(first_rows.ravel()).reshape(*first_rows.shape, -1)
        outputs = self._apply(tf.constant(np.swapaxes(sequences, 0, 1))).numpy()  # (lanes, steps, outputs)
        return outputs[lanes, steps]
