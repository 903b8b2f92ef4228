"""Forecasts from weights: what each one may depend on, and that a window answers for itself when stateless."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from pipeline.config.schema import LagsAs, Transform
from pipeline.data.reading import read_in_order
from pipeline.models.keras_network import build_training_network
from pipeline.training import forecaster as forecaster_module
from pipeline.training.forecaster import Forecaster

LAST_TRAINING_ROW = 25


@pytest.mark.parametrize("stateful", [False, True])
def test_what_a_changed_training_value_changes(stateful, make_config, make_data) -> None:
    """Test forecasts would start cold when stateful; or a stateless network would know more than its window."""
    config = make_config(look_back=6, stateful=stateful, model={"units": [8]})
    data = make_data(config)
    windows = data.windows
    keras.utils.set_random_seed(2)
    weights = build_training_network(config, 1, 1).get_weights()
    inputs = windows.inputs.copy()
    inputs[LAST_TRAINING_ROW] += 1
    before = Forecaster(config, windows).forecast(weights, windows.starts)
    after = Forecaster(config, replace(windows, inputs=inputs)).forecast(weights, windows.starts)

    changed = (before != after).any(axis=1)
    origins = windows.spec.origins(windows.starts)
    assert not changed[origins < LAST_TRAINING_ROW].any()  # no forecast sees the future
    in_window = (windows.starts <= LAST_TRAINING_ROW) & (origins >= LAST_TRAINING_ROW)
    assert changed[in_window].all()
    first_target_is_test = origins + 1 >= np.argmax(data.split.rows("test"))
    beyond_the_window = first_target_is_test & ~in_window
    assert (first_target_is_test & in_window).any()
    assert beyond_the_window.sum() == 8  # origins 31..38
    assert changed[beyond_the_window][:5].all() if stateful else not changed[beyond_the_window].any()


@pytest.mark.parametrize("changes", [{}, {"return_sequences": True}, {"dataset": {"lags_as": LagsAs.features}}])
def test_stateless_forecast_is_the_last_output_of_each_window(changes, make_config, make_data, monkeypatch) -> None:
    """A stateless forecast would be read from another window or step; or differ when many windows are asked at once."""
    config = make_config(**changes)
    windows = make_data(config).windows
    network = build_training_network(config, windows.num_features, 1)
    expected = network(windows.gather_inputs(windows.starts), training=False).numpy()
    expected = expected[:, -1] if config.return_sequences else expected
    monkeypatch.setattr(forecaster_module, "_WINDOWS_AT_ONCE", 7)  # several rounds, the last one smaller
    forecasts = Forecaster(config, windows).forecast(network.get_weights(), windows.starts)
    assert forecasts.shape == (len(windows.starts), 1)
    np.testing.assert_allclose(forecasts, expected, atol=1e-6)


def test_forecasts_are_made_without_dropout(make_config, make_data) -> None:
    """Two forecasts with the same weights would differ by chance: dropout stayed on."""
    config = make_config(model={"dropout": 0.5, "recurrent_dropout": 0.5})
    windows = make_data(config).windows
    weights = build_training_network(config, 1, 1).get_weights()
    forecaster = Forecaster(config, windows)
    first = forecaster.forecast(weights, windows.starts)
    np.testing.assert_array_equal(first, forecaster.forecast(weights, windows.starts))


def test_reading_begins_after_rows_lost_to_differences(make_config, make_data) -> None:
    """A stateful network would read NaN rows that a difference left undefined: every forecast would be NaN."""
    config = make_config(stateful=True, dataset={"transforms": [Transform.difference]})
    windows = make_data(config).windows
    first_rows, positions, lanes = read_in_order(config, windows, windows.starts)
    assert first_rows.shape[1] == 1 and not lanes.any()
    sequence = windows.gather_steps(first_rows[:, 0])
    assert windows.starts[0] == 1
    assert np.isfinite(sequence).all()
    np.testing.assert_array_equal(sequence[positions], windows.inputs[windows.spec.origins(windows.starts)])
