"""The state of a stateful network: carried from batch to batch, one row per lane, and set to zero on demand."""

import numpy as np
import pytest

from pipeline.config.schema import Cell
from pipeline.models.keras_network import build_streaming_network, build_training_network
from pipeline.models.state import get_states, reset_states

BATCHES = np.random.default_rng(3).normal(size=(2, 2, 4, 1)).astype(np.float32)  # (batches, lanes, steps, features)


@pytest.mark.parametrize("units", [(3,), (3, 2)])
@pytest.mark.parametrize("cell", list(Cell))
def test_state_is_carried_and_reset(cell, units, make_config) -> None:
    """A stateful network would start every batch anew, or reset_states would leave a layer's memory behind."""
    network = build_training_network(make_config(cell, units, stateful=True), 1, 1)
    first = network(BATCHES[0]).numpy()
    carried = network(BATCHES[1]).numpy()
    reset_states(network)
    assert all(not state.any() for layer in get_states(network) for state in layer)
    cold = network(BATCHES[1]).numpy()
    reset_states(network)
    again = network(BATCHES[0]).numpy()

    assert np.abs(carried - cold).max() > 1e-4
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(("cell", "per_layer"), [(Cell.lstm, 2), (Cell.gru, 1), (Cell.simple_rnn, 1)])
def test_get_states_copies_one_row_per_lane(cell, per_layer, make_config) -> None:
    """A kept state would change when the network goes on, or lanes would be mixed up."""
    network = build_training_network(make_config(cell, (3, 2), stateful=True), 1, 1)
    network(BATCHES[0])
    kept = get_states(network)
    before = [[state.copy() for state in layer] for layer in kept]
    network(BATCHES[1])

    assert [[state.shape for state in layer] for layer in kept] == [[(2, 3)] * per_layer, [(2, 2)] * per_layer]
    for layer, copies, now in zip(kept, before, get_states(network), strict=True):
        for state, copy, current in zip(layer, copies, now, strict=True):
            np.testing.assert_array_equal(state, copy)
            assert np.abs(state - current).max() > 1e-4


def test_lanes_do_not_see_each_other(make_config) -> None:
    """The state of one lane would leak into its neighbour: 400 stocks side by side would be one blur."""
    network = build_training_network(make_config(stateful=True), 1, 1)
    network(BATCHES[0])
    outputs = network(BATCHES[1]).numpy()
    changed = BATCHES.copy()
    changed[0, 1] += 1  # the past of lane 1 only
    reset_states(network)
    network(changed[0])
    others = network(changed[1]).numpy()

    np.testing.assert_array_equal(others[0], outputs[0])
    assert np.abs(others[1] - outputs[1]).max() > 1e-4


def test_stateless_twin_has_no_state(make_config) -> None:
    """reset_states or get_states would fail on a network that keeps no state, or invent one."""
    network = build_streaming_network(make_config(stateful=True), 1, 1)
    first = network(BATCHES[0, :1]).numpy()
    reset_states(network)
    assert get_states(network) == []
    np.testing.assert_array_equal(network(BATCHES[0, :1]).numpy(), first)
