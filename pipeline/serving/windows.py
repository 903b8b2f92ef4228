"""Forecasts of all windows of a series in NumPy: those of the engines with the same weights, without TensorFlow."""

import numpy as np

from pipeline.config.schema import Config
from pipeline.data.arrays import FloatArray
from pipeline.data.reading import read_in_order
from pipeline.data.windows import Windows
from pipeline.models.numpy_network import NumpyNetwork

_WINDOWS_AT_ONCE = 4096  # bounds the memory of gathered windows


def forecast_windows(config: Config, windows: Windows, network: NumpyNetwork) -> FloatArray:
    """Forecast from the end of each window.

    A stateless network answers each window by itself. A stateful one reads each lane of `windows` from its first row,
    carrying its state: with protocol=fair every forecast starts from the state after the whole true past (warm), with
    protocol=tutorial the test part begins with a zero state (cold).

    Args:
        config: Whether the network is stateful, and the order it reads in.
        windows: The windows of the series.
        network: The trained network of one seed.

    Returns:
        Scaled outputs, for each of `windows.starts`. Shape (windows, outputs), float32.
    """
    starts = windows.starts
    if not config.stateful:
        blocks = [starts[first : first + _WINDOWS_AT_ONCE] for first in range(0, len(starts), _WINDOWS_AT_ONCE)]
        return np.concatenate([network.answer(windows.gather_inputs(block)) for block in blocks])
    first_rows, ends, lanes = read_in_order(config, windows, starts)
    states = network.zero_states(first_rows.shape[1])
    outputs = np.empty((*first_rows.shape, windows.num_outputs), np.float32)  # (steps, lanes, outputs)
    for position, rows in enumerate(first_rows):
        outputs[position], states = network.step(windows.gather_steps(rows), states)
    return outputs[ends, lanes]
