"""Where the state is set to zero, also when Keras runs many batches per call from Python."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.schema import Order
from pipeline.data.lanes import batch_lanes, cut_lanes
from pipeline.models.state import get_states, reset_states
from pipeline.training import fit
from pipeline.training.fit import steps_per_call, train_seed
from pipeline.training.forecaster import Forecaster


@given(
    num_windows=st.integers(1, 400),
    stride=st.integers(1, 12),
    segments=st.integers(1, 5),
    batch_size=st.integers(1, 6),
)
@settings(deadline=None, derandomize=True)
def test_no_reset_falls_inside_a_call(num_windows, stride, segments, batch_size) -> None:
    """Keras would run past a border of lanes: a lane starts with the state of another one."""
    starts = np.arange(num_windows)
    lanes = batch_lanes(cut_lanes([starts], Order.phases, stride, segments), batch_size, starts)
    steps = steps_per_call(lanes, num_batches=0)
    assert 1 <= steps <= 64
    assert not (np.flatnonzero(lanes.resets) % steps).any()


@pytest.mark.parametrize(
    ("num_windows", "stride", "expected"), [(128, 1, 64), (120, 1, 64), (24, 2, 12), (23, 2, 12), (7, 3, 1), (6, 3, 2)]
)
def test_known_numbers_of_steps_per_call(num_windows, stride, expected) -> None:
    """Training would be slower than it needs to be: groups of equal length can be run many batches at a time."""
    starts = np.arange(num_windows)
    lanes = batch_lanes(cut_lanes([starts], Order.phases, stride, segments=1), 1, starts)
    assert steps_per_call(lanes, num_batches=0) == expected


@pytest.mark.parametrize(("num_batches", "expected"), [(1, 1), (63, 63), (64, 64), (1000, 64)])
def test_steps_per_call_of_a_stateless_network(num_batches, expected) -> None:
    """A stateless training would be slower than it needs to be, or Keras would be asked for more than one epoch."""
    assert steps_per_call(None, num_batches) == expected


@pytest.mark.thorough
def test_batches_per_call_change_no_number(make_config, make_data, ignore_epoch, monkeypatch) -> None:
    """A faster setting would train another network: batches of the last, shorter call are lost or counted twice."""
    config = make_config()
    data = make_data(config)
    assert len(data.windows.train) == 23  # 10, 10 and 3 batches
    trainings = []
    for batches in (1, 10):
        monkeypatch.setattr(fit, "_STEPS_PER_CALL", batches)
        trainings.append(train_seed(config, data, Forecaster(config, data.windows), 1, ignore_epoch))
    single, many = trainings
    assert many.losses == pytest.approx(single.losses, rel=1e-5)
    for one, other in zip(many.weights, single.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_state_is_reset_where_lanes_begin(make_config, make_data, ignore_epoch, monkeypatch) -> None:
    """A lane would start with the state of the lane before it, or lose its state in the middle."""
    config = make_config(look_back=2, stateful=True)
    data = make_data(config)
    assert steps_per_call(data.lanes, 0) == 12  # Keras runs a whole lane in one call from Python
    batches_before_reset = []

    def spy(network: keras.Model) -> None:
        batches_before_reset.append(int(network.optimizer.iterations))
        carried = any(state.any() for layer in get_states(network) for state in layer)
        assert carried is (batches_before_reset[-1] > 0)  # the state was carried up to here
        reset_states(network)
        assert not any(state.any() for layer in get_states(network) for state in layer)

    monkeypatch.setattr(fit, "reset_states", spy)
    train_seed(config, data, Forecaster(config, data.windows), seed=1, on_epoch=ignore_epoch)
    assert batches_before_reset == [0, 12, 24, 36]  # two lanes, two epochs


def test_validation_does_not_disturb_training(make_config, make_data, ignore_epoch) -> None:
    """Looking at the validation part would change the state that training carries, and so the trained weights."""

    class NoValidation:
        def forecast(self, weights: list[np.ndarray], starts: np.ndarray) -> np.ndarray:
            return np.zeros((len(starts), 1), dtype=np.float32)

    config = make_config(look_back=2, stateful=True, training={"epochs": 3})
    data = make_data(config)
    validated = train_seed(config, data, Forecaster(config, data.windows), seed=1, on_epoch=ignore_epoch)
    alone = train_seed(config, data, NoValidation(), seed=1, on_epoch=ignore_epoch)
    assert validated.val_losses != alone.val_losses
    assert validated.losses == alone.losses
    for one, other in zip(validated.weights, alone.weights, strict=True):
        np.testing.assert_array_equal(one, other)
