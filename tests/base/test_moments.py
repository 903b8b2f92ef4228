"""A spread is that of the numbers, in whatever unit they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.moments import root_mean_square, standard_deviation

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12).map(np.array)


@given(VALUES, st.integers(-900, 900))
def test_a_unit_changes_nothing_but_the_unit(values: np.ndarray, power: int) -> None:
    """Squares of small numbers vanish and those of large ones are infinite: a score is 0 or no number."""
    unit = 2.0**power
    values = np.where(np.abs(values) < 1e-3, 0.0, values)
    assert root_mean_square(values * unit) == pytest.approx(np.sqrt(np.mean(values**2)) * unit, rel=1e-12)
    for ddof in (0, 1):
        expected = values.std(ddof=ddof)
        assert float(standard_deviation(values * unit, ddof)) / unit == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_no_numbers_have_no_spread() -> None:
    """A part without rows ends in a warning, which is an error in tests, or in NaN."""
    assert root_mean_square(np.array([])) == 0.0


def test_columns_have_units_of_their_own() -> None:
    """The spread of a small column vanishes beside that of a large one."""
    values = np.array([[1e-200, 1e150], [3e-200, 3e150]])
    assert standard_deviation(values).tolist() == pytest.approx([1e-200, 1e150])
