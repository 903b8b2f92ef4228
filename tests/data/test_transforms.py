"""Transforms: every composition can be undone, from nothing but the values known at the origin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.schema import Transform
from pipeline.data.transforms import Transformed, forward_transforms, inverse_transforms

LOG, DIFFERENCE, SEASONAL = Transform.log, Transform.difference, Transform.seasonal_difference
AVERAGE = Transform.seasonal_average
COMPOSITIONS = [
    [],
    [LOG],
    [DIFFERENCE],
    [SEASONAL],
    [LOG, DIFFERENCE],
    [LOG, SEASONAL],
    [DIFFERENCE, SEASONAL],
    [SEASONAL, DIFFERENCE],
    [DIFFERENCE, DIFFERENCE],
    [LOG, DIFFERENCE, SEASONAL],
    [LOG, SEASONAL, DIFFERENCE],
    [LOG, AVERAGE],
    [DIFFERENCE, AVERAGE],
    [AVERAGE, DIFFERENCE],
]
AIRLINE_START = np.array([112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126.0])[:, None]

cases = st.tuples(
    st.sampled_from(COMPOSITIONS),
    st.integers(2, 7),  # period
    st.integers(1, 9),  # horizon
    st.booleans(),  # all steps, or only the last one
    st.integers(0, 1000),  # seed of the values
)


def make_case(case: tuple) -> tuple[np.ndarray, Transformed, np.ndarray, list[int]]:
    """Return raw values, their stages, every origin that knows enough, and the steps ahead."""
    steps, period, horizon, every_step, seed = case
    values = np.random.default_rng(seed).uniform(1.0, 600.0, (60, 3))
    transformed = forward_transforms(values, steps, period)
    shortest = min(
        ({DIFFERENCE: 1, SEASONAL: period, AVERAGE: period}[step] for step in steps if step is not LOG), default=horizon
    )
    ahead = list(range(1, horizon + 1)) if every_step else [min(horizon, shortest)]  # what the second gate lets pass
    return values, transformed, np.arange(transformed.lost, 60 - max(ahead)), ahead


@given(cases)
def test_perfect_forecasts_come_back_as_the_values(case: tuple) -> None:
    """Breaks metrics in the data's own units: a forecast equal to the truth must come back as the truth."""
    values, transformed, origins, ahead = make_case(case)
    rows = origins[:, None] + np.array(ahead)
    columns = [2, 0]
    forecasts = transformed.values[rows][:, :, columns]  # (origins, horizon_steps, targets)
    found = inverse_transforms(transformed, forecasts, origins, ahead, columns)
    np.testing.assert_allclose(found, values[rows][:, :, columns], rtol=1e-6, atol=1e-6)


@given(cases, st.integers(0, 59))
def test_only_values_up_to_the_origin_are_used(case: tuple, cut: int) -> None:
    """Breaks honesty: a forecast brought back to units with values that were not known when it was made."""
    values, transformed, origins, ahead = make_case(case)
    known = origins[origins <= cut]
    later = values.copy()
    later[cut + 1 :] *= 7.0
    changed = forward_transforms(later, transformed.steps, transformed.period)
    forecasts = np.random.default_rng(0).normal(size=(len(known), len(ahead), 3))
    expected = inverse_transforms(transformed, forecasts, known, ahead, [0, 1, 2])
    np.testing.assert_array_equal(inverse_transforms(changed, forecasts, known, ahead, [0, 1, 2]), expected)


@pytest.mark.parametrize("steps", COMPOSITIONS)
def test_undefined_rows_are_exactly_the_first(steps: list[Transform]) -> None:
    """Breaks the first window: rows that a difference leaves undefined would be trained on, or good ones lost."""
    transformed = forward_transforms(AIRLINE_START, steps, period=4)
    undefined = np.isnan(transformed.values[:, 0])
    assert undefined.sum() == transformed.lost
    assert undefined[: transformed.lost].all()
    assert len(transformed.stages) == len(steps) + 1
    assert all(stage.shape == AIRLINE_START.shape for stage in transformed.stages)


def test_known_numbers() -> None:
    """Breaks the transforms: differences and logarithms of the first airline values, computed by hand."""
    difference = forward_transforms(AIRLINE_START, [DIFFERENCE], 12).values.ravel()
    np.testing.assert_allclose(difference[1:5], [6, 14, -3, -8])
    seasonal = forward_transforms(AIRLINE_START, [SEASONAL], 12).values.ravel()
    np.testing.assert_allclose(seasonal[12:], [3, 8])
    both = forward_transforms(AIRLINE_START, [LOG, SEASONAL], 12).values.ravel()
    np.testing.assert_allclose(both[12:], [np.log(115 / 112), np.log(126 / 118)])
    twice = forward_transforms(AIRLINE_START, [SEASONAL, DIFFERENCE], 12).values.ravel()
    np.testing.assert_allclose(twice[13:], [5])


def test_known_average_of_the_season() -> None:
    """Breaks the seasonal average: it would forget earlier seasons, or never learn from a new one."""
    values = np.array([10.0, 20.0, 15.0, 20.0, 15.0, 30.0])[:, None]
    transformed = forward_transforms(values, [AVERAGE], 2)
    np.testing.assert_allclose(transformed.values.ravel(), [np.nan, np.nan, 5, 0, 4, 10])  # averages 10, 20, 11, 20
    found = inverse_transforms(transformed, np.zeros((1, 4, 1)), np.array([5]), [1, 2, 3, 4], [0])
    np.testing.assert_allclose(found.ravel(), [11.8, 22, 11.8, 22])


def test_known_inverse() -> None:
    """Breaks multi-step forecasts of differences: steps are summed up from the last known value."""
    transformed = forward_transforms(AIRLINE_START, [DIFFERENCE], 1)
    found = inverse_transforms(transformed, np.array([[[10.0], [-4.0], [1.0]]]), np.array([2]), [1, 2, 3], [0])
    assert found.ravel().tolist() == [142, 138, 139]


def test_arguments_are_untouched() -> None:
    """Breaks whoever uses the values afterwards: neither raw values nor forecasts may be changed in place."""
    values, forecasts = AIRLINE_START.copy(), np.ones((2, 1, 1))
    transformed = forward_transforms(values, [LOG, DIFFERENCE], 1)
    inverse_transforms(transformed, forecasts, np.array([3, 4]), [1], [0])
    np.testing.assert_array_equal(values, AIRLINE_START)
    np.testing.assert_array_equal(forecasts, 1)
