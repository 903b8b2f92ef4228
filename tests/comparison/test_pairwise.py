"""Which comparisons are made, how they are corrected together, and which sentences they support."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from pipeline.comparison.configurations import group_cells
from pipeline.comparison.pairwise import Comparison, Kind, Rival, compare_all
from pipeline.comparison.pooling import pool_seeds, varying_keys
from pipeline.comparison.sentences import state_comparison


@pytest.fixture
def cells(make_run, make_errors):
    """look_back 1, 3, 6 x stateful: 3 is best, stateful makes no difference; validation ranks as the test does."""
    scales = {"1": 2.0, "3": 1.0, "6": 1.1}
    runs = [make_run(look_back=level, stateful=state) for level in scales for state in ("false", "true")]
    errors = {
        run.record.run_id: make_errors(scale=scales[run.record.params["look_back"]], state=number)
        for number, run in enumerate(runs)
    }
    return pool_seeds(runs, lambda run: errors[run.record.run_id], varying_keys(runs))


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


def comparison(**changes) -> Comparison:
    values = {
        "kind": Kind.axis, "first": {"look_back": "6"}, "second": {"look_back": "3"}, "first_rmse": 60.0,
        "second_rmse": 50.0, "low": 4.0, "high": 16.0, "p_seeds": 0.001, "statistic": 3.0, "p": 0.001, "p_holm": 0.004,
    }  # fmt: skip
    return Comparison(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"p_holm": 0.41}, "look_back=6 vs 3: no evidence (p=0.41); RMSE of look_back=6 10.0 higher (20 %)"),
        (
            {"first_rmse": 50.1, "p_holm": 0.41},
            "look_back=6 vs 3: no evidence (p=0.41); RMSE of look_back=6 on par (0.100 higher)",
        ),
        ({}, "look_back=6 vs 3: evidence that 3 is better (p=0.004); RMSE 10.0 lower (17 %)"),
        (
            {"first_rmse": 50.0, "second_rmse": 60.0, "low": -16.0, "high": -4.0, "statistic": -3.0, "matched": 2},
            "look_back=6 vs 3 (mean of 2 matched pairs): evidence that look_back=6 is better (p=0.004); RMSE 10.0 "
            "lower (17 %)",
        ),
        (
            {"low": -1.0, "p_seeds": 0.2},
            "look_back=6 vs 3: 3 is better for these trainings only (p=0.004); RMSE 10.0 lower (17 %), but the seeds "
            "do not decide it (p=0.20, 95 % interval of the difference -1.00 to 16.0)",
        ),
        (
            {"p_seeds": float("nan"), "p_holm": 0.0002},
            "look_back=6 vs 3: 3 is better for these trainings only (p<0.001); RMSE 10.0 lower (17 %), but one seed "
            "cannot tell luck from skill",
        ),
        (
            {"statistic": float("nan"), "p": float("nan"), "p_holm": float("nan")},
            "look_back=6 vs 3: cannot be tested, too few test timestamps for this horizon",
        ),
        (
            {"statistic": -3.0},
            "look_back=6 vs 3: no evidence (p=0.004, but squared errors and mean RMSE disagree on which is better); "
            "RMSE of look_back=6 10.0 higher (20 %)",
        ),
        (
            {
                "kind": Kind.best,
                "first": {"look_back": "6", "stateful": "true", "horizon": "2"},
                "second": {"look_back": "3", "stateful": "false", "horizon": "2"},
            },
            "look_back=6 stateful=true vs look_back=3 stateful=false at horizon=2: evidence that look_back=3 "
            "stateful=false is better (p=0.004); RMSE 10.0 lower (17 %)",
        ),
        (
            {"kind": Kind.baseline, "second": {"baseline": "seasonal"}},
            "look_back=6 vs seasonal naive: evidence that seasonal naive is better (p=0.004); RMSE 10.0 lower (17 %)",
        ),
    ],
)  # fmt: skip
def test_the_sentence_says_what_the_numbers_support(changes: dict, sentence: str) -> None:
    """A reader is told of evidence that is none, of the wrong winner, or of the wrong size."""
    assert state_comparison(comparison(**changes)) == sentence
