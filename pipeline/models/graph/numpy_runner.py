"""Forecast with an exported model where there is nothing but NumPy: copy this file, and import it.

step = Model("step.npz")
outputs = step({"row": row, **state})
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray


def _sigmoid(x: Array) -> Array:
    return 0.5 * np.tanh(0.5 * x) + 0.5


def _lstm(x: Array, states: Sequence[Array], kernel: Array, recurrent_kernel: Array, bias: Array) -> list[Array]:
    i, f, g, o = np.split(x @ kernel + states[0] @ recurrent_kernel + bias, 4, axis=-1)  # each (lanes, units)
    c = _sigmoid(f) * states[1] + _sigmoid(i) * np.tanh(g)
    return [_sigmoid(o) * np.tanh(c), c]


def _gru(x: Array, states: Sequence[Array], kernel: Array, recurrent_kernel: Array, bias: Array) -> list[Array]:
    x_z, x_r, x_g = np.split(x @ kernel + bias[0], 3, axis=-1)  # each (lanes, units)
    h_z, h_r, h_g = np.split(states[0] @ recurrent_kernel + bias[1], 3, axis=-1)
    z = _sigmoid(x_z + h_z)
    return [z * states[0] + (1 - z) * np.tanh(x_g + _sigmoid(x_r + h_r) * h_g)]


def _simple_rnn(x: Array, states: Sequence[Array], kernel: Array, recurrent_kernel: Array, bias: Array) -> list[Array]:
    return [np.tanh(x @ kernel + states[0] @ recurrent_kernel + bias)]


_CELLS: dict[str, tuple[Callable[..., list[Array]], int]] = {
    "lstm": (_lstm, 2),
    "gru": (_gru, 1),
    "simple_rnn": (_simple_rnn, 1),
}


def _recurrent(value: Array, states: Sequence[Array], weights: Sequence[Array], cell: str, every: bool) -> list[Array]:
    advance, count = _CELLS[cell]
    now = list(states) or [np.zeros((len(value), weights[1].shape[0]), np.float32)] * count
    outputs = []
    for step in np.swapaxes(value, 0, 1):  # (lanes, inputs)
        now = advance(step, now, *weights)
        outputs.append(now[0])
    return [np.stack(outputs, axis=1) if every else now[0], *now]


_OPERATIONS: dict[str, Callable[..., Array]] = {
    "cast": lambda x, dtype: x.astype(dtype),
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "log": np.log,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(x, np.zeros((), x.dtype)),
    "mean": lambda x, axis: x.mean(axis, keepdims=True),
    "reshape": lambda x, shape: x.reshape(shape),
    "slice": lambda x, axis, start, stop: x[(slice(None),) * axis + (slice(start, stop),)],
    "take": lambda x, axis, places: np.take(x, places, axis),
    "concat": lambda *each, axis: np.concatenate(each, axis),
    "above_zero": lambda test, yes, no: np.asarray(np.where(test > 0, yes, no)),
    "fill_nan": lambda x, other: np.asarray(np.where(np.isnan(x), other, x)),
    "dense": lambda x, kernel, *bias: x @ kernel + bias[0] if bias else x @ kernel,
}


class Model:
    """One form of an exported model. Its file holds plain arrays and a list of operations: nothing in it is executed.

    Attributes:
        inputs: Name, type and shape of each input, the lanes in front of the shape; null: any length.
        outputs: The same of each output.
    """

    def __init__(self, path: Any) -> None:
        with np.load(path, allow_pickle=False) as file:
            self._arrays = {name: file[name] for name in file.files if name != "graph"}
            graph = json.loads(str(file["graph"]))
        self.inputs, self.outputs, self._nodes = graph["inputs"], graph["outputs"], graph["nodes"]

    def __call__(self, given: Mapping[str, Any]) -> dict[str, Array]:
        """Take arrays by name, each (lanes, *shape), and return arrays by name."""
        values = dict(self._arrays)
        values |= {name: np.asarray(given[name], dtype) for name, dtype, _ in self.inputs}
        with np.errstate(all="ignore"):  # lanes that have read too few rows are not numbers yet
            for op, inputs, weights, outputs, settings in self._nodes:
                read, own = [values[name] for name in inputs], [values[name] for name in weights]
                if op == "recurrent":
                    made = _recurrent(read[0], read[1:], own, settings["cell"], settings["every_step"])
                    values.update(zip(outputs, made, strict=True))
                else:
                    values[outputs[0]] = _OPERATIONS[op](*read, *own, **settings)
        return {name: values[name] for name, _, _ in self.outputs}
