"""One window, whoever reads it: NumPy, the input pipeline of `fit`, the fused program, the lanes of a served model."""

from typing import Any, cast

import numpy as np
import pandas as pd
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, DatasetConfig, Horizons, LagsAs, Order, Source
from pipeline.data.lanes import shuffle_windows
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series
from pipeline.models.numpy_network import NumpyNetwork
from pipeline.models.xla_network import NetworkFunction
from pipeline.serving.lanes import Lanes
from pipeline.serving.model import ServedModel
from pipeline.training.feed import feed_lanes, feed_shuffled
from pipeline.training.reader import Reader

ROWS = 60


class Recorder:
    """Stands in for the network of a served model: keeps every sample it is given and forecasts zeros."""

    def __init__(self, num_outputs: int) -> None:
        self.num_outputs = num_outputs
        self.samples: list[np.ndarray] = []

    def zero_states(self, places: int) -> list[np.ndarray]:
        return []

    def answer(self, sample: np.ndarray) -> np.ndarray:
        self.samples.append(sample)
        return np.zeros((len(sample), self.num_outputs), np.float32)

    def read(self, sample: np.ndarray, states: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        return self.answer(sample), []


def make_case(features: int = 1, targets: int = 1, future: bool = False, **changes: Any) -> tuple[Config, PreparedData]:
    """Return a configuration that passed the gates, and its data: noise in a and b, which may be known ahead."""
    names = ("a", "b")
    dataset = DatasetConfig(name="noise", source=Source.sine, **changes.pop("dataset", {}))
    config = Config(**changes, dataset=dataset)
    check_ranges(config)
    values = np.random.default_rng(3).normal(size=(ROWS, 2))
    filled = np.zeros(values.shape, dtype=bool)
    series = Series(
        pd.RangeIndex(ROWS),
        values,
        names,
        names if future else names[:features],
        names[:1] if future else names[:targets],
        filled,
        "test",
        future=names[1:] if future else (),
    )
    return config, prepare_data(config, series)


def reader_of(config: Config, data: PreparedData) -> Reader:
    return Reader(config, cast(NetworkFunction, None), data.windows, seeds=1)


def read_by_fit(config: Config, data: PreparedData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the starts, samples and targets of one epoch as the engine `fit` gets them."""
    windows = data.windows
    if data.lanes is not None:
        batches = [[part.numpy() for part in batch] for batch in feed_lanes(windows, data.lanes)]
        return data.lanes.starts.ravel(), *(np.concatenate([batch[part] for batch in batches]) for part in (0, 1))
    feed = feed_shuffled(windows, len(windows.train), config.seed, lambda: 0)
    ((samples, targets),) = [(samples.numpy(), targets.numpy()) for samples, targets in feed]
    return windows.train[shuffle_windows(len(windows.train), config.seed, epoch=0)], samples, targets


def read_by_program(config: Config, data: PreparedData, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return samples and targets as the fused program gathers them, windows in front."""
    reader, windows = reader_of(config, data), data.windows
    samples = reader.gather_samples(tf.constant(windows.inputs), tf.constant(starts[None], tf.int32)).numpy()
    targets = reader.gather_targets(tf.constant(windows.targets), tf.constant(starts[None], tf.int32)).numpy()
    targets = targets[:, 0].swapaxes(0, 1) if config.answers_every_step else targets[0]
    return samples[:, 0].swapaxes(0, 1), targets


def read_by_lanes(config: Config, data: PreparedData) -> np.ndarray:
    """Return what a served network is given at each row of the series, read in order, until each window is full.

    A network that reads every row once holds the past in its state: the last `look_back` rows are put together here.
    """
    recorder = Recorder(data.windows.num_outputs)
    lanes = Lanes(ServedModel(config, data, cast(NumpyNetwork, recorder)))
    lanes.open("new")
    for row in data.rows:
        lanes.advance(np.array([0]), row[None])
    read = np.concatenate(recorder.samples)  # (readings, steps read, features of a step)
    missing = config.look_back - (ROWS - len(read)) - 1  # rows before the first full window, where each is read
    return read if not missing else np.stack([read[n : n + missing + 1, 0] for n in range(len(read) - missing)])


@settings(max_examples=25, deadline=None)
@given(
    look_back=st.integers(1, 8),
    horizon=st.integers(1, 4),
    horizons=st.sampled_from(Horizons),
    return_sequences=st.booleans(),
    lags_as=st.sampled_from(LagsAs),
    stateful=st.booleans(),
    order=st.sampled_from(Order),
    features=st.integers(1, 2),
    targets=st.integers(1, 2),
    future=st.booleans(),
)
def test_every_reader_gathers_the_same_values(
    look_back: int,
    horizon: int,
    horizons: Horizons,
    return_sequences: bool,
    lags_as: LagsAs,
    stateful: bool,
    order: Order,
    features: int,
    targets: int,
    future: bool,
) -> None:
    """Breaks every comparison: a network would be trained, scored and served on different windows."""
    config, data = make_case(
        features,
        targets,
        future,
        look_back=look_back,
        horizon=horizon,
        stateful=stateful,
        return_sequences=return_sequences and lags_as is LagsAs.time_steps,
        dataset={"horizons": horizons, "lags_as": lags_as, "order": order if stateful else Order.phases},
    )
    windows = data.windows
    starts, *fed = read_by_fit(config, data)
    gathered = windows.gather_inputs(starts), windows.gather_targets(starts)
    expected = windows.inputs[starts[:, None] + np.arange(look_back)]  # said anew: (windows, look_back, columns)
    np.testing.assert_array_equal(gathered[0].ravel(), expected.ravel())
    for ours, fit, fused in zip(gathered, fed, read_by_program(config, data, starts), strict=True):
        np.testing.assert_array_equal(fit, ours)
        np.testing.assert_array_equal(fused, ours)
    each = windows.gather_inputs(np.arange(ROWS - look_back + 1))
    np.testing.assert_array_equal(read_by_lanes(config, data), each)


def test_a_forecast_belongs_to_the_row_that_was_learnt() -> None:
    """Breaks the score: the row a forecast is compared with would not be the one whose value was its target."""
    _, data = make_case(look_back=3, horizon=3, dataset={"horizons": Horizons.all})
    windows = data.windows
    placed = data.in_units(windows.gather_targets(windows.train), windows.train)[:, :, 0]
    np.testing.assert_allclose(placed, data.series.values[windows.spec.forecast_rows(windows.train), 0], rtol=1e-5)
