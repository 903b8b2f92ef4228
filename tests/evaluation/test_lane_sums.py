"""The scores of a panel in blocks are those of all lanes at once."""

import numpy as np
import pytest

from pipeline.data.arrays import FloatArray
from pipeline.evaluation.lane_sums import (
    join_naive,
    join_sums,
    score_lanes,
    score_panel,
    score_sums,
    sum_errors,
    sum_naive,
)
from pipeline.evaluation.scores import Truth, score_part, score_run, score_seed, score_series

ENDS = (9, 20, 33, 40, 52)  # the fourth lane ends before the test part, the last one never changes in training
STEPS = 2


def make_truth(targets: tuple[str, ...], draw: np.random.Generator) -> Truth:
    actual = draw.normal(5, 3, (ENDS[-1], len(targets)))
    actual[40:48] = 1.0
    parts = np.concatenate([np.repeat([0, 1, 2], _sizes(end - start)) for start, end in _borders()])
    parts[33:40] = np.minimum(parts[33:40], 1)
    scorable = draw.random(actual.shape) > 0.1
    names = ("train", "validation", "test")
    slices = [slice(start, end) for start, end in _borders()]
    return Truth(actual, scorable, {name: parts == number for number, name in enumerate(names)}, targets, slices)


def _borders() -> list[tuple[int, int]]:
    return list(zip((0, *ENDS[:-1]), ENDS, strict=True))


def _sizes(length: int) -> list[int]:
    return [length - 5, 2, 3]


def cut(truth: Truth, first: int, last: int) -> tuple[Truth, slice]:
    """Return some lanes alone, and their rows."""
    rows = slice(truth.slices[first].start, truth.slices[last].stop)
    slices = [slice(each.start - rows.start, each.stop - rows.start) for each in truth.slices[first : last + 1]]
    parts = {name: part[rows] for name, part in truth.parts.items()}
    return Truth(truth.actual[rows], truth.scorable[rows], parts, truth.targets, slices), rows


def make_forecasts(truth: Truth, draw: np.random.Generator) -> FloatArray:
    """Return forecasts that the first rows of each lane do not have."""
    found = truth.actual[:, None] + draw.normal(0, 1, (len(truth.actual), STEPS, len(truth.targets)))
    found[[rows.start + ahead for rows in truth.slices for ahead in (0, 1)]] = np.nan
    return found


@pytest.mark.parametrize("targets", [("load",), ("load", "price")])
def test_blocks_score_as_all_lanes_at_once(targets: tuple[str, ...]) -> None:
    """Breaks every number of a panel in blocks: its runs could not be compared with any other."""
    draw = np.random.default_rng(3)
    truth = make_truth(targets, draw)
    seeds = [make_forecasts(truth, draw) for _ in range(2)]
    baselines = {"persistence": make_forecasts(truth, draw), "linear": make_forecasts(truth, draw)}
    blocks = [cut(truth, 0, 1), cut(truth, 2, 2), cut(truth, 3, 4)]
    naive = join_naive([sum_naive(block) for block, _ in blocks])

    def joined(forecasts: FloatArray):  # type: ignore[no-untyped-def]
        return join_sums([sum_errors(block, forecasts[rows]) for block, rows in blocks])

    own = [score_seed(truth, each) for each in seeds]
    scores = [score_sums(joined(each), naive, targets) for each in seeds]
    for one, other in zip(scores, own, strict=True):
        assert one == pytest.approx(other, rel=1e-12)
        assert one.keys() == other.keys()

    found = score_panel(
        scores, joined(np.mean(seeds, axis=0)), {name: joined(each) for name, each in baselines.items()}, naive,
        targets, truth.measure,
    )  # fmt: skip
    expected = score_run(truth, own, baselines)
    expected[truth.measure.of("mean_forecast")] = score_part(truth, np.mean(seeds, axis=0), truth.scored("test"))
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-9)

    lanes = score_lanes(
        [joined(each) for each in seeds], {name: joined(each) for name, each in baselines.items()}, naive, targets
    )
    for number, each in enumerate(score_series(truth, seeds, baselines)):
        for name, value in each.items():
            assert lanes[name][number] == pytest.approx(value, rel=1e-12), name
    assert lanes["test_rows"][3] == 0
    assert np.isnan(lanes["test_rmse" if len(targets) == 1 else "test_rmse.load"][3])


def test_a_scored_row_without_a_forecast_is_refused() -> None:
    """Breaks comparability: a block would quietly score fewer rows than the baselines have."""
    truth = make_truth(("load",), np.random.default_rng(3))
    forecasts = np.zeros((len(truth.actual), STEPS, 1))
    forecasts[int(np.flatnonzero(truth.scored("test")[:, 0])[0])] = np.nan
    with pytest.raises(ValueError, match="is scored but has no forecast"):
        sum_errors(truth, forecasts)
