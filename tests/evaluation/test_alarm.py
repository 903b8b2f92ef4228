"""The alarm for forecasts that have become worse keeps to its rate of false ones, and finds what has changed."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.evaluation.alarm import FEWEST, QUIET, RATE, ErrorsBefore, advance_sums, find_threshold, measure_errors

LANES, KNOWN = 400, 127


def correlated(random: np.random.Generator, rows: int) -> np.ndarray:
    """Errors of an autoregression with the coefficient 0.5. Shape (rows, LANES)."""
    noise = random.normal(size=(rows + 50, LANES))
    for row in range(1, len(noise)):
        noise[row] += 0.5 * noise[row - 1]
    return noise[50:]


def count_alarms(before: ErrorsBefore, errors: np.ndarray) -> int:
    """Return how many alarms began in all lanes; errors have the shape (rows, lanes)."""
    lanes, sums, alarms = np.arange(LANES), np.zeros((LANES, 3)), 0
    last = np.full(LANES, -QUIET)
    for row, each in enumerate(errors):
        sums = advance_sums(sums, before.score(lanes, each[:, None]))
        above = sums.max(axis=1) > before.threshold[:-1]
        alarms += int((above & (row - last >= QUIET)).sum())
        sums[above], last[above] = 0.0, row
    return alarms


@pytest.mark.parametrize(
    "draw",
    [
        lambda random, shape: random.standard_t(2, shape),
        pytest.param(lambda random, shape: random.normal(size=shape), marks=pytest.mark.thorough),
    ],
    ids=["heavy tails", "normal"],
)
def test_false_alarms_are_as_rare_as_is_said(draw: Callable[..., np.ndarray]) -> None:
    """Whoever is woken by an alarm believes in one false alarm in 10,000 rows, whatever the errors are like."""
    errors = draw(np.random.default_rng(3), (KNOWN + 1000, LANES))
    alarms = count_alarms(measure_errors(list(errors[:KNOWN].T[..., None]), 1), errors[KNOWN:])
    assert 0.4 * RATE < alarms / errors[KNOWN:].size < 1.6 * RATE


@pytest.mark.thorough
def test_errors_that_hang_together_bring_few_more_false_alarms() -> None:
    """A network whose errors follow each other alarms all the time although nothing has changed."""
    errors = correlated(np.random.default_rng(4), KNOWN + 1000)
    alarms = count_alarms(measure_errors(list(errors[:KNOWN].T[..., None]), 1), errors[KNOWN:])
    assert alarms / errors[KNOWN:].size < 2.5 * RATE


@pytest.mark.parametrize(
    ("changed", "place", "most"),
    [((1.0, 1.0), 0, 25), ((-1.0, 1.0), 1, 25), ((0.0, 2.0), 2, 45)],
    ids=["too low", "too high", "too large"],
)
def test_a_change_is_found_soon_and_named(changed: tuple[float, float], place: int, most: int) -> None:
    """Forecasts that are off by one deviation, or errors of twice the size, go on for weeks before anybody hears."""
    random = np.random.default_rng(5)
    before = measure_errors(list(random.normal(size=(LANES, KNOWN, 1))), 1)
    sums, found, named = np.zeros((LANES, 3)), np.full(LANES, 0), np.full(LANES, -1)
    for row in range(1, 70):
        sums = advance_sums(sums, before.score(np.arange(LANES), random.normal(*changed, size=(LANES, 1))))
        above = (sums.max(axis=1) > before.threshold[:-1]) & (found == 0)
        found[above], named[above] = row, sums[above].argmax(axis=1)
    assert np.median(found) <= most
    assert np.bincount(named[named >= 0]).argmax() == place


def test_lanes_side_by_side_have_the_scores_of_each_alone() -> None:
    """The alarm of a lane depends on which lanes are served beside it."""
    random = np.random.default_rng(6)
    errors = [random.normal(1, 2, size=(rows, 2)) for rows in (40, 25, 60)]
    together, new = measure_errors(errors, 2), random.normal(size=(3, 2))
    new[1, 0] = np.nan
    scores = together.score(np.arange(3), new)
    alone = [measure_errors([each], 2).score(np.zeros(1, int), new[[lane]])[0] for lane, each in enumerate(errors)]
    np.testing.assert_array_equal(scores, alone)
    assert np.isnan(scores).tolist() == [[False] * 2, [True] * 2, [False] * 2]


def test_nothing_is_an_alarm_without_errors_before() -> None:
    """A lane that the run did not know, or hardly, alarms by chance."""
    before = measure_errors([np.zeros((FEWEST - 1, 1))], 1)
    assert np.isnan(before.score(np.array([0]), np.ones((1, 1)))).all()
    assert np.isinf(before.threshold).all()
    sums = np.array([[1.0, 2.0, 3.0]])
    assert advance_sums(sums, np.full((1, 2), np.nan)).tolist() == sums.tolist()
    assert np.all(np.diff([find_threshold(count) for count in (20, 25, 100, 300, 900)]) < 0)
