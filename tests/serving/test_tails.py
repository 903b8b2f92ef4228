"""Transforms row by row give what the transforms of a whole series give."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.schema import Transform
from pipeline.data.transforms import forward_transforms, inverse_transforms
from pipeline.serving.tails import empty_tails

LOG, DIFFERENCE, SEASONAL = Transform.log, Transform.difference, Transform.seasonal_difference
AVERAGE = Transform.seasonal_average
COMPOSITIONS = [
    [],
    [LOG],
    [DIFFERENCE],
    [SEASONAL],
    [LOG, SEASONAL],
    [DIFFERENCE, SEASONAL],
    [SEASONAL, DIFFERENCE],
    [DIFFERENCE, DIFFERENCE],
    [LOG, SEASONAL, DIFFERENCE],
    [AVERAGE],
    [DIFFERENCE, AVERAGE],
    [LOG, AVERAGE, DIFFERENCE],
]
compositions, periods = st.sampled_from(COMPOSITIONS), st.integers(2, 6)


def make_values(seed: int, lanes: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1.0, 600.0, (25, lanes, 3))  # (time, lanes, columns)


@given(compositions, periods, st.integers(0, 99))
def test_rows_one_by_one_are_transformed_like_the_whole_series(steps: list[Transform], period: int, seed: int) -> None:
    """A network that serves reads other numbers than the one that was trained."""
    values = make_values(seed, lanes=2)
    tails = empty_tails(steps, period, lanes=3, columns=3)
    served = np.stack([tails.forward(np.array([2, 0]), row) for row in values])  # (time, lanes, columns)
    for lane in range(2):
        whole = forward_transforms(values[:, lane], steps, period)
        assert tails.lost == whole.lost
        np.testing.assert_array_equal(served[:, lane], whole.values)


@given(compositions, periods, st.integers(1, 9), st.booleans(), st.integers(0, 99))
def test_forecasts_are_brought_back_like_those_of_the_whole_series(
    steps: list[Transform], period: int, horizon: int, every_step: bool, seed: int
) -> None:
    """Forecasts of a stream are in other units, or on another level, than those that were scored."""
    lags = {DIFFERENCE: 1, SEASONAL: period, AVERAGE: period}
    shortest = min((lags[step] for step in steps if step in lags), default=horizon)
    ahead = list(range(1, horizon + 1)) if every_step or horizon > shortest else [horizon]
    values = make_values(seed)[:, 0]
    whole = forward_transforms(values, steps, period)
    tails = empty_tails(steps, period, lanes=2, columns=3)
    forecasts = np.random.default_rng(seed).uniform(-1, 1, (25, len(ahead), 2))
    for row, value in enumerate(values):
        tails.forward(np.array([1]), value[None])
        if row < whole.lost:
            continue
        served = tails.inverse(np.array([1]), forecasts[row : row + 1], ahead, columns=[2, 0])
        expected = inverse_transforms(whole, forecasts[row : row + 1], np.array([row]), ahead, columns=[2, 0])
        np.testing.assert_allclose(served, expected, rtol=1e-12)


@given(compositions, periods, st.integers(13, 25), st.integers(0, 99))
def test_a_history_at_once_leaves_what_its_rows_one_by_one_leave(
    steps: list[Transform], period: int, end: int, seed: int
) -> None:
    """A warm start continues from another past than the one the lane has."""
    values = make_values(seed)[:, 0]
    one_by_one, at_once = (empty_tails(steps, period, lanes=1, columns=3) for _ in range(2))
    for value in values[:end]:
        one_by_one.forward(np.array([0]), value[None])
    at_once.fill(0, forward_transforms(values, steps, period), slice(0, end))
    for expected, filled in zip(one_by_one.rows, at_once.rows, strict=True):
        np.testing.assert_array_equal(filled, expected)
