"""The state of a stateful network: h (and c) of every recurrent layer, one row per lane."""

import keras


def reset_states(network: keras.Model) -> None:
    """Set every state to zero. Keras 3 has this for layers only, not for a model."""
    for layer in _recurrent_layers(network):
        layer.reset_state()


def get_states(network: keras.Model) -> list[list[object]]:
    """Return a copy of the state of every recurrent layer, each array of shape (lanes, units)."""
    return [
        [keras.ops.convert_to_numpy(state).copy() for state in layer.states] for layer in _recurrent_layers(network)
    ]


def _recurrent_layers(network: keras.Model) -> list[keras.layers.RNN]:
    return [layer for layer in network.layers if isinstance(layer, keras.layers.RNN) and layer.stateful]
