"""Which comparisons are made, and how they are corrected together."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from pipeline.comparison.configurations import group_cells
from pipeline.comparison.pairwise import Comparison, Kind, Rival, compare_all
from pipeline.comparison.pooling import pool_seeds
from pipeline.config.keys import varying_keys


@pytest.fixture
def cells(make_run, make_errors):
    """look_back 1, 3, 6 x stateful: 3 is best, stateful makes no difference; validation ranks as the test does."""
    scales = {"1": 2.0, "3": 1.0, "6": 1.1}
    runs = [make_run(look_back=level, stateful=state) for level in scales for state in ("false", "true")]
    errors = {
        run.record.run_id: make_errors(scale=scales[run.record.params["look_back"]], state=number)
        for number, run in enumerate(runs)
    }
    return pool_seeds(runs, lambda run: errors[run.record.run_id], varying_keys([run.record.params for run in runs]))


def compare(cells, by=("look_back", "stateful"), baselines=None) -> list[Comparison]:
    return compare_all(group_cells(cells, by), cells, by, baselines or [], 1)


def test_every_comparison_is_made_once(cells) -> None:
    """A comparison that was promised is missing, or one is made that only looks for something significant."""
    found = compare(cells, baselines=[Rival(name, {}, 1.0, np.ones(48), 3) for name in ("persistence", "seasonal")])
    kinds = [each.kind for each in found]
    assert (kinds.count(Kind.best), kinds.count(Kind.axis), kinds.count(Kind.baseline)) == (5, 2 + 1, 2)
    best = {"look_back": "3", "stateful": "false"}
    assert all(each.second == best for each in found if each.kind is Kind.best)
    assert all(each.first == best for each in found if each.kind is Kind.baseline)


def test_p_values_are_those_of_scipy_and_statsmodels(cells) -> None:
    """The numbers in the answer are not those of the tests that it names."""
    found = compare(cells)
    losses = {tuple(cell.parameters.values()): cell.losses for cell in cells}
    for each in found:
        if each.kind is Kind.best:
            pair = losses[tuple(each.first.values())] - losses[tuple(each.second.values())]
            assert each.p == pytest.approx(stats.ttest_1samp(pair, 0).pvalue)  # one step ahead, it is the t test
    expected = multipletests([each.p for each in found], method="holm")[1]
    assert [each.p_holm for each in found] == pytest.approx(expected.tolist())


def test_an_axis_is_compared_with_the_others_held_fixed(cells) -> None:
    """The main effect's p value is about other losses than its difference."""
    step = next(each for each in compare(cells) if each.first == {"look_back": "3"})
    losses = {tuple(cell.parameters.values()): cell.losses for cell in cells}
    pair = np.mean([losses["3", state] - losses["1", state] for state in ("false", "true")], axis=0)
    assert step.p == pytest.approx(stats.ttest_1samp(pair, 0).pvalue)
    assert (step.matched, step.difference) == (2, pytest.approx(-1.0))


def test_one_test_under_two_names_counts_once(cells) -> None:
    """With a single axis every step from the best is counted twice, and p is twice what it should be."""
    single = [cell for cell in cells if cell.parameters["stateful"] == "false"]
    found = compare(single, by=("look_back",))
    distinct = {round(abs(each.statistic), 9): each.p for each in found}
    assert len(found) == 4 and len(distinct) == 2  # 3 is next to 1 and to 6: both steps are also best vs another
    expected = multipletests(list(distinct.values()), method="holm")[1]
    assert sorted({round(each.p_holm, 12) for each in found}) == sorted({round(p, 12) for p in expected})


def test_by_averages_over_what_it_leaves_out(cells) -> None:
    """A row by look_back shows the scores of one of its configurations."""
    best, *_ = group_cells(cells, ("look_back",))
    assert best.parameters == {"look_back": "3"}
    assert len(best.scores) == 8 and len(best.cells) == 2
    assert best.losses == pytest.approx((best.cells[0].losses + best.cells[1].losses) / 2)
    assert best.test_rmse.mean == pytest.approx(1.0)


def test_a_single_configuration_is_compared_with_nothing(make_run, make_errors) -> None:
    """One run alone ends in a traceback."""
    cells = pool_seeds([make_run(look_back="3")], lambda _: make_errors((1,)), [])
    assert compare(cells, by=()) == []
    assert np.isnan(group_cells(cells, ())[0].test_rmse.std)
