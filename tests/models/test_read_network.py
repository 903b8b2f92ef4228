"""A network is read as a function, or refused by the name of what is not known."""

import keras
import pytest

from pipeline.models.normalise_layers import Normalise
from pipeline.models.read_network import NotCoveredError, read_network
from pipeline.models.skip_layer import Skip

FEATURES = 2


def build(layers: list[keras.layers.Layer]) -> keras.Model:
    inputs = hidden = keras.Input((5, FEATURES))
    for layer in layers:
        hidden = layer(hidden)
    return keras.Model(inputs, hidden)


REFUSED = {
    "is of the kind Bidirectional": [keras.layers.Bidirectional(keras.layers.LSTM(2))],
    "is of the kind LayerNormalization": [keras.layers.LayerNormalization()],
    "has activation=relu": [keras.layers.LSTM(2, activation="relu")],
    "has recurrent_activation=hard_sigmoid": [keras.layers.GRU(2, recurrent_activation="hard_sigmoid")],
    "has reset_after=False": [keras.layers.GRU(2, reset_after=False)],
    "has go_backwards=True": [keras.layers.LSTM(2, go_backwards=True)],
    "has use_bias=False": [keras.layers.SimpleRNN(2, use_bias=False)],
    "has recurrent_dropout=0.5": [keras.layers.LSTM(2, recurrent_dropout=0.5)],
    "has kernel_regularizer=": [keras.layers.LSTM(2, kernel_regularizer="l2")],
    "has recurrent_constraint=": [keras.layers.LSTM(2, recurrent_constraint="unit_norm")],
    "(Dense) has activation=relu": [keras.layers.LSTM(2), keras.layers.Dense(1, activation="relu")],
    "has mask_zero=True": [keras.layers.Flatten(), keras.layers.Embedding(3, 2, mask_zero=True)],
    "has output_mode=multi_hot": [keras.layers.CategoryEncoding(3, output_mode="multi_hot")],
    "is of the kind Reshape": [keras.layers.Reshape((-1,)), keras.layers.Dense(2)],
    "computes in float16": [keras.layers.LSTM(2, dtype="float16")],
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_covered_is_refused_by_name(reason) -> None:
    """A network would be trained as another one that looks like it."""
    with pytest.raises(NotCoveredError) as refusal:
        read_network(build(REFUSED[reason]))
    assert reason in str(refusal.value)


def test_a_network_that_branches_is_refused() -> None:
    """Layers side by side would be run one after another."""
    inputs = keras.Input((4, FEATURES))
    both = [keras.layers.LSTM(2)(inputs), keras.layers.LSTM(2)(inputs)]
    with pytest.raises(NotCoveredError, match="does not follow the one before it"):
        read_network(keras.Model(inputs, keras.layers.Add()(both)))


def test_a_skip_over_something_else_than_the_core_is_refused() -> None:
    """A linear map of the raw window would be trained where the network has one of the normalised window."""
    inputs = keras.Input((4, FEATURES))
    read = Normalise("window_last", FEATURES, (0,))(inputs)
    outputs = keras.layers.Dense(1)(keras.layers.LSTM(2)(read))
    assert read_network(keras.Model(inputs, Skip(1)([outputs, read]))).layers[-1].num_weights == 1
    with pytest.raises(NotCoveredError, match=r"the layer skip.* does not follow the one before it"):
        read_network(keras.Model(inputs, Skip(1)([outputs, inputs])))
