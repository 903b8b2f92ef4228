"""What intervals are worth: their coverage with its own uncertainty, their score, and the sentence about them."""

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.conformal import Conformal
from pipeline.evaluation.intervals import (
    Bounds,
    Coverage,
    describe_coverage,
    find_change,
    find_middle,
    measure_coverage,
    name_level,
    share_interval,
)
from pipeline.evaluation.scores import Truth
from pipeline.models.heads.families import Free
from pipeline.models.heads.point import POINT
from pipeline.models.heads.quantile import QuantileHead

ACTUAL = np.array([[0.0], [2.0], [4.0], [10.0], [20.0], [30.0], [40.0]])
TRAINED = np.array([True, True, True, False, False, False, False])


def coverage(level: float = 0.9, radius: float = 3.0, known: np.ndarray = ~TRAINED) -> Coverage:
    """Four tested rows, forecast 8, 20, 36, 40: away by 2, 0, 6, 0."""
    truth = Truth(
        ACTUAL, np.ones_like(ACTUAL, bool), {"train": TRAINED, "validation": ~TRAINED, "test": ~TRAINED}, ["y"]
    )
    points = np.array([0.0, 2.0, 4.0, 8.0, 20.0, 36.0, 40.0]).reshape(-1, 1, 1)
    radii = np.where(known, radius, np.nan).reshape(-1, 1, 1, 1)
    bounds = Bounds((level,), points, radii, Conformal.begin((level,), (1,), 1, 1))
    return measure_coverage(truth, pd.RangeIndex(7), bounds)[0]


def test_known_numbers() -> None:
    """A score would be that of another formula: MSIS of the M4 competition, coverage of all rows."""
    found = coverage()
    assert found.share == 0.75
    assert found.widths.tolist() == [6.0]
    # Three rows score the width 6; the one missed by 3 pays 2 / 0.1 x 3 = 60 more. In training a step was 2.
    assert found.msis == pytest.approx((3 * 6 + 66) / 4 / 2)
    assert (found.low, found.high) == pytest.approx(share_interval(0.75, 4))
    assert coverage(radius=6.0).share == 1.0


def test_rows_without_an_interval_move_no_timestamp() -> None:
    """A sentence would name another month than the one from which on the interval fails."""
    found = coverage(known=np.array([False, False, False, False, True, True, True]))
    assert found.hits.to_dict() == {4: 1.0, 5: 0.0, 6: 1.0}


def test_shares_have_exact_intervals() -> None:
    """A share of 4 rows would look as sure as one of 4,000."""
    assert share_interval(0.9, 100) == pytest.approx((0.8238, 0.9510), abs=1e-4)  # Clopper and Pearson, 1934
    assert share_interval(0.0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert share_interval(1.0, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)


def test_the_middle_of_quantiles() -> None:
    """Intervals of a head would lie around its median, however skewed it is, or be divided by a width of zero."""
    head = QuantileHead(levels := (0.1, 0.5, 0.9), Free(levels))
    middle, half = find_middle(head, np.array([[1.0, 2.0, 9.0], [3.0, 3.0, 3.0], [0.0, 0.0, 0.0]]))
    assert middle.tolist() == [5.0, 3.0, 0.0]
    assert half == pytest.approx([4.0, 3e-9, 1e-300], rel=1e-9, abs=0)
    points, ones = find_middle(POINT, np.array([[1.0, 2.0]]))
    assert (points.tolist(), ones.tolist()) == ([[1.0, 2.0]], [[1.0, 1.0]])


@pytest.mark.parametrize(("level", "name"), [(0.8, "80"), (0.95, "95"), (0.999, "99.9"), (0.07, "7")])
def test_levels_have_short_names(level, name) -> None:
    """A column would be called low_95.00000000000001."""
    assert name_level(level) == name


def told(hits: np.ndarray, level: float = 0.95) -> str:
    low, high = share_interval(float(hits.mean()), len(hits))
    by_time = pd.Series(hits, index=[f"row {row}" for row in range(len(hits))])
    return describe_coverage(Coverage(level, float(hits.mean()), low, high, np.ones(1), 1.0, by_time))


def test_the_sentence_says_what_to_think() -> None:
    """A reader would take 70 % for 95 %, or a lucky 93 % for a fault."""
    every_tenth, every_twentieth = (np.where(np.arange(200) % count, 1.0, 0.0) for count in (10, 20))
    assert told(every_twentieth) == "the 95 % interval covers 95 % of the test part (91 to 98), as it should"
    assert told(every_tenth) == "the 95 % interval covers 90 % of the test part (85 to 94): too narrow"
    assert told(np.ones(200), 0.8) == "the 80 % interval covers 100 % of the test part (98 to 100): too wide"


def test_a_change_is_found_where_it_is() -> None:
    """A break in the middle of the test part would hide in the mean, or be seen in noise."""
    random = np.random.default_rng(1)
    steady = (random.random(300) < 0.95).astype(float)
    broken = np.where(np.arange(300) < 200, steady, random.random(300) < 0.6)
    assert find_change(steady, 0.95) is None
    place, share = find_change(broken, 0.95)
    assert abs(place - 200) <= 5
    assert share == pytest.approx(broken[place:].mean())
    assert told(broken).endswith(f"too narrow from row {place} on, where it covers {100 * share:.0f} %")
    assert find_change(np.ones(12), 0.95) is None
