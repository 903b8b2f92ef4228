"""Which rows go into a window, which are predicted, and to which part a window belongs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.schema import Config, DatasetConfig, Horizons, LagsAs, Source, Transform
from pipeline.data.prepare import prepare_data
from pipeline.data.series import Series
from pipeline.data.split import Split
from pipeline.data.window_spec import make_window_spec
from pipeline.data.windows import Windows, make_windows

AIRLINE = DatasetConfig(
    name="airline", source=Source.packaged, path="airline.csv", time_column="month", features=["passengers"], period=12
)


def split_at(validation_start: int, test_start: int, length: int) -> Split:
    sizes = [validation_start, test_start - validation_start, length - test_start]
    return Split(np.repeat([0, 1, 2], sizes))


VALIDATION_START, TEST_START, LENGTH = 30, 40, 50
SPLIT = split_at(VALIDATION_START, TEST_START, LENGTH)


def configure(look_back: int = 3, horizon: int = 1, return_sequences: bool = False, **dataset: Any) -> Config:
    return Config(
        look_back=look_back,
        horizon=horizon,
        return_sequences=return_sequences,
        dataset=DatasetConfig(name="rows", source=Source.sine, **dataset),
    )


def windows_of_rows(
    config: Config, split: Split = SPLIT, features: int = 1, filled: Sequence[int] = (), first_row: int = 0
) -> Windows:
    """Return windows of a series whose values are its row numbers (plus 100, 200 in further features)."""
    length = len(split.parts)
    rows = np.arange(length, dtype=float)[:, None]
    where = np.zeros((length, features), dtype=bool)
    where[list(filled)] = True
    names = tuple("abcd"[:features])
    series = Series(pd.RangeIndex(length), rows + 100 * np.arange(features), names, names, ("a",), where, "test")
    spec = make_window_spec(config, series)
    return make_windows(config.protocol, spec, series.values, series, split, first_row)


shapes = st.fixed_dictionaries(
    {
        "look_back": st.integers(1, 12),
        "horizon": st.integers(1, 6),
        "return_sequences": st.booleans(),
        "horizons": st.sampled_from(Horizons),
    }
)


# --------------------------------------------------------------------------------------------------------- counts


@given(length=st.integers(20, 90), look_back=st.integers(1, 10))
def test_n_values_give_n_minus_look_back_windows(length: int, look_back: int) -> None:
    """Breaks the count of windows: at horizon 1 none may be dropped, in any part (the tutorial drops one per split)."""
    validation_start = length // 2
    test_start = validation_start + length // 4
    split = split_at(validation_start, test_start, length)
    windows = windows_of_rows(configure(look_back), split)
    assert len(windows.starts) == length - look_back
    train, validation, test = validation_start - look_back, length // 4, length - test_start
    assert (len(windows.train), len(windows.validation)) == (train, validation)
    assert np.sum(windows.spec.origins(windows.starts) + 1 >= test_start) == test


@pytest.mark.parametrize(("look_back", "train"), [(1, 71), (3, 69), (6, 66)])
def test_known_counts_of_the_airline_series(look_back: int, train: int) -> None:
    """Breaks the README sweep: 144 months, 72 for training, 24 for validation, 48 for the test."""
    windows = prepare_data(Config(look_back=look_back, dataset=AIRLINE)).windows
    assert len(windows.starts) == 144 - look_back
    assert len(windows.train) == train
    assert len(windows.validation) == 24


def test_docstring_picture() -> None:
    """Breaks the meaning of look_back and horizon: with 3 and 2 the window at row 4 predicts row 8, origin row 6."""
    windows = windows_of_rows(configure(look_back=3, horizon=2))
    start = np.array([4])
    assert windows.gather_inputs(start).ravel().tolist() == [4, 5, 6]
    assert windows.spec.origins(start).tolist() == [6]
    assert windows.gather_targets(start).ravel().tolist() == [8]


# --------------------------------------------------------------------------------------------- inputs and targets


@given(shape=shapes)
def test_targets_are_horizon_steps_after_the_origin(shape: dict[str, Any]) -> None:
    """Breaks every score: the forecast would be compared with another step than the one it predicts."""
    windows = windows_of_rows(configure(**shape))
    starts = windows.train
    steps = np.arange(1, shape["horizon"] + 1) if shape["horizons"] is Horizons.all else np.array([shape["horizon"]])
    expected = (starts + shape["look_back"] - 1)[:, None] + steps
    np.testing.assert_array_equal(windows.gather_last_targets(starts), expected)
    targets = windows.gather_targets(starts)
    last = targets[:, -1] if shape["return_sequences"] else targets
    np.testing.assert_array_equal(last, expected)


@given(look_back=st.integers(1, 12), horizon=st.integers(1, 6))
def test_sequence_targets_are_the_inputs_shifted_by_horizon(look_back: int, horizon: int) -> None:
    """Breaks many-to-many training: every input row has the value `horizon` rows later as its target."""
    windows = windows_of_rows(configure(look_back, horizon, return_sequences=True))
    inputs, targets = windows.gather_inputs(windows.train), windows.gather_targets(windows.train)
    assert targets.shape == (len(windows.train), look_back, 1)
    np.testing.assert_array_equal(targets, inputs + horizon)


@given(look_back=st.integers(1, 8), features=st.integers(1, 4))
def test_lags_as_features_are_the_same_values_in_one_step(look_back: int, features: int) -> None:
    """Breaks the tutorial's window method: shape (n, 1, look_back * features), oldest row first."""
    as_steps = windows_of_rows(configure(look_back), features=features)
    as_features = windows_of_rows(configure(look_back, lags_as=LagsAs.features), features=features)
    steps, flat = as_steps.gather_inputs(as_steps.train), as_features.gather_inputs(as_features.train)
    assert steps.shape == (len(as_steps.train), look_back, features)
    assert flat.shape == (len(as_steps.train), 1, look_back * features)
    np.testing.assert_array_equal(flat.ravel(), steps.ravel())
    np.testing.assert_array_equal(as_steps.train, as_features.train)


def test_order_of_several_outputs() -> None:
    """Breaks two stocks predicted together: the outputs of a row are ordered by horizon step, then by target."""
    rows = np.arange(12.0)[:, None]
    config = configure(look_back=2, horizon=2, horizons=Horizons.all)
    both = rows + np.array([0, 100])
    series = Series(pd.RangeIndex(12), both, ("a", "b"), ("a",), ("a", "b"), np.zeros((12, 2), dtype=bool), "test")
    windows = make_windows(config.protocol, make_window_spec(config, series), both, series, split_at(6, 9, 12), 0)
    assert windows.num_outputs == 4
    assert windows.gather_targets(np.array([3])).tolist() == [[5, 105, 6, 106]]
    assert windows.gather_targets(np.array([3])).dtype == np.float32


# -------------------------------------------------------------------------------------------------- parts, no leak


@given(shape=shapes, first_row=st.integers(0, 5))
def test_no_window_reaches_into_a_later_part(shape: dict[str, Any], first_row: int) -> None:
    """Breaks honesty: training would see validation values, or the choice of a configuration would see the test."""
    windows = windows_of_rows(configure(**shape), first_row=first_row)
    last_train = windows.spec.target_rows(windows.train)
    assert last_train.max() < VALIDATION_START
    assert windows.spec.origins(windows.train).max() < VALIDATION_START
    predicted = windows.spec.origins(windows.validation)[:, None] + np.array(windows.spec.horizon_steps)
    assert predicted.min() >= VALIDATION_START
    assert predicted.max() < TEST_START
    assert windows.starts.min() == first_row


def test_inputs_of_validation_and_test_reach_back() -> None:
    """Breaks the first forecasts of a part: their inputs are the true past, which lies in the part before."""
    windows = windows_of_rows(configure(look_back=5))
    assert windows.validation[0] == VALIDATION_START - 5
    first_test = TEST_START - 5
    assert first_test in windows.starts
    assert windows.gather_last_targets(np.array([first_test])).item() == TEST_START


@given(shape=shapes, filled=st.sets(st.integers(0, 49), max_size=5))
def test_windows_with_a_filled_target_are_left_out(shape: dict[str, Any], filled: set[int]) -> None:
    """Breaks training on measured values: a window is left out exactly when one of its target rows was filled in."""
    config = configure(**shape)
    everything, measured = windows_of_rows(config), windows_of_rows(config, filled=sorted(filled))
    reach = np.ravel(everything.spec.target_offsets)
    for part in ("train", "validation"):
        expected = [start for start in getattr(everything, part) if not filled & set((start + reach).tolist())]
        assert getattr(measured, part).tolist() == expected
    np.testing.assert_array_equal(measured.starts, everything.starts)  # every origin can still be forecast


@settings(max_examples=40)
@given(
    look_back=st.integers(1, 30),
    horizon=st.integers(1, 12),
    horizons=st.sampled_from(Horizons),
    transforms=st.sampled_from([[], [Transform.log], [Transform.log, Transform.seasonal_difference]]),
)
def test_every_configuration_forecasts_the_same_test_rows(
    look_back: int, horizon: int, horizons: Horizons, transforms: list[Transform]
) -> None:
    """Breaks the comparison of configurations: each must predict every test row, for every step ahead."""
    dataset = DatasetConfig(**{**vars(AIRLINE), "horizons": horizons, "transforms": transforms})
    data = prepare_data(Config(look_back=look_back, horizon=horizon, dataset=dataset), airline())
    for ahead in data.windows.spec.horizon_steps:
        predicted = data.windows.spec.origins(data.windows.starts) + ahead
        assert set(range(96, 144)) <= set(predicted.tolist())


def airline() -> Series:
    """Return a series as long as the airline data, without reading a file for every example."""
    values = np.random.default_rng(0).uniform(100, 600, (144, 1))
    months = pd.date_range("1949-01-01", periods=144, freq="MS")
    name = ("passengers",)
    return Series(months, values, name, name, name, np.zeros((144, 1), dtype=bool), "airline")
