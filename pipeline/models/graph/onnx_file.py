"""A graph as an ONNX file: recurrent layers are ONNX' own LSTM, GRU and RNN, all else its plain operators.

Source of the order of gates: https://onnx.ai/onnx/operators/ (LSTM: i o f c; GRU: z r h; Keras: i f c o; z r h).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipeline.base.paths import replace_file
from pipeline.config.schema import Cell
from pipeline.models.graph.graph import Array, Graph, Node, Op, Port
from pipeline.models.plan import GATES

_OPSET, _IR = 17, 8  # what runtimes since 2022 read
_TYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
_SAME = {
    Op.add: "Add", Op.subtract: "Sub", Op.multiply: "Mul", Op.divide: "Div", Op.maximum: "Max", Op.log: "Log",
    Op.exp: "Exp", Op.sqrt: "Sqrt", Op.tanh: "Tanh", Op.softplus: "Softplus",
}  # fmt: skip
_CELLS = {Cell.lstm: "LSTM", Cell.gru: "GRU", Cell.simple_rnn: "RNN"}
_ORDERS = {Cell.lstm: (0, 3, 1, 2), Cell.gru: (0, 1, 2), Cell.simple_rnn: (0,)}  # of Keras' gates
_END = np.iinfo(np.int64).max


def write_onnx(graph: Graph, path: Path, about: str) -> None:
    """Write an ONNX file; inputs and outputs have the names of the graph, `lanes` in front of every shape."""
    writer = _Writer(graph)
    for node in graph.nodes:
        writer.write(node)
    made = helper.make_graph(
        writer.nodes,
        "forecaster",
        [_show(port) for port in graph.inputs],
        [_show(port) for port in graph.outputs],
        initializer=[numpy_helper.from_array(array, name) for name, array in writer.numbers.items()],
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR, producer_name="lstm-pipeline"
    )
    model.doc_string = about
    onnx.checker.check_model(model, full_check=True)
    with replace_file(path) as file:
        file.write(model.SerializeToString())


def open_onnx(path: Path) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return what runs an ONNX file on one core: arrays by name in, arrays by name out."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_outputs()]
    return lambda given: dict(zip(names, session.run(None, dict(given)), strict=True))


class _Writer:
    """The nodes of ONNX, and the numbers that they read."""

    def __init__(self, graph: Graph) -> None:
        self.nodes: list[Any] = []
        self.numbers: dict[str, Array] = dict(graph.constants)
        self._weights = graph.weights
        used = {name for node in graph.nodes for name in node.inputs} | {port.name for port in graph.outputs}
        self._used = used

    def write(self, node: Node) -> None:
        """Write one operation."""
        (first, *_), output, settings = node.inputs, node.outputs[0], node.settings
        if node.op in _SAME:
            self._put(_SAME[node.op], node.inputs, output)
            return
        match node.op:
            case Op.cast:
                self._put("Cast", [first], output, to=_TYPES[settings["dtype"]])
            case Op.mean:
                self._put("ReduceMean", [first], output, axes=[settings["axis"]], keepdims=1)
            case Op.reshape:
                self._put("Reshape", [first, self._integers(output, settings["shape"])], output)
            case Op.slice:
                start, stop = settings["start"] or 0, _END if settings["stop"] is None else settings["stop"]
                ends = [self._integers(f"{output}_{each}", [each]) for each in (start, stop, settings["axis"])]
                self._put("Slice", [first, *ends], output)
            case Op.take:
                self._put("Gather", [first, self._integers(output, settings["places"])], output, axis=settings["axis"])
            case Op.concat:
                self._put("Concat", node.inputs, output, axis=settings["axis"])
            case Op.above_zero:
                zero = self._number(f"{output}_zero", np.zeros((), np.float32))
                self._choose("Greater", [first, zero], node.inputs[1:], output)
            case Op.fill_nan:
                self._choose("IsNaN", [first], [node.inputs[1], first], output)
            case Op.dense:
                self._dense(node)
            case Op.recurrent:
                self._recurrent(node)

    def _dense(self, node: Node) -> None:
        kernel, *bias = (self._number(name, self._weights[name]) for name in node.weights)
        (output,) = node.outputs
        if not bias:
            self._put("MatMul", [*node.inputs, kernel], output)
            return
        self._put("MatMul", [*node.inputs, kernel], f"{output}_product")
        self._put("Add", [f"{output}_product", *bias], output)

    def _recurrent(self, node: Node) -> None:
        cell, (output, *states) = Cell(node.settings["cell"]), node.outputs
        value, *before = node.inputs
        weights = [self._number(name, each) for name, each in zip(node.weights, self._reorder(node, cell), strict=True)]
        self._put("Transpose", [value], f"{output}_steps", perm=[1, 0, 2])
        zero = self._integers(f"{output}_front", [0])
        for state in before:
            self._put("Unsqueeze", [state, zero], f"{output}_{state}")
        own = [f"{output}_{state}" for state in before]
        units = self._weights[node.weights[1]].shape[0]
        named: dict[str, Any] = {"linear_before_reset": 1} if cell is Cell.gru else {}
        every, last = (f"{output}_every" if node.settings["every_step"] else ""), [f"{state}_last" for state in states]
        inputs = [f"{output}_steps", *weights, *(["", *own] if own else [])]
        made = [every, *(name if self._needs(node, place) else "" for place, name in enumerate(last))]
        self.nodes.append(
            helper.make_node(_CELLS[cell], inputs, made, name=f"{output}_cell", hidden_size=units, **named)
        )
        for state in states:
            if state in self._used:
                self._put("Squeeze", [f"{state}_last", zero], state)
        if not every:
            self._put("Squeeze", [last[0], zero], output)
            return
        self._put("Squeeze", [every, self._integers(f"{output}_direction", [1])], f"{output}_lanes")
        self._put("Transpose", [f"{output}_lanes"], output, perm=[1, 0, 2])

    def _needs(self, node: Node, place: int) -> bool:
        """Whether a state after the last step is read; h is also what a layer gives that does not give every step."""
        return node.outputs[1 + place] in self._used or (place == 0 and not node.settings["every_step"])

    def _reorder(self, node: Node, cell: Cell) -> list[Array]:
        """Return kernel, (1, gates x units, inputs), recurrent kernel and both biases, (1, 2 x gates x units)."""
        kernel, recurrent_kernel, bias = (self._weights[name] for name in node.weights)
        both = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])  # for the inputs, and for h

        def order(weight: Array) -> Array:
            gates = np.split(weight, GATES[cell], axis=-1)
            return np.concatenate([gates[gate] for gate in _ORDERS[cell]], axis=-1)

        return [order(kernel).T[None], order(recurrent_kernel).T[None], order(both).reshape(1, -1)]

    def _choose(self, test: str, tested: Sequence[str], choices: Sequence[str], output: str) -> None:
        self._put(test, tested, f"{output}_test")
        self._put("Where", [f"{output}_test", *choices], output)

    def _put(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))

    def _integers(self, name: str, numbers: Sequence[int]) -> str:
        return self._number(f"{name}_integers", np.array(numbers, np.int64))

    def _number(self, name: str, array: Array) -> str:
        self.numbers[name] = np.ascontiguousarray(array)
        return name


def _show(port: Port) -> Any:
    shape = ["lanes", *("rows" if length is None else length for length in port.shape)]
    return helper.make_tensor_value_info(port.name, _TYPES[port.dtype], shape)
