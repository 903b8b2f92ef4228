"""Statistics over seeds: known numbers of Student's t."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.statistics import summarize_seeds


def test_known_numbers_of_three_seeds() -> None:
    """The interval beside a score would be too narrow or too wide: t(0.975, 2) = 4.302653, std of 1, 2, 6 = sqrt 7."""
    half = 4.302653 * np.sqrt(7) / np.sqrt(3)
    expected = {"rmse": 3, "rmse_median": 2, "rmse_std": np.sqrt(7), "rmse_low": 3 - half, "rmse_high": 3 + half}
    assert summarize_seeds("rmse", [1.0, 2.0, 6.0]) == pytest.approx(expected, rel=1e-6)


def test_two_seeds() -> None:
    """The interval of the smallest number of seeds that has one would be wrong: t(0.975, 1) = 12.7062."""
    summary = summarize_seeds("rmse", [1.0, 3.0])
    assert summary["rmse_high"] - summary["rmse"] == pytest.approx(12.7062 * np.sqrt(2) / np.sqrt(2), rel=1e-5)


def test_one_seed_has_no_spread() -> None:
    """One training would be shown with a spread of zero, as if it were certain."""
    assert summarize_seeds("mae", [5.0]) == {"mae": 5.0, "mae_median": 5.0}


@given(values=st.lists(st.floats(0, 1e6), min_size=2, max_size=8))
@settings(deadline=None, derandomize=True)
def test_the_interval_holds_the_mean(values) -> None:
    """low, mean and high would be in another order, or depend on the order of the seeds."""
    summary = summarize_seeds("x", values)
    assert summary["x_low"] <= summary["x"] <= summary["x_high"]
    assert summarize_seeds("x", values[::-1]) == pytest.approx(summary, rel=1e-9, abs=1e-6)
