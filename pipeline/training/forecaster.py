"""Forecasts at chosen origins, from any weights: by window for a stateless network, warm for a stateful one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.config.schema import Config
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.reading import answers_chunks, read_in_chunks, read_in_order
from pipeline.data.windows import Windows
from pipeline.models.heads.registry import head_of
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
        self._config = config
        self._windows = windows
        self._head = head_of(config)
        if config.stateful:
            self._network = build_streaming_network(config, windows.num_features, windows.num_outputs, spec.layout)
        else:
            self._network = build_serving_network(config, *windows.interface)
        shape = tf.TensorSpec((None, None if config.stateful else spec.time_steps, windows.num_features), tf.float32)
        self._apply = tf.function(lambda samples: self._network(samples, training=False), input_signature=[shape])

    def forecast(self, weights: Sequence[Any], starts: IntArray) -> FloatArray:
        """Forecast from the end of each window.

        Args:
            weights: Weights of the trained network, as `get_weights` returns them.
            starts: First row of each window, ascending. Shape (windows,).

        Returns:
            What is kept of the scaled outputs at each window's origin. Shape (windows, kept), float32.
        """
        self._network.set_weights(weights)
        if self._config.stateful:
            return self._stream(starts)
        return self._answer_chunks(starts) if answers_chunks(self._config) else self._answer(starts)

    def _answer(self, starts: IntArray) -> FloatArray:
        parts = []
        for first in range(0, len(starts), _WINDOWS_AT_ONCE):
            some = starts[first : first + _WINDOWS_AT_ONCE]
            outputs = self._apply(tf.constant(self._windows.gather_inputs(some)))
            last = outputs[:, -1] if self._config.answers_every_step else outputs  # (windows, outputs)
            parts.append(self._keep(self._windows.spec.origins(some), last))
        return np.concatenate(parts)

    def _answer_chunks(self, starts: IntArray) -> FloatArray:
        first_rows, chunks, steps = read_in_chunks(self._windows, starts)
        parts = []
        for first in range(0, len(first_rows), _WINDOWS_AT_ONCE):
            rows = first_rows[first : first + _WINDOWS_AT_ONCE, None] + self._windows.spec.step_offsets
            rows = np.minimum(rows, len(self._windows.inputs) - 1)  # (chunks, steps)
            samples = self._windows.gather_steps(rows.ravel()).reshape(*rows.shape, -1)
            parts.append(self._keep(rows, self._apply(tf.constant(samples))))
        return np.concatenate(parts)[chunks, steps]

    def _keep(self, last_rows: IntArray, outputs: tf.Tensor) -> FloatArray:
        """Return what is kept of outputs, (..., outputs), that were given after some rows, (...), were read."""
        rows = last_rows[..., None] + np.array(self._windows.spec.horizon_steps)
        targets = self._windows.targets[np.minimum(rows, len(self._windows.targets) - 1)]
        came = targets.reshape(*last_rows.shape, self._windows.num_targets)
        return np.asarray(self._head.keep(tf.constant(came), outputs))

    def _stream(self, starts: IntArray) -> FloatArray:
        first_rows, steps, lanes = read_in_order(self._config, self._windows, starts)
        sequences = self._windows.gather_steps(first_rows.ravel()).reshape(*first_rows.shape, -1)
        outputs = self._apply(tf.constant(np.swapaxes(sequences, 0, 1)))  # (lanes, steps, outputs)
        last_rows = first_rows.T + self._windows.spec.rows_of_step[-1]
        return self._keep(last_rows, outputs)[lanes, steps]
