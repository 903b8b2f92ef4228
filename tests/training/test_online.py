"""Online training against a plain loop: forecast, then learn, then go one row on; and no forecast knows its target."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, Engine, Optimizer, Order, Scaler
from pipeline.data.online import plan_online
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series
from pipeline.models.keras_network import build_training_network
from pipeline.training import online
from pipeline.training.devices import ON_CORES
from pipeline.training.engine import choose_engine
from pipeline.training.groups import make_groups
from pipeline.training.record import Training
from pipeline.training.train import train_seeds

LENGTHS, STARTS = (26, 19), (0, 4)  # two lanes of different length; the second begins and ends by itself
FILLED = 12


def lanes_of_noise() -> list[np.ndarray]:
    random = np.random.default_rng(3)
    return [random.normal(size=length) for length in LENGTHS]


def plain_series() -> Series:
    values = lanes_of_noise()[0][:, None]
    filled = np.zeros(values.shape, dtype=bool)
    filled[FILLED] = True
    return Series(pd.RangeIndex(len(values)), values, ("a",), ("a",), ("a",), filled, "test")


@dataclass(frozen=True)
class Passed:
    """One pass over a series."""

    config: Config
    data: PreparedData
    training: Training


@pytest.fixture(scope="module")
def configure(make_config) -> Any:
    def make(look_back: int, lanes: int, **changes: Any) -> Config:
        training = {"online": True, "optimizer": Optimizer.sgd, "learning_rate": 0.2} | changes.pop("training", {})
        dataset = {"scaler": Scaler.none, "test_fraction": 0.3, "validation_fraction": 0.2}
        dataset |= {"lane_column": "stock"} if lanes > 1 else {}
        return make_config(
            look_back=look_back, stateful=True, batch_size=lanes, dataset=dataset, training=training, **changes
        )

    return make


@pytest.fixture(scope="module")
def one_step(configure, ignore_epoch) -> Passed:
    """One series with a filled value, look_back=1, two seeds, cut into calls of ten steps."""
    config = configure(1, lanes=1, seeds=2)
    data = prepare_data(config, plain_series())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(online, "_STEPS_PER_CALL", 10)
        return Passed(config, data, train_seeds(config, data, ignore_epoch))


@pytest.fixture(scope="module")
def two_lanes(configure, ignore_epoch, make_panel) -> Passed:
    """Two lanes, look_back=2, a target at every step."""
    config = configure(2, lanes=2, return_sequences=True)
    data = prepare_data(config, make_panel(lanes_of_noise(), starts=STARTS))
    return Passed(config, data, train_seeds(config, data, ignore_epoch))


def plain_loop(passed: Passed, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """What `train_online` does, step by step with a Keras network: outputs at every window, and the last weights."""
    config, data = passed.config, passed.data
    windows, series = data.windows, data.series
    function = choose_engine(config, data).network
    assert function is not None
    group = next(iter(make_groups([config], data, function, ON_CORES)))
    network = build_training_network(config, windows.num_features, windows.num_outputs)
    network.set_weights(function.unpack(group.weights[group.seeds.index(seed)]))
    _, recurrent, head = network.layers
    states = {lane: recurrent.cell.get_initial_state(1) for lane in range(len(series.slices()))}
    outputs = np.full((len(windows.starts), 1), np.nan)
    series_of_rows, scorable = series.series_of_rows(), series.scorable()[:, 0]
    origins = windows.spec.origins(windows.starts)
    for now in sorted(set(series.timestamps[origins])):
        here = [position for position, origin in enumerate(origins) if series.timestamps[origin] == now]
        losses, moved = [], {}
        with tf.GradientTape() as tape:
            for position in here:
                start, origin = windows.starts[position], origins[position]
                lane = int(series_of_rows[start])
                state, answers = states[lane], []
                for row in range(start, origin + 1):
                    hidden, state = recurrent.cell(tf.constant(windows.inputs[row][None]), state)
                    moved.setdefault(lane, state)  # the state moves on by one row
                    answers.append(head(hidden))
                outputs[position] = answers[-1].numpy()
                rows = range(start + 1, origin + 2) if config.return_sequences else [origin + 1]
                answers = answers if config.return_sequences else answers[-1:]
                if origin + 1 < series.slices()[lane].stop and all(scorable[row] for row in rows):
                    each = [(answer - windows.targets[row]) ** 2 for answer, row in zip(answers, rows, strict=True)]
                    losses.append(tf.reduce_mean(tf.concat(each, 0)))
            loss = tf.add_n(losses) / len(losses) if losses else None
        if loss is not None:
            gradients = tape.gradient(loss, network.trainable_weights)
            norm = tf.linalg.global_norm(gradients)
            scale = tf.minimum(1.0, config.training.clip_norm / norm)
            for weight, gradient in zip(network.trainable_weights, gradients, strict=True):
                weight.assign_sub(config.training.learning_rate * scale * gradient)
        states |= moved
    return outputs, network.get_weights()


def assert_is_plain_loop(passed: Passed, column: int) -> None:
    outputs, weights = plain_loop(passed, seed=1 + column)
    np.testing.assert_allclose(passed.training.forecasts[column], outputs, atol=1e-5)
    for one, other in zip(passed.training.seeds[column].weights, weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("column", [0, 1])
def test_one_step_at_a_time(one_step: Passed, column: int) -> None:
    """The prequential error would be that of another procedure than the docstring describes."""
    assert_is_plain_loop(one_step, column)


def test_lanes_of_different_length(two_lanes: Passed) -> None:
    """A lane that begins later or ends sooner would move its state, or teach, while it is not there."""
    assert_is_plain_loop(two_lanes, 0)


def test_no_forecast_knows_what_comes_later(two_lanes: Passed, ignore_epoch, make_panel) -> None:
    """A forecast would come from a network that has already learnt its answer: the error would be a lie."""
    changed_time = 15
    lanes = lanes_of_noise()
    for lane, first in zip(lanes, STARTS, strict=True):
        lane[changed_time - first :] += 5
    data = prepare_data(two_lanes.config, make_panel(lanes, starts=STARTS))
    training = train_seeds(two_lanes.config, data, ignore_epoch)
    before, after = two_lanes.training.forecasts[0], training.forecasts[0]
    known = data.series.timestamps[data.windows.spec.origins(data.windows.starts)].to_numpy()
    assert 0 < (known < changed_time).sum() < len(known)
    np.testing.assert_array_equal(before[known < changed_time], after[known < changed_time])
    assert (before[known >= changed_time] != after[known >= changed_time]).all()


def test_it_learns(one_step: Passed) -> None:
    """The pass would forecast without learning: its last weights are its first."""
    function = choose_engine(one_step.config, one_step.data).network
    assert function is not None
    group = next(iter(make_groups([one_step.config], one_step.data, function, ON_CORES)))
    first = function.unpack(group.weights[0])
    assert all((one != other).any() for one, other in zip(first, one_step.training.seeds[0].weights, strict=True))


def test_records_of_a_pass(one_step: Passed) -> None:
    """A pass would count as several epochs, or its losses would be of other windows than the parts'."""
    windows = one_step.data.windows
    for column, seed in enumerate(one_step.training.seeds):
        assert (seed.seed, seed.kept_epoch, len(seed.losses), seed.failure) == (1 + column, 1, 1, "")
        outputs = one_step.training.forecasts[column]
        for loss, starts in ((seed.losses[0], windows.train), (seed.val_losses[0], windows.validation)):
            errors = outputs[np.searchsorted(windows.starts, starts)] - windows.gather_last_targets(starts)
            assert loss == pytest.approx(np.mean(errors**2), rel=1e-5)


def test_plan_of_lanes(configure, make_panel) -> None:
    """A window would be learnt from at another time than its origin, or from a value that was filled in."""
    config = configure(2, lanes=2)
    data = prepare_data(config, make_panel(lanes_of_noise(), starts=STARTS, filled=[FILLED, LENGTHS[0] + 9]))
    starts, weights, present = plan_online(config, data.series, data.windows)
    assert starts.shape == weights.shape == present.shape == (24, 2)
    for lane, (first, length, begin) in enumerate(zip((0, LENGTHS[0]), LENGTHS, STARTS, strict=True)):
        for step in range(24):
            row = step - begin  # the first row of the window in its lane; its origin is row + 1
            there = 0 <= row <= length - 3
            assert present[step, lane] == there
            if there:
                assert starts[step, lane] == first + row
            target = first + row + 2
            measured = there and target not in (FILLED, LENGTHS[0] + 9)
            assert weights[step, lane] == measured


def test_a_filled_value_inside_a_window_is_not_learnt_from(configure) -> None:
    """With a target at every step, the network would learn from a value that nobody measured."""
    config = configure(3, lanes=1, return_sequences=True)
    data = prepare_data(config, plain_series())
    starts, weights, _ = plan_online(config, data.series, data.windows)
    waits = starts[:, 0][weights[:, 0] == 0].tolist()
    assert waits == [FILLED - 3, FILLED - 2, FILLED - 1]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"stateful": False}, r"training\.online=true needs stateful=true, but got stateful=false"),
        ({"horizon": 2}, r"training\.online=true needs one step ahead.*got horizon=2: set horizon=1"),
        ({"model": {"dropout": 0.1}}, r"training\.online=true needs no dropout"),
        ({"model": {"recurrent_dropout": 0.1}}, r"training\.online=true needs no dropout"),
        ({"training": {"engine": Engine.fit}}, r"training\.online=true needs the engine fused"),
        ({"training": {"decay": 0.9}}, r"training\.online=true needs training\.decay=1"),
        ({"dataset": {"order": Order.overlapping}}, r"training\.online=true needs dataset\.order=phases"),
        ({"dataset": {"segments": 2}}, r"training\.online=true needs dataset\.segments=1"),
    ],
    ids=str,
)
def test_what_does_not_go_with_it_is_refused(changes: dict[str, Any], complaint: str, make_config) -> None:
    """A pass would be taken that does something else than forecast, learn and go on."""
    changes["training"] = {"online": True} | changes.get("training", {})
    with pytest.raises(UserError, match=complaint):
        make_config(**{"stateful": True} | changes)


@pytest.mark.parametrize(("lanes", "batch_size"), [(2, 1), (3, 2)])
def test_every_lane_needs_a_place(lanes: int, batch_size: int, configure, make_panel) -> None:
    """Some series would wait for others, although time goes on for all of them."""
    config = configure(2, lanes=2)
    config.batch_size = batch_size
    panel = make_panel([lanes_of_noise()[0]] * lanes)
    with pytest.raises(
        UserError, match=f"reads all {lanes} series side by side; set batch_size={lanes}, not {batch_size}"
    ):
        prepare_data(config, panel)
