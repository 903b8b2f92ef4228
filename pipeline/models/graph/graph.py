"""Operations on named arrays, one after another: what a network and its units are, without the library that runs them.

Every array has the lanes in front. A format is one writer that knows every operation below.

    row ──subtract──divide──cast──concat──recurrent──dense──cast──multiply──add──> forecast
    h_1 ───────────────────────────────────┘      └──────────────────────────────> new_h_1
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from pipeline.config.schema import Cell
from pipeline.models.plan import NUM_STATES

Array = np.ndarray
Value = str  # the name of an array


class Op(Enum):
    """What an operation does; its settings are in brackets."""

    cast = "cast"  # to a type [dtype]
    add = "add"  # of two arrays, as are the next four
    subtract = "subtract"
    multiply = "multiply"
    divide = "divide"
    maximum = "maximum"
    log = "log"
    exp = "exp"
    sqrt = "sqrt"
    tanh = "tanh"
    softplus = "softplus"  # log(1 + exp(x))
    mean = "mean"  # along an axis, which stays with length 1 [axis]
    reshape = "reshape"  # [shape], the lanes as -1
    slice = "slice"  # along an axis, as Python does [axis, start, stop]
    take = "take"  # some places of an axis, in their order [axis, places]
    concat = "concat"  # of several arrays along an axis [axis]
    above_zero = "above_zero"  # of three: the second where the first is above zero, otherwise the third
    fill_nan = "fill_nan"  # of two: the first, or the second where the first is not a number
    dense = "dense"  # times a kernel, plus a bias if there is one
    recurrent = "recurrent"  # a cell along axis 1 [cell, every_step], from given states or from zero


@dataclass(frozen=True)
class Port:
    """An array that goes in or comes out.

    Attributes:
        name: Its name.
        dtype: `float32` or `float64`.
        shape: Of one lane; None: any length.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        op: What it does.
        inputs: Names of what it reads.
        outputs: Names of what it makes; of a recurrent one its outputs, then its states.
        weights: Names of its weights, in Keras' order and shapes.
        settings: Plain values: see `Op`.
    """

    op: Op
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    weights: tuple[Value, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """A whole forecaster.

    Attributes:
        inputs: What goes in.
        outputs: What comes out.
        nodes: In an order in which each finds what it reads.
        constants: Numbers that nodes read as inputs, by name.
        weights: What is learnt, by name.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    nodes: tuple[Node, ...]
    constants: dict[Value, Array]
    weights: dict[Value, Array]


class GraphBuilder:
    """Writes a graph operation by operation; each method returns the name of what it makes."""

    def __init__(self) -> None:
        self._inputs: list[Port] = []
        self._outputs: list[Port] = []
        self._nodes: list[Node] = []
        self._constants: dict[Value, Array] = {}
        self._weights: dict[Value, Array] = {}

    def read(self, name: str, dtype: str, shape: Sequence[int | None]) -> Value:
        """Add an input; `shape` is that of one lane."""
        self._inputs.append(Port(name, dtype, tuple(shape)))
        return name

    def give(self, name: str, value: Value, dtype: str, shape: Sequence[int | None]) -> None:
        """Name a value as an output; `shape` is that of one lane."""
        self._nodes.append(Node(Op.reshape, (value,), (name,), settings={"shape": [-1, *shape]}))
        self._outputs.append(Port(name, dtype, tuple(shape)))

    def constant(self, numbers: Any, dtype: str) -> Value:
        """Add numbers."""
        name = f"number_{len(self._constants) + 1}"
        self._constants[name] = np.asarray(numbers, dtype)
        return name

    def put(self, op: Op, *inputs: Value, **settings: Any) -> Value:
        """Add an operation with one output and no weights."""
        (output,) = self._add(op, inputs, 1, (), settings)
        return output

    def dense(self, value: Value, kernel: Array, bias: Array | None = None) -> Value:
        """Multiply the last axis with a kernel, (inputs, outputs), and add a bias, (outputs,)."""
        weights = [kernel] if bias is None else [kernel, bias]
        (output,) = self._add(Op.dense, (value,), 1, weights, {})
        return output

    def recurrent(
        self, cell: Cell, value: Value, weights: Sequence[Array], states: Sequence[Value], every_step: bool
    ) -> tuple[Value, list[Value]]:
        """Run a cell along axis 1.

        Args:
            cell: Which cell.
            value: Shape (lanes, steps, inputs).
            weights: Kernel, recurrent kernel and bias, as Keras' `get_weights` gives them.
            states: h (and c) before the first step, each (lanes, units); empty: zero.
            every_step: Whether it gives all steps, (lanes, steps, units), or the last one, (lanes, units).

        Returns:
            The outputs, and the states after the last step.
        """
        settings = {"cell": cell.value, "every_step": every_step}
        output, *after = self._add(Op.recurrent, (value, *states), 1 + NUM_STATES[cell], weights, settings)
        return output, after

    def build(self) -> Graph:
        """Return the graph."""
        ports = tuple(self._inputs), tuple(self._outputs)
        return Graph(*ports, tuple(self._nodes), dict(self._constants), dict(self._weights))

    def _add(
        self, op: Op, inputs: Sequence[Value], count: int, weights: Sequence[Array], settings: dict[str, Any]
    ) -> list[Value]:
        number = len(self._nodes) + 1
        names = [f"{op.value}_{number}" + (f"_{place}" if place else "") for place in range(count)]
        own = []
        for weight in weights:
            own.append(f"weight_{len(self._weights) + 1}")
            self._weights[own[-1]] = np.asarray(weight, np.float32)
        self._nodes.append(Node(op, tuple(inputs), tuple(names), tuple(own), settings))
        return names
