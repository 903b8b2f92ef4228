"""The third gate, and the way from a configuration to what a run is trained and scored on."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, DatasetConfig, Horizons, Normalise, Scaler, Source, Transform
from pipeline.data.notes import describe_data
from pipeline.data.prepare import prepare_data
from pipeline.data.series import Series
from pipeline.data.split import PARTS

RISING = np.arange(1.0, 101.0)
NOISE = np.random.default_rng(0).uniform(1.0, 2.0, 100)


def series_of(*columns: np.ndarray, filled: list[int] | None = None) -> Series:
    """Return a series with features a, b, ... of which `a` is the target; `filled` are rows of `a`."""
    values = np.stack(columns, axis=1)
    names = tuple("abc"[: len(columns)])
    where = np.zeros(values.shape, dtype=bool)
    where[filled or [], 0] = True
    return Series(pd.RangeIndex(len(values)), values, names, names, ("a",), where, "test")


# 100 rows: 50 for training, 20 for validation, 30 for the test.
def configure(look_back: int = 3, horizon: int = 1, stateful: bool = False, **dataset: Any) -> Config:
    settings = {"name": "test", "source": Source.sine, "validation_fraction": 0.2, "test_fraction": 0.3, **dataset}
    return Config(look_back=look_back, horizon=horizon, stateful=stateful, dataset=DatasetConfig(**settings))


@pytest.mark.parametrize(
    ("config", "series", "complaint"),
    [
        (configure(50), series_of(RISING), "50 training steps.*look_back=50 and horizon=1 need at least 51; lower"),
        (configure(45, 6), series_of(RISING), "look_back=45 and horizon=6 need at least 51; lower look_back or"),
        (
            configure(40, transforms=[Transform.seasonal_difference, Transform.difference], period=12),
            series_of(NOISE),
            "37 training steps after 13 lost to differences.*look_back=40 .* need at least 41; lower look_back",
        ),
        (configure(3, 21), series_of(RISING), "horizon=21 is longer than the validation part of 20 .*lower horizon"),
        (configure(period=51), series_of(RISING), "dataset.period=51 is longer than the 50 .*lower dataset.period"),
        (configure(), series_of(np.full(100, 7.0)), "'a' is constant in the training part, .*dataset.features"),
        (configure(), series_of(NOISE, np.where(RISING > 50, RISING, 3.0)), "'b' is constant in the training part"),
        (configure(transforms=[Transform.difference]), series_of(RISING), "'a' is constant .*dataset.transforms"),
        (configure(transforms=[Transform.log]), series_of(RISING - 1), "row 1: the column 'a' holds 0,.*leave log out"),
        (
            configure(transforms=[Transform.log]),
            series_of(NOISE, np.where(RISING == 90, -2.5, NOISE)),
            "data row 90: the column 'b' holds -2.5, which has no logarithm; leave log out of dataset.transforms",
        ),
        (configure(), series_of(NOISE, filled=list(range(50))), "has no train window whose targets were all measured"),
        (configure(), series_of(NOISE, filled=list(range(50, 70))), "no validation window whose targets were all"),
        (configure(), series_of(NOISE, filled=list(range(70, 100))), "every test value of 'a' was .*change the split"),
    ],
)  # fmt: skip
def test_refused(config: Config, series: Series, complaint: str) -> None:
    """Breaks the third gate: data and configuration that do not go together reach training, or the text is wrong."""
    with pytest.raises(UserError, match=complaint):
        prepare_data(config, series)


@pytest.mark.parametrize("row", [0, 60, 99])
def test_values_too_large_to_compute_with(row: int) -> None:
    """Breaks honesty of scores: a value that overflows float32 or its own square makes them infinite, silently."""
    values = RISING.copy()
    values[row] = 1e300
    with pytest.raises(UserError, match=rf"data row {row + 1}: the column 'a' holds 1e\+300"):
        prepare_data(configure(), series_of(values))


@pytest.mark.parametrize(
    ("config", "series"),
    [
        (configure(49), series_of(RISING)),
        (configure(44, 6), series_of(RISING)),
        (configure(3, 20), series_of(RISING)),
        (configure(period=50), series_of(RISING)),
        (configure(), series_of(np.where(RISING > 50, 3.0, RISING))),  # constant in the test part only
        (configure(transforms=[Transform.log]), series_of(RISING)),
        (configure(), series_of(NOISE, filled=[0, 60, 99])),
    ],
)
def test_on_the_border(config: Config, series: Series) -> None:
    """Breaks valid runs: what just fits must pass, with at least one window in every part."""
    data = prepare_data(config, series)
    assert data.windows.train.size and data.windows.validation.size
    assert [data.split.count(part) for part in PARTS] == [50, 20, 30]


@pytest.mark.parametrize("scaler", Scaler)
@pytest.mark.parametrize("transforms", [[], [Transform.log], [Transform.log, Transform.seasonal_difference]])
def test_network_outputs_come_back_in_units(scaler: Scaler, transforms: list[Transform]) -> None:
    """Breaks every metric: outputs equal to the scaled targets must come back as the true values of the file."""
    config = configure(4, 3, scaler=scaler, transforms=transforms, period=6, horizons=Horizons.all)
    data = prepare_data(config, series_of(RISING * NOISE, NOISE))
    for starts in (data.windows.train, data.windows.validation):
        outputs = data.windows.gather_last_targets(starts)
        rows = data.windows.spec.origins(starts)[:, None] + np.array([1, 2, 3])
        np.testing.assert_allclose(data.in_units(outputs, starts)[:, :, 0], data.series.values[rows, 0], rtol=1e-4)


def test_inputs_are_scaled_features() -> None:
    """Breaks the network's inputs: minmax of the training part, float32, every feature in its own column."""
    data = prepare_data(configure(), series_of(RISING, 2 * NOISE))
    assert data.windows.inputs.dtype == np.float32
    np.testing.assert_allclose(data.windows.inputs[[0, 49, 99], 0], [0, 1, 99 / 49], rtol=1e-6)
    assert (data.windows.inputs[:50].min(axis=0).tolist(), data.windows.inputs[:50].max(axis=0).tolist()) == (
        [0, 0],
        [1, 1],
    )
    np.testing.assert_array_equal(data.windows.targets[:, 0], data.windows.inputs[:, 0])


def test_series_and_configuration_are_untouched() -> None:
    """Breaks the other jobs of a sweep, which share the loaded series."""
    series, config = series_of(RISING, NOISE), configure(transforms=[Transform.log, Transform.difference])
    before, same = series.values.copy(), configure(transforms=[Transform.log, Transform.difference])
    prepare_data(config, series)
    np.testing.assert_array_equal(series.values, before)
    assert config == same


def test_filled_targets_move_the_state_but_do_not_count() -> None:
    """Breaks lanes across filled values: the chunk stays in its lane with weight 0."""
    data = prepare_data(configure(stateful=True), series_of(NOISE, filled=[20]))
    assert data.lanes is not None
    weights = dict(zip(data.lanes.starts.ravel().tolist(), data.lanes.weights.ravel().tolist(), strict=True))
    assert weights == {start: float(start + 3 != 20) for start in range(47)}


@pytest.mark.parametrize("transforms", [[Transform.difference], [Transform.log, Transform.difference]])
def test_rounding_is_not_taken_for_a_series(transforms: list[Transform]) -> None:
    """The difference of a straight line is constant up to rounding, and the network is fed that noise, scaled up."""
    straight = 0.1 * RISING if len(transforms) == 1 else 1.1**RISING
    with pytest.raises(UserError, match="is constant in the training part"):
        prepare_data(configure(transforms=transforms), series_of(straight))


@pytest.mark.parametrize("transforms", [[], [Transform.difference], [Transform.log, Transform.difference]])
@pytest.mark.parametrize("unit", [1e-200, 1e-9, 1.0, 1e9])
def test_small_changes_of_large_numbers_are_no_rounding(unit: float, transforms: list[Transform]) -> None:
    """A price in a small unit, or one that changes little, is refused as constant."""
    prepared = prepare_data(configure(transforms=transforms), series_of(unit * (1e6 + NOISE)))
    inputs = prepared.windows.inputs
    assert np.nanmax(inputs) - np.nanmin(inputs) > 0.5


def test_the_test_part_does_not_decide_what_is_rounding() -> None:
    """One huge value long after the training part makes every change in it look like rounding."""
    values = NOISE.copy()
    values[-1] = 1e16
    assert len(prepare_data(configure(), series_of(values)).windows.train)


def test_a_series_that_leaves_what_is_learnt_is_told() -> None:
    """A person sees that the network is worse than the last value, and not what to do about it."""

    def told(values: np.ndarray, **changes: Any) -> list[str]:
        config = configure(**changes)
        return [note for note in describe_data(config, prepare_data(config, series_of(values))) if "range" in note]

    assert "validation values of 'a' lie outside the range" in told(RISING)[0]
    assert told(RISING)[0].endswith("dataset.normalise=window_standard or dataset.transforms=auto may help")
    assert told(NOISE) == told(RISING, normalise=Normalise.window_last) == []


def test_changes_that_float32_does_not_hold_are_told() -> None:
    """A column of large numbers, unscaled, is constant for the network, and nobody says why it learns nothing."""
    series = series_of(1e9 + NOISE)
    unscaled, scaled = (configure(scaler=scaler) for scaler in (Scaler.none, Scaler.minmax))
    (told,) = [note for note in describe_data(unscaled, prepare_data(unscaled, series)) if "32-bit" in note]
    assert told.startswith("the column 'a' changes 99 times, 99 of them by less")
    assert not [note for note in describe_data(scaled, prepare_data(scaled, series)) if "32-bit" in note]
