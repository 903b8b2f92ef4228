"""Parity, a theorem of the recurrence: however a series is cut, a carried state gives the same forecasts.

The reference is a real Keras network with stateful=True, fed batch by batch. The Forecaster must give its numbers.
"""

from dataclasses import replace

import keras
import numpy as np
import pytest

from pipeline.config.schema import Cell, Config, LagsAs, Order
from pipeline.models.keras_network import build_serving_network, build_streaming_network, build_training_network
from pipeline.training.forecaster import Forecaster

TOLERANCE = 1e-5
ARCHITECTURES = [(Cell.lstm, [3]), (Cell.gru, [3]), (Cell.simple_rnn, [3]), (Cell.lstm, [3, 2])]
STEPS = 12


@pytest.fixture(scope="module", params=ARCHITECTURES, ids=lambda p: f"{p[0].name}-{len(p[1])}")
def model(request: pytest.FixtureRequest) -> dict[str, object]:
    return {"cell": request.param[0], "units": request.param[1]}


def stateful_network(config: Config, lanes: int = 1) -> keras.Model:
    """A real stateful network with `lanes` lanes, and the same weights whatever their number."""
    keras.utils.set_random_seed(5)
    return build_training_network(replace(config, batch_size=lanes), num_features=1, num_outputs=1)


def feed(network: keras.Model, batches: np.ndarray) -> np.ndarray:
    """Feed (batches, lanes, steps, features) in order; return the outputs, one per batch."""
    return np.array([network(batch, training=False).numpy() for batch in batches])


@pytest.fixture(scope="module")
def series(make_config, make_data) -> np.ndarray:
    return make_data(make_config()).windows.inputs[:STEPS]  # (steps, features = 1)


@pytest.fixture(scope="module")
def whole(model, make_config, series) -> np.ndarray:
    """Outputs of the streaming twin for the whole series at once. Shape (steps, outputs = 1)."""
    config = make_config(stateful=True, model=model)
    twin = build_streaming_network(config, 1, 1)
    twin.set_weights(stateful_network(config).get_weights())
    return twin(series[None], training=False).numpy()[0]


@pytest.mark.parametrize(("look_back", "return_sequences"), [(1, False), (4, False), (4, True)])
def test_chunks_with_carried_state_equal_the_whole(
    model, look_back, return_sequences, make_config, series, whole
) -> None:
    """Test forecasts would come from another state than the trained stateful network has."""
    config = make_config(look_back=look_back, stateful=True, return_sequences=return_sequences, model=model)
    outputs = feed(stateful_network(config), series.reshape(-1, 1, look_back, 1))
    expected = whole if return_sequences else whole[look_back - 1 :: look_back]
    np.testing.assert_allclose(outputs.reshape(-1, 1), expected, atol=TOLERANCE)


def test_lanes_side_by_side_equal_each_alone(model, make_config) -> None:
    """A batch of 400 stocks would give each stock another forecast than training it alone."""
    lanes = np.random.default_rng(1).normal(size=(3, STEPS, 1)).astype(np.float32)
    config = make_config(look_back=4, stateful=True, return_sequences=True, model=model)
    together = feed(stateful_network(config, lanes=3), lanes.reshape(3, -1, 4, 1).transpose(1, 0, 2, 3))
    twin = build_streaming_network(config, 1, 1)
    twin.set_weights(stateful_network(config).get_weights())
    for number, lane in enumerate(lanes):
        alone = twin(lane[None], training=False).numpy()[0]
        np.testing.assert_allclose(together[:, number].reshape(-1, 1), alone, atol=TOLERANCE)


@pytest.mark.parametrize("return_sequences", [True, False])
def test_forecaster_equals_chunks(return_sequences, make_config, make_data) -> None:
    """The logged forecasts would not be those of the trained stateful network."""
    config = make_config(stateful=True, return_sequences=return_sequences)
    windows = make_data(config).windows
    network = stateful_network(config)
    chunks = windows.starts[:: config.look_back]
    outputs = feed(network, windows.gather_inputs(chunks)[:, None])
    last = outputs[:, 0, -1] if return_sequences else outputs[:, 0]
    forecasts = Forecaster(config, windows).forecast(network.get_weights(), windows.starts)
    assert forecasts.shape == (len(windows.starts), 1)
    np.testing.assert_allclose(forecasts[:: config.look_back], last, atol=TOLERANCE)


@pytest.mark.parametrize(
    "dataset",
    [{"order": Order.overlapping}, {"lags_as": LagsAs.features}],
    ids=["overlapping", "features"],
)
def test_forecaster_reads_every_window_in_order(dataset, make_config, make_data) -> None:
    """Presets of published numbers, and lags as features, would be forecast by feeding rows the tutorial never fed."""
    config = make_config(stateful=True, dataset=dataset)
    windows = make_data(config).windows
    keras.utils.set_random_seed(5)
    network = build_training_network(config, windows.num_features, 1)
    outputs = feed(network, windows.gather_inputs(windows.starts)[:, None])
    forecasts = Forecaster(config, windows).forecast(network.get_weights(), windows.starts)
    np.testing.assert_allclose(forecasts, outputs[:, 0], atol=TOLERANCE)


@pytest.mark.parametrize("changes", [{}, {"return_sequences": True}, {"dataset": {"order": Order.overlapping}}])
def test_part_of_the_starts_gives_the_same_forecasts(changes, make_config, make_data) -> None:
    """Validation forecasts during training would differ from the ones that are scored: asked for alone, they change."""
    config = make_config(stateful=True, **changes)
    windows = make_data(config).windows
    weights = stateful_network(config).get_weights()
    forecaster = Forecaster(config, windows)
    some = windows.starts[[7, 8, 20, 30]]
    everything = forecaster.forecast(weights, windows.starts)
    np.testing.assert_allclose(forecaster.forecast(weights, some), everything[[7, 8, 20, 30]], atol=TOLERANCE)


@pytest.mark.parametrize(("cell", "return_sequences"), [(Cell.lstm, False), (Cell.gru, True)])
def test_serving_twin_given_the_whole_past(cell, return_sequences, make_config, make_data) -> None:
    """The served model of a stateful network would answer with other numbers than predictions.csv."""
    config = make_config(stateful=True, return_sequences=return_sequences, model={"cell": cell, "units": [3, 2]})
    windows = make_data(config).windows
    weights = stateful_network(config).get_weights()
    forecasts = Forecaster(config, windows).forecast(weights, windows.starts)
    serving = build_serving_network(config, 1, 1)
    serving.set_weights(weights)
    for position in (0, 20, len(windows.starts) - 1):
        origin = windows.spec.origins(windows.starts)[position]
        answer = serving(windows.inputs[None, : origin + 1], training=False).numpy()
        last = answer[0, -1] if return_sequences else answer[0]
        np.testing.assert_allclose(last, forecasts[position], atol=TOLERANCE)
