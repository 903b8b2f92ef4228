"""The contract of every network: shapes, one list of weights for all builds, saved and loaded unchanged."""

import keras
import numpy as np
import pytest

from pipeline.config.schema import Cell, Config, DatasetConfig, LagsAs, ModelConfig
from pipeline.models.keras_network import build_serving_network, build_streaming_network, build_training_network

FEATURES, OUTPUTS = 2, 3


def random_inputs(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.fixture(
    params=[(cell, units) for cell in Cell for units in ((3,), (3, 2))], ids=lambda p: f"{p[0].name}-{p[1]}"
)
def architecture(request: pytest.FixtureRequest) -> tuple[Cell, tuple[int, ...]]:
    return request.param


@pytest.mark.parametrize("stateful", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_shapes_and_weights_of_every_build(architecture, stateful, return_sequences, make_config) -> None:
    """A configuration that trains could not be forecast with or served: shapes or weights of the twins do not fit."""
    config = make_config(*architecture, stateful=stateful, return_sequences=return_sequences)
    training = build_training_network(config, FEATURES, OUTPUTS)
    streaming = build_streaming_network(config, FEATURES, OUTPUTS)
    serving = build_serving_network(config, FEATURES, OUTPUTS)

    assert training.input_shape == (2 if stateful else None, 4, FEATURES)
    assert training.output_shape == ((2 if stateful else None), *((4,) if return_sequences else ()), OUTPUTS)
    assert streaming.input_shape == (None, None, FEATURES)
    assert serving.input_shape == (None, None if stateful else 4, FEATURES)

    weights = training.get_weights()
    streaming.set_weights(weights)
    serving.set_weights(weights)
    window = random_inputs(2, 4, FEATURES)
    outputs = training(window, training=False).numpy()  # (2, [4,] outputs)
    served = serving(window, training=False).numpy()
    streamed = streaming(window[:1], training=False).numpy()  # (1, 4, outputs)
    assert streamed.shape == (1, 4, OUTPUTS)
    np.testing.assert_allclose(served, outputs, atol=1e-6)
    np.testing.assert_allclose(streamed[0] if return_sequences else streamed[0, -1], outputs[0], atol=1e-6)


@pytest.mark.parametrize("stateful", [False, True])
def test_only_the_training_network_is_stateful(stateful, make_config) -> None:
    """Serving or forecasting would remember earlier requests, or training would forget between batches."""
    config = make_config(stateful=stateful)

    def is_stateful(network: keras.Model) -> bool:
        return any(layer.stateful for layer in network.layers if isinstance(layer, keras.layers.RNN))

    assert is_stateful(build_training_network(config, FEATURES, OUTPUTS)) is stateful
    assert not is_stateful(build_streaming_network(config, FEATURES, OUTPUTS))
    assert not is_stateful(build_serving_network(config, FEATURES, OUTPUTS))


@pytest.mark.parametrize(("cell", "weights_per_layer"), [(Cell.lstm, 4), (Cell.gru, 3), (Cell.simple_rnn, 1)])
def test_number_of_weights(cell, weights_per_layer, make_config) -> None:
    """model.cell or model.units would not reach the layers: the network is not the one that was asked for."""
    network = build_training_network(make_config(cell, (5, 2)), FEATURES, OUTPUTS)
    extra_bias = 1 if cell is Cell.gru else 0  # Keras' GRU has one bias for the input and one for the state
    layers = [units * (inputs + units + 1 + extra_bias) for inputs, units in ((FEATURES, 5), (5, 2))]
    assert network.count_params() == weights_per_layer * sum(layers) + (2 + 1) * OUTPUTS


def test_dropout_reaches_every_layer() -> None:
    """model.dropout and model.recurrent_dropout would be logged as parameters but have no effect."""
    config = Config(model=ModelConfig(units=[3, 2], dropout=0.25, recurrent_dropout=0.5))
    layers = [layer for layer in build_training_network(config, 1, 1).layers if isinstance(layer, keras.layers.RNN)]
    assert [(layer.dropout, layer.recurrent_dropout) for layer in layers] == [(0.25, 0.5)] * 2


def test_lags_as_features_is_one_time_step() -> None:
    """The second framing of the tutorial would train a network that still sees look_back time steps."""
    config = Config(look_back=6, dataset=DatasetConfig(lags_as=LagsAs.features))
    assert build_training_network(config, 6, 1).input_shape == (None, 1, 6)


def test_building_twice_changes_nothing_of_the_configuration(make_config) -> None:
    """A run could not be rebuilt from its logged configuration: building the network changed it."""
    config, untouched = make_config(units=(3, 2)), make_config(units=(3, 2))
    build_training_network(config, FEATURES, OUTPUTS)
    assert config == untouched
