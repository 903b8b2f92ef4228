"""Conformal intervals cover what they say, on series that stay and on series that change, and know no future."""

import numpy as np
import pytest

from pipeline.evaluation import conformal
from pipeline.evaluation.conformal import Conformal, follow_series, split_radii

LEVELS = (0.8, 0.95)
TRAIN, VALIDATION, TEST = 10, 60, 300


def walk(errors: np.ndarray, adaptive: bool = True) -> np.ndarray:
    """Return the share of the test rows that is covered, of all lanes, (levels,), where all forecasts are 0."""
    lanes, length = errors.shape
    slices = [slice(lane * length, (lane + 1) * length) for lane in range(lanes)]
    firsts = [rows.start + TRAIN for rows in slices]
    begins = [first + VALIDATION for first in firsts]
    forecasts = np.zeros((errors.size, 1, 1))
    radii, _ = follow_series(errors.reshape(-1, 1), forecasts, slices, firsts, begins, LEVELS, (1,), adaptive)
    each = radii.reshape(lanes, length, -1)
    assert np.isnan(each[:, : TRAIN + VALIDATION]).all()
    return (np.abs(errors[..., None]) <= each)[:, TRAIN + VALIDATION :].mean(axis=(0, 1))


def draw(number: int) -> np.ndarray:
    return np.random.default_rng(number).standard_normal(TRAIN + VALIDATION + TEST)


@pytest.mark.parametrize("adaptive", [True, False])
def test_coverage_is_what_was_asked_for(adaptive) -> None:
    """An interval of 95 % would hold 90 or 99 % of what comes."""
    errors = np.random.default_rng(1).standard_normal((60, TRAIN + VALIDATION + TEST))
    np.testing.assert_allclose(walk(errors, adaptive), LEVELS, atol=0.03)


def test_intervals_follow_a_series_whose_errors_grow() -> None:
    """A network that meets a new world would promise 95 % and hold 70."""
    errors = np.random.default_rng(2).standard_normal((60, TRAIN + VALIDATION + TEST))
    errors *= np.exp(np.linspace(0, 1.5, errors.shape[1]))
    np.testing.assert_allclose(walk(errors), LEVELS, atol=0.03)
    assert (walk(errors, adaptive=False) < np.array(LEVELS) - 0.1).all()


@pytest.mark.parametrize("ahead", [(1,), (3,), (1, 4)])
def test_no_interval_knows_its_own_row_or_a_later_one(ahead) -> None:
    """Intervals would be drawn around what came, and cover it."""
    errors, farthest = draw(1), max(ahead)
    forecasts = np.zeros((len(errors), len(ahead), 1))

    def radii(values: np.ndarray) -> np.ndarray:
        first = TRAIN + VALIDATION
        return follow_series(values[:, None], forecasts, [slice(0, len(values))], [TRAIN], [first], LEVELS, ahead)[0]

    before, changed = radii(errors), errors.copy()
    row = TRAIN + VALIDATION + 50
    changed[row:] *= 100
    after = radii(changed)
    for step, distance in enumerate(ahead):
        np.testing.assert_array_equal(after[: row + distance, step], before[: row + distance, step])
    assert not np.array_equal(after[row + farthest :], before[row + farthest :], equal_nan=True)


def test_lanes_do_not_learn_from_each_other() -> None:
    """A calm shop would get the intervals of a wild one."""
    calm, wild = draw(2), 100 * draw(3)
    length, first = len(calm), TRAIN + VALIDATION
    slices = [slice(0, length), slice(length, 2 * length)]
    both = np.concatenate([calm, wild])[:, None]
    radii, _ = follow_series(
        both, np.zeros((2 * length, 1, 1)), slices, [TRAIN, length + TRAIN], [first, length + first], LEVELS, (1,)
    )
    alone, _ = follow_series(calm[:, None], np.zeros((length, 1, 1)), [slices[0]], [TRAIN], [first], LEVELS, (1,))
    np.testing.assert_array_equal(radii[slices[0]], alone)


def test_neighbours_learn_to_the_bit_what_lanes_in_any_order_learn() -> None:
    """Rows of lanes that lie beside each other, which are moved in place, get other intervals than scattered ones."""
    random, lanes = np.random.default_rng(4), np.arange(2, 8)
    some = Conformal.begin(LEVELS, (1, 2), 10, 2)
    some.errors[:, :, :, 230:] = np.abs(random.standard_normal((10, 2, 2, 20)))
    some.errors[3] = np.abs(random.standard_normal((2, 2, 250)))
    other, order = some.select(np.arange(10)), np.array([3, 0, 5, 1, 4, 2])
    for row in range(260):
        actual, forecasts = random.standard_normal((6, 2)), random.standard_normal((6, 2, 2))
        actual[row % 7 : row % 7 + 1, 0] = np.nan if row % 3 == 0 else 0.0
        reach = some.advance(lanes, actual, forecasts)
        np.testing.assert_array_equal(other.advance(lanes[order], actual[order], forecasts[order]), reach[order])
    for name, array in some.of_lanes.items():
        np.testing.assert_array_equal(other.of_lanes[name], array)


def test_short_lanes_borrow_the_shape_of_all_lanes() -> None:
    """A panel of short series would have no 95 % interval at all, or one of the widest lane."""
    random, lanes, length, known = np.random.default_rng(4), 60, 40, 8
    sizes = np.arange(1, lanes + 1)
    errors = random.standard_normal((lanes, length)) * sizes[:, None]
    slices = [slice(lane * length, (lane + 1) * length) for lane in range(lanes)]
    firsts = [rows.start + 10 for rows in slices]
    begins = [rows.start + 10 + known for rows in slices]
    radii, _ = follow_series(
        errors.reshape(-1, 1), np.zeros((lanes * length, 1, 1)), slices, firsts, begins, LEVELS, (1,)
    )
    tested = radii.reshape(lanes, length, 2)[:, 10 + known :]
    covered = np.abs(errors[:, 10 + known :, None]) <= tested
    np.testing.assert_allclose(covered.mean(axis=(0, 1)), LEVELS, atol=0.04)
    assert np.median(tested[-1]) > 10 * np.median(tested[0])


def test_too_few_errors_give_no_interval() -> None:
    """With five known errors an interval of 95 % would be a guess that looks like a promise."""
    found = split_radii(np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan]), LEVELS)
    np.testing.assert_array_equal(found, [5.0, np.nan])
    found = split_radii(np.arange(1.0, 20.0), (0.95,))  # 19 are the fewest
    np.testing.assert_array_equal(found, [19.0])


def test_long_test_parts_go_in_blocks(monkeypatch) -> None:
    """A series of a million rows would take an hour, or get intervals of another kind."""
    errors = np.random.default_rng(5).standard_normal(3000) * np.exp(np.sin(np.arange(3000) / 500))
    arguments = errors[:, None], np.zeros((3000, 1, 1)), [slice(0, 3000)], [500], [1000], LEVELS, (1,)
    rows, goes_on = follow_series(*arguments)
    monkeypatch.setattr(conformal, "_MOST_ROWS", 500)
    blocks, of_blocks = follow_series(*arguments)
    for radii in (rows, blocks):
        covered = (np.abs(errors[1000:, None]) <= radii[1000:, 0, 0]).mean(axis=0)
        np.testing.assert_allclose(covered, LEVELS, atol=0.02)
    np.testing.assert_array_equal(goes_on.errors, of_blocks.errors)


def test_a_stream_goes_on_as_the_run_would_have() -> None:
    """The intervals of a stream would differ from those of the same rows in a run."""
    errors = draw(6)
    cut, first = len(errors) - 40, TRAIN + VALIDATION
    whole, _ = follow_series(
        errors[:, None], np.zeros((len(errors), 2, 1)), [slice(0, len(errors))], [TRAIN], [first], LEVELS, (1, 3)
    )
    _, learnt = follow_series(
        errors[:cut, None], np.zeros((cut, 2, 1)), [slice(0, cut)], [TRAIN], [first], LEVELS, (1, 3)
    )
    lane = np.array([0])
    begun = learnt.select(lane)
    begun.waiting[:] = np.where(np.isfinite(begun.radii[..., 0]), 0.0, np.nan)  # the forecasts that go beyond the end
    for row in range(cut, len(errors) - 3):
        radii = begun.advance(lane, errors[row].reshape(1, 1), np.zeros((1, 2, 1)))
        np.testing.assert_array_equal(radii[0, 0], whole[row + 1, 0])
        np.testing.assert_array_equal(radii[0, 1], whole[row + 3, 1])


def test_missed_rows_widen_beyond_the_largest_error() -> None:
    """After a break every row would be missed by the same interval."""
    bounds, lane = Conformal.begin((0.8,), (1,), lanes=1, targets=1), np.array([0])

    def meet(error: float) -> float:
        return float(bounds.advance(lane, np.array([[error]]), np.zeros((1, 1, 1))).item())

    assert [meet(float(number % 3)) for number in range(30)][-1] == 2.0
    growing = 50 * 1.2 ** np.arange(20)
    assert [meet(error) for error in growing][-1] > growing[-1]


def test_a_larger_share_has_the_wider_interval(monkeypatch) -> None:
    """Twelve steps ahead the 95 % interval would lie within that of 80 %, and cover 90 % of what comes."""
    errors = np.random.default_rng(11).standard_normal(1000).cumsum()
    for most in (5000, 350):
        monkeypatch.setattr(conformal, "_MOST_ROWS", most)
        arguments = errors[:, None], np.zeros((1000, 1, 1)), [slice(0, 1000)], [200], [300], LEVELS, (12,)
        narrow, wide = follow_series(*arguments)[0][300:, 0, 0].T
        assert (narrow <= wide).all() and (narrow < wide).mean() > 0.5
    few = Conformal.begin(LEVELS, (1,), lanes=1, targets=1)
    few.errors[..., -5:] = 1.0
    np.testing.assert_array_equal(few.measure(np.array([0])).ravel(), [1.0, np.nan])  # widening invents none


def test_quantiles_are_conformalised(monkeypatch) -> None:
    """A head that knows when errors are large would get the same width for calm and for wild rows."""
    length, first = 2000, 400
    wild = np.random.default_rng(7).uniform(size=length) < 0.5
    sizes = np.where(wild, 10.0, 1.0)
    errors = sizes * np.random.default_rng(8).standard_normal(length)
    arguments = errors[:, None], np.zeros((length, 1, 1)), [slice(0, length)], [100], [first], LEVELS, (1,), True

    def cover(halves: np.ndarray | None) -> list[float]:
        radii, _ = follow_series(*arguments, halves)
        hits = (np.abs(errors) <= radii[:, 0, 0, 1])[first:]
        return [float(hits[rows[first:]].mean()) for rows in (~wild, wild)]

    too_sure = 0.3 * sizes[:, None, None]  # but in proportion
    assert cover(too_sure) == pytest.approx([0.95, 0.95], abs=0.02)
    calm, other = cover(None)
    assert other < 0.92 < 0.99 < calm
    monkeypatch.setattr(conformal, "_MOST_ROWS", 500)
    assert cover(too_sure) == pytest.approx([0.95, 0.95], abs=0.02)


def test_a_stream_goes_on_with_quantiles() -> None:
    """A stream of a head would count errors in other widths than its run, or lose those of the forecasts made."""
    errors, halves = draw(6), np.exp(draw(9))[:, None, None]
    cut, first = len(errors) - 40, TRAIN + VALIDATION
    zeros = np.zeros((len(errors), 1, 1))

    def follow(stop: int) -> tuple[np.ndarray, Conformal]:
        arguments = errors[:stop, None], zeros[:stop], [slice(0, stop)], [TRAIN], [first], LEVELS, (1,), True
        return follow_series(*arguments, halves[:stop])

    whole, begun = follow(len(errors))[0], follow(cut)[1].select(np.array([0]))
    begun.expect(np.array([0]), zeros[cut - 1 : cut], halves[cut : cut + 1])
    for row in range(cut, len(errors) - 1):
        ahead = halves[row + 1 : row + 2]
        radii = begun.advance(np.array([0]), errors[row].reshape(1, 1), zeros[:1], halves=ahead)
        np.testing.assert_array_equal(radii[0], whole[row + 1])
