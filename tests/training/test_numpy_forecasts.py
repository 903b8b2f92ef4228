"""Forecasts in NumPy, by which runs are re-scored, against those of Keras and of the fused engine."""

import keras
import numpy as np
import pytest

from pipeline.config.schema import Cell, Horizons, LagsAs, Normalise, Order, Protocol, Skip, Wiring
from pipeline.models.keras_network import build_training_network
from pipeline.models.numpy_network import build_numpy_network
from pipeline.models.plan import plan_layers
from pipeline.serving import windows as windows_module
from pipeline.serving.windows import forecast_windows
from pipeline.training.forecaster import Forecaster
from pipeline.training.train import train_seeds

MODES = {
    "stateless": {},
    "many-to-many": {"return_sequences": True},
    "lags as features": {"dataset": {"lags_as": LagsAs.features}},
    "encoder-decoder": {
        "horizon": 2, "dataset": {"horizons": Horizons.all}, "model": {"wiring": Wiring.encoder_decoder}
    },
    "normalised": {"dataset": {"normalise": Normalise.window_standard}},
    "GRU, skip": {"model": {"cell": Cell.gru, "skip": Skip.linear}},
    "stateful": {"stateful": True},
    "stateful many-to-many": {"stateful": True, "return_sequences": True},
    "stateful lags as features": {"stateful": True, "dataset": {"lags_as": LagsAs.features}},
    "stateful, overlapping": {"stateful": True, "dataset": {"order": Order.overlapping}},
    "stateful, two layers": {"stateful": True, "model": {"units": [3, 2]}},
}  # fmt: skip


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("mode", MODES)
def test_numpy_forecasts_what_keras_does(mode, protocol, make_config, make_data, monkeypatch) -> None:
    """A run would be re-scored with forecasts that its network never made."""
    if mode == "encoder-decoder" and protocol is Protocol.tutorial:
        return  # refused: the tutorial forecasts one step
    config = make_config(protocol=protocol, **MODES[mode])
    data = make_data(config)
    monkeypatch.setattr(windows_module, "_WINDOWS_AT_ONCE", 7)  # several rounds, the last one smaller
    keras.utils.set_random_seed(4)
    windows = data.windows
    weights = build_training_network(config, *windows.interface).get_weights()
    expected = Forecaster(config, windows).forecast(weights, windows.starts)
    plain = build_numpy_network(plan_layers(config, *windows.interface), weights)
    forecasts = forecast_windows(config, windows, plain)
    assert forecasts.shape == (len(windows.starts), windows.num_outputs)
    np.testing.assert_allclose(forecasts, expected, atol=1e-6)


@pytest.mark.parametrize("mode", [pytest.param("many-to-many", marks=pytest.mark.thorough), "stateful, overlapping"])
def test_numpy_forecasts_what_a_training_left(mode, make_config, make_data, ignore_epoch) -> None:
    """The forecasts of a run and those of its saved weights would be two things."""
    config = make_config(protocol=Protocol.tutorial, seeds=2, **MODES[mode])
    data = make_data(config)
    training = train_seeds(config, data, ignore_epoch)
    layers = plan_layers(config, 1, 1)
    for seed, expected in zip(training.seeds, training.forecasts, strict=True):
        forecasts = forecast_windows(config, data.windows, build_numpy_network(layers, seed.weights))
        np.testing.assert_allclose(forecasts, expected, atol=1e-5)


def test_under_the_tutorials_protocol_the_test_part_begins_cold(make_config, make_data) -> None:
    """Training rows would reach the test forecasts although the parts are windowed apart."""
    for protocol, reaches in ((Protocol.fair, True), (Protocol.tutorial, False)):
        config = make_config(protocol=protocol, stateful=True)
        values = np.random.default_rng(8).normal(size=(40, 1))
        keras.utils.set_random_seed(4)
        weights = build_training_network(config, 1, 1).get_weights()
        plain = build_numpy_network(plan_layers(config, 1, 1), weights)
        found = []
        for change in (0.0, 0.5):  # inside the range of the training part: the scaler stays
            values[29] += change * (0.0 - values[29])
            data = make_data(config, values)
            outputs = forecast_windows(config, data.windows, plain)
            found.append(outputs[data.windows.spec.origins(data.windows.starts) >= 33])
        assert (found[0] != found[1]).any() == reaches
