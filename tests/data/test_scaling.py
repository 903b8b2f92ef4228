"""Scalers, fitted on the training part only."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.schema import Config, DatasetConfig, Scaler, Source, Transform
from pipeline.data.prepare import prepare_data
from pipeline.data.scaling import fit_scaling, forward_scaling, inverse_scaling
from pipeline.data.series import Series

VALUES = np.array([[10.0, 1.0], [30.0, 5.0], [20.0, 3.0], [20.0, 3.0]])
ONE_LANE = np.zeros(4, dtype=int)


@pytest.mark.parametrize(
    ("kind", "offset", "scale"),
    [
        (Scaler.minmax, [10, 1], [20, 4]),
        (Scaler.standard, [20, 3], [np.sqrt(50), np.sqrt(2)]),  # population standard deviation
        (Scaler.none, [0, 0], [1, 1]),
    ],
)
def test_known_numbers(kind: Scaler, offset: list[float], scale: list[float]) -> None:
    """Breaks the scalers and scaling.json: offset and scale of each column, each column on its own."""
    scaling = fit_scaling(kind, [VALUES])
    np.testing.assert_allclose(scaling.offset, [offset])
    np.testing.assert_allclose(scaling.scale, [scale])


def test_range_of_scaled_values() -> None:
    """Breaks training on comparable inputs: minmax maps the training part to 0..1, standard to mean 0, deviation 1."""
    minmax = forward_scaling(fit_scaling(Scaler.minmax, [VALUES]), VALUES, ONE_LANE)
    assert (minmax.min(axis=0).tolist(), minmax.max(axis=0).tolist()) == ([0, 0], [1, 1])
    standard = forward_scaling(fit_scaling(Scaler.standard, [VALUES]), VALUES, ONE_LANE)
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(standard.std(axis=0), 1)
    np.testing.assert_array_equal(forward_scaling(fit_scaling(Scaler.none, [VALUES]), VALUES, ONE_LANE), VALUES)


@given(kind=st.sampled_from(Scaler), seed=st.integers(0, 1000), column=st.integers(0, 2), per_lane=st.booleans())
def test_round_trip(kind: Scaler, seed: int, column: int, per_lane: bool) -> None:
    """Breaks metrics in the data's own units: scaling and its inverse give back the values of any chosen column."""
    values = np.random.default_rng(seed).normal(5.0, 100.0, (20, 3))
    lanes = np.repeat([0, 1], 10)
    scaling = fit_scaling(kind, [values[:5], values[10:15]], per_lane)
    scaled = forward_scaling(scaling, values, lanes)
    np.testing.assert_allclose(inverse_scaling(scaling, scaled, [0, 1, 2], lanes), values)
    np.testing.assert_allclose(inverse_scaling(scaling, scaled[:, [column]], [column], lanes), values[:, [column]])
    several_steps = np.repeat(scaled[:, None], 3, axis=1)  # (rows, horizon_steps, columns)
    inverted = inverse_scaling(scaling, several_steps, [0, 1, 2], lanes)
    np.testing.assert_allclose(inverted, np.repeat(values[:, None], 3, axis=1))


@pytest.mark.parametrize("kind", [Scaler.minmax, Scaler.standard])
@pytest.mark.parametrize("transforms", [[], [Transform.difference]])
def test_fitted_on_the_training_part_only(kind: Scaler, transforms: list[Transform]) -> None:
    """Breaks honesty: the tutorial's leak, a scaler that knows the largest test value."""
    dataset = DatasetConfig(name="test", source=Source.sine, scaler=kind, transforms=transforms)
    config = Config(look_back=3, dataset=dataset)
    values = np.random.default_rng(0).normal(size=(100, 1))
    before = prepare_data(config, series_of(values))
    later = values.copy()
    later[~before.split.rows("train")] *= 1000
    after = prepare_data(config, series_of(later))
    np.testing.assert_array_equal(before.scaling.offset, after.scaling.offset)
    np.testing.assert_array_equal(before.scaling.scale, after.scaling.scale)
    earlier = values.copy()
    earlier[before.split.count("train") - 1] = 1000  # the last training row does count
    assert (prepare_data(config, series_of(earlier)).scaling.scale != before.scaling.scale).all()


def test_scaling_is_a_record() -> None:
    """Breaks forecasts after training: a fitted scaler must not be changed by accident."""
    scaling = fit_scaling(Scaler.minmax, [VALUES])
    with pytest.raises(dataclasses.FrozenInstanceError, match="offset"):
        scaling.offset = np.zeros((1, 2))  # type: ignore[misc]


def series_of(values: np.ndarray) -> Series:
    filled = np.zeros(values.shape, dtype=bool)
    return Series(pd.RangeIndex(len(values)), values, ("a",), ("a",), ("a",), filled, "test")
