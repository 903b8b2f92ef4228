"""What reaches keras.Model.fit: exactly the windows of the plan, each once per epoch, in every framing."""

import numpy as np
import pytest

from pipeline.config.schema import Horizons, LagsAs
from pipeline.data.lanes import shuffle_windows
from pipeline.training.feed import feed_lanes, feed_shuffled

FRAMINGS = {
    "many_to_one": {},
    "many_to_many": {"return_sequences": True},
    "lags_as_features": {"dataset": {"lags_as": LagsAs.features, "features": ["a", "b"], "targets": ["b"]}},
    "all_horizons": {"horizon": 2, "dataset": {"horizons": Horizons.all}},
    "two_targets": {
        "horizon": 2,
        "return_sequences": True,
        "dataset": {"horizons": Horizons.all, "features": ["a", "b"], "targets": ["a", "b"]},
    },
}


@pytest.fixture(params=FRAMINGS)
def framing(request: pytest.FixtureRequest) -> dict[str, object]:
    return FRAMINGS[request.param]


def test_shuffled_batches_are_the_windows_of_the_plan(framing, make_config, make_data) -> None:
    """A stateless network would be trained on other numbers than the linear fit and the forecasts use."""
    windows = make_data(make_config(**framing)).windows
    order = windows.train[shuffle_windows(len(windows.train), seed=4, epoch=1)]
    feed = feed_shuffled(windows, batch_size=5, seed=4, current_epoch=lambda: 1)
    batches = [(inputs.numpy(), targets.numpy()) for inputs, targets in feed]

    expected_sizes = [5] * (len(order) // 5) + [len(order) % 5]
    assert len(order) % 5 > 0  # the last batch is smaller
    assert [len(inputs) for inputs, _ in batches] == expected_sizes
    assert int(feed.cardinality()) == len(expected_sizes)
    np.testing.assert_array_equal(np.concatenate([inputs for inputs, _ in batches]), windows.gather_inputs(order))
    np.testing.assert_array_equal(np.concatenate([targets for _, targets in batches]), windows.gather_targets(order))


def test_lane_batches_are_the_windows_of_the_plan(framing, make_config, make_data) -> None:
    """A stateful network would be trained on other numbers, or padding would count in the loss."""
    batch_size = 1 if framing.get("dataset", {}).get("lags_as") is LagsAs.features else 2
    data = make_data(make_config(stateful=True, batch_size=batch_size, **framing))
    assert data.lanes is not None
    batches = [[part.numpy() for part in batch] for batch in feed_lanes(data.windows, data.lanes)]

    assert len(batches) == len(data.lanes.starts)
    for (inputs, targets, weights), starts, wanted in zip(batches, data.lanes.starts, data.lanes.weights, strict=True):
        np.testing.assert_array_equal(inputs, data.windows.gather_inputs(starts))
        np.testing.assert_array_equal(targets, data.windows.gather_targets(starts))
        # One weight per row, or one per row and step: padding is 0, a window that counts is 1.
        np.testing.assert_array_equal(weights.reshape(batch_size, -1).min(axis=1), wanted)
        np.testing.assert_array_equal(weights.reshape(batch_size, -1).max(axis=1), wanted)


def test_every_window_once_per_epoch_in_a_new_order(make_config, make_data) -> None:
    """Some windows would be learnt twice and others never, or every epoch and seed would repeat one order."""
    windows = make_data(make_config()).windows
    epoch = 0

    def orders_of(seed: int) -> tuple[float, ...]:
        feed = feed_shuffled(windows, batch_size=4, seed=seed, current_epoch=lambda: epoch)
        return tuple(float(value) for inputs, _ in feed for value in inputs.numpy()[:, 0, 0])

    first, other_seed = orders_of(1), orders_of(2)
    repeated = orders_of(1)
    epoch = 1
    second = orders_of(1)

    every_window = sorted(windows.gather_inputs(windows.train)[:, 0, 0].tolist())
    assert len(set(every_window)) == len(every_window)  # the first value of a window tells which it is
    assert all(sorted(order) == every_window for order in (first, other_seed, second))
    assert repeated == first
    assert len({first, other_seed, second}) == 3


def test_one_feed_gives_a_new_order_each_time_it_is_read(make_config, make_data) -> None:
    """keras.Model.fit reads one dataset again in each epoch: it would get the first epoch's order forever."""
    windows = make_data(make_config()).windows
    epochs = iter(range(2))
    feed = feed_shuffled(windows, batch_size=4, seed=1, current_epoch=lambda: next(epochs))
    for epoch in range(2):
        order = windows.train[shuffle_windows(len(windows.train), seed=1, epoch=epoch)]
        np.testing.assert_array_equal(
            np.concatenate([inputs.numpy() for inputs, _ in feed]), windows.gather_inputs(order)
        )


def test_every_lane_window_counts_once_per_epoch(make_config, make_data) -> None:
    """Phases would repeat or lose windows: a stateful network sees other data than a stateless one."""
    data = make_data(make_config(stateful=True, batch_size=2))
    assert data.lanes is not None
    counted = np.concatenate(
        [inputs.numpy()[weights.numpy() > 0] for inputs, _, weights in feed_lanes(data.windows, data.lanes)]
    )
    expected = data.windows.gather_inputs(data.windows.train)
    assert data.lanes.num_padded > 0
    assert sorted(counted[:, :, 0].tolist()) == sorted(expected[:, :, 0].tolist())
