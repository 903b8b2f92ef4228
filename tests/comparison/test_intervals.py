"""Bootstrap intervals over seeds, against scipy one sample at a time and against a count by hand."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from pipeline.comparison import intervals
from pipeline.comparison.intervals import bootstrap_differences, bootstrap_means

SCORES = [np.random.default_rng(seed).normal(50, 5, size) for seed, size in enumerate([8, 4, 8, 16])]


def test_many_samples_at_once_are_scipys_intervals() -> None:
    """Resampling many configurations in one call gives one of them the interval of another."""
    found = bootstrap_means(SCORES)
    for sample, ends in zip(SCORES, found, strict=True):
        expected = bootstrap(
            (sample,), np.mean, method="percentile", n_resamples=2000, batch=200, rng=np.random.default_rng(0)
        ).confidence_interval
        assert ends == pytest.approx([expected.low, expected.high], rel=1e-12)
        assert ends[0] < sample.mean() < ends[1]


def test_three_seeds_counted_by_hand() -> None:
    """The interval is not that of all 27 ways to draw three seeds from three.

    Seeds 1, 2 and 6: one draw in 27 (3.7 %) has the mean 1, and one the mean 6; both are above 2.5 %, so the interval
    reaches from 1 to 6. Seeds 1, 1, 1 and 5: no high one in 32 % of draws, three or more in 5.1 %: from 1 to 4.
    """
    assert bootstrap_means([np.array([1.0, 2.0, 6.0])])[0].tolist() == [1.0, 6.0]
    assert bootstrap_means([np.array([1.0, 1.0, 1.0, 5.0])])[0].tolist() == [1.0, 4.0]


def test_differences_are_resampled_on_both_sides() -> None:
    """The interval of a difference leaves out the spread of one side, or has the wrong sign."""
    left, right = np.array([10.0, 12.0, 14.0, 16.0]), np.array([1.0, 2.0, 3.0, 4.0])
    low, high = bootstrap_differences([left], [right])[0]
    assert low < 13.0 - 2.5 < high
    spread = np.sqrt((left.var() + right.var()) / 4)  # of the difference of two bootstrap means
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.1)
    assert bootstrap_differences([right], [left])[0] == pytest.approx([-high, -low], abs=0.3)


def test_pairs_of_all_sizes_keep_their_order() -> None:
    """With different numbers of seeds an interval lands in another row."""
    found = bootstrap_differences(SCORES, SCORES[::-1])
    assert found.shape == (4, 2)
    for left, right, ends in zip(SCORES, SCORES[::-1], found, strict=True):
        assert ends[0] < left.mean() - right.mean() < ends[1]


def test_one_seed_has_no_interval() -> None:
    """A single training would look certain."""
    assert np.isnan(bootstrap_means([np.array([1.0])])).all()
    assert np.isnan(bootstrap_differences([np.array([1.0, 2.0])], [np.array([1.0])])).all()
    assert bootstrap_means([]).shape == (0, 2)


def test_equal_scores_have_an_interval_of_no_width() -> None:
    """Seeds that all agree end in a warning or in NaN."""
    assert bootstrap_means([np.full(4, 3.0)])[0].tolist() == [3.0, 3.0]


def test_the_same_scores_give_the_same_interval() -> None:
    """The same command prints other numbers the second time."""
    np.testing.assert_array_equal(bootstrap_means(SCORES), bootstrap_means(SCORES))


@pytest.mark.parametrize(("size", "promised"), [(4, 0.80), (8, 0.89), (16, 0.93)])
def test_coverage_is_as_the_docstring_says(size: int, promised: float) -> None:
    """The text about few seeds is wrong."""
    samples = list(np.random.default_rng(5).standard_normal((2000, size)))
    ends = bootstrap_means(samples)
    assert ((ends[:, 0] < 0) & (ends[:, 1] > 0)).mean() == pytest.approx(promised, abs=0.025)


def test_many_samples_have_the_intervals_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration has another interval among thousands than alone."""
    samples = list(np.random.default_rng(1).normal(size=(7, 5)))
    expected = bootstrap_means(samples), bootstrap_differences(samples, samples[::-1])
    monkeypatch.setattr(intervals, "_SAMPLES_AT_ONCE", 3)
    np.testing.assert_array_equal(bootstrap_means(samples), expected[0])
    np.testing.assert_array_equal(bootstrap_differences(samples, samples[::-1]), expected[1])
