"""The shapes and parameters are those of the network: by the formulas of the cells, and as Keras counts them."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from pipeline.config.schema import Cell, Wiring
from pipeline.explanation.facts.shapes import count_parameters
from pipeline.models.keras_network import build_training_network
from pipeline.models.plan import Kind, LayerPlan

MakeExplained = Callable[..., Any]
WIRINGS = [wiring for wiring in Wiring if wiring is not Wiring.auto]


@pytest.mark.parametrize("cell", list(Cell))
@pytest.mark.parametrize("wiring", WIRINGS)
def test_shapes_and_parameters_are_those_of_keras(make_explained: MakeExplained, wiring: Wiring, cell: Cell) -> None:
    """Breaks what a newcomer learns from: a shape or a number of parameters is not that of the trained network."""
    case = make_explained(wiring=wiring, cell=cell, units=[5, 3])
    windows = case.data.windows
    network = build_training_network(case.config, windows.num_features, windows.num_outputs)
    assert case.facts.num_parameters == network.count_params()
    parameters = {layer.name: layer.num_parameters for layer in case.facts.layers}
    shapes = {tensor.name: tensor.shape for tensor in case.facts.tensors if not tensor.is_state}
    assert shapes["window"] == network.input_shape[1:] == windows.gather_inputs(windows.train[:2]).shape[1:]
    assert shapes["target"] == network.output_shape[1:] == windows.gather_targets(windows.train[:2]).shape[1:]
    for layer in network.layers[1:]:
        assert shapes[layer.name] == layer.output.shape[1:]
        assert parameters.get(layer.name, 0) == layer.count_params()
    assert all(len(tensor.axes) == len(tensor.shape) for tensor in case.facts.tensors)


@pytest.mark.parametrize("cell", list(Cell))
def test_formulas_give_the_numbers_beside_them(make_explained: MakeExplained, cell: Cell) -> None:
    """Breaks trust: the formula of a layer does not give its number of parameters."""
    for layer in make_explained(cell=cell, units=[7, 2]).facts.layers:
        assert eval(layer.formula.replace("x", "*")) == layer.num_parameters


@pytest.mark.parametrize(
    ("cell", "expected", "formula"),
    [
        (Cell.lstm, 4 * (5 * (5 + 2) + 5), "4 x (5 x (5 + 2) + 5)"),
        (Cell.gru, 3 * (5 * (5 + 2) + 2 * 5), "3 x (5 x (5 + 2) + 2 x 5)"),  # a bias for its inputs, one for h
        (Cell.simple_rnn, 5 * (5 + 2) + 5, "5 x (5 + 2) + 5"),
    ],
)
def test_cells_are_counted_by_the_formulas_of_the_textbooks(cell: Cell, expected: int, formula: str) -> None:
    """Breaks what is learnt by heart: gates x (units x (units + inputs) + biases)."""
    (size,) = count_parameters([LayerPlan(Kind.recurrent, "one", inputs=2, outputs=5, cell=cell)])
    assert (size.num_parameters, size.formula) == (expected, formula)


@pytest.mark.parametrize(("cell", "states"), [(Cell.lstm, "state h and c"), (Cell.gru, "state h")])
def test_states_are_listed_with_their_layer(make_explained: MakeExplained, cell: Cell, states: str) -> None:
    """Breaks what stateful is about: a state has another size than its layer, or a GRU has a c."""
    tensors = make_explained(cell=cell, units=[5, 3]).facts.tensors
    found = [(layer.name, each.name, each.shape) for layer, each in pairwise(tensors) if each.is_state]
    assert found == [(f"{cell.value}_1", states, (5,)), (f"{cell.value}_2", states, (3,))]
