"""The sentence at the end: every conclusion it may draw, and none that timestamps and seeds do not both support."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.base.document import Summary
from pipeline.base.record import LoggedRun, RunRecord, Status
from pipeline.comparison.configurations import Configuration
from pipeline.comparison.pairwise import Comparison, Kind, Rival
from pipeline.comparison.pooling import Cell
from pipeline.comparison.verdict import describe_margin, state_verdict
from pipeline.models.heads.point import RMSE

NAN = float("nan")
RIVALS = [Rival("persistence", {}, 100.0, np.ones(9), 3), Rival("linear", {}, 60.0, np.ones(9), 3)]


def configuration(rmse: float, cell: str = "lstm", **parameters: str) -> Configuration:
    params = {"model.cell": cell, "look_back": "3", "stateful": "false"} | parameters
    run = LoggedRun(RunRecord("id", Status.finished, params, {}, RMSE), "", "", 0)
    scores = np.array([rmse, rmse])
    one = Cell(parameters, (run,), (1, 2), scores, scores, scores, np.ones(9), {}, np.ones(1))
    summary = Summary(rmse, 1.0, rmse - 1, rmse + 1)
    return Configuration(parameters, (one,), summary, summary, summary, np.ones(9))


def versus(rmse: float, baseline: float, **changes: float) -> Comparison:
    """A comparison with a baseline in which both tests agree with the difference."""
    told = {"low": 1.0, "high": 2.0, "p_seeds": 0.002, "statistic": rmse - baseline, "p": 0.001, "p_holm": 0.004}
    values = told | {"statistic": float(np.sign(rmse - baseline))} | changes
    return Comparison(Kind.baseline, {}, {"baseline": "linear"}, rmse, baseline, **values)


def verdict(rmse: float, *others: Configuration, cell: str = "lstm", **changes: float) -> str:
    found = [versus(rmse, 100.0), versus(rmse, 60.0, **changes)]
    (sentence,) = state_verdict([configuration(rmse, cell), *others], found, [], RIVALS)
    return sentence


def test_a_network_that_beats_the_strongest_baseline() -> None:
    """A real success would not be reported, or without saying that validation chose it and what proves it."""
    assert verdict(48) == (
        "The best LSTM, look_back=3 stateful=false, chosen by validation, beats the linear fit on the last 3 values: "
        "it is 20 % better (p=0.004 over the test timestamps, p=0.002 over the seeds)."
    )


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"p_holm": 0.31}, "the test timestamps do not decide it (p=0.31)"),
        ({"p_seeds": NAN}, "one seed cannot tell luck from skill"),
        ({"p_seeds": 0.2}, "the seeds do not decide it (p=0.20, 95 % interval of the difference 1.00 to 2.00)"),
        ({"statistic": 1.0}, "squared errors and the mean score disagree on which is better"),
        ({"p": NAN, "p_holm": NAN}, "there are too few test timestamps to test it"),
    ],
)
def test_a_lead_that_one_of_the_tests_does_not_see_is_no_victory(changes: dict[str, float], doubt: str) -> None:
    """Luck with the seeds, or with the test part, would be sold as skill."""
    assert verdict(57, **changes) == (
        "The best LSTM, look_back=3 stateful=false is not distinguishable from the linear fit on the last 3 values: "
        f"it is 5 % better, but {doubt}."
    )


def test_a_lead_that_rounds_to_nothing_is_on_par() -> None:
    """With many stocks a lead of 0.2 % passes both tests: it would be called a victory, and 0 % better."""
    assert verdict(59.9) == (
        "The best LSTM, look_back=3 stateful=false, chosen by validation, is on par with the linear fit on the last 3 "
        "values."
    )


def test_a_deficit_with_and_without_evidence() -> None:
    """A network that may equal the baseline would be called worse without a word of doubt."""
    begin = "No configuration beats the linear fit on the last 3 values; the best GRU, look_back=3 stateful=false, is "
    assert verdict(63, cell="gru") == f"{begin}5 % worse."
    doubt = "but not distinguishable from it: the test timestamps do not decide it (p=0.31)."
    assert verdict(63, cell="gru", p_holm=0.31) == f"{begin}5 % worse, {doubt}"


def test_a_configuration_that_only_the_test_part_favours() -> None:
    """The best of many test scores would be presented as if it could have been chosen."""
    told = verdict(66, configuration(50, look_back="6"))
    assert "look_back=6 has a lower test score than that, but nothing before the test says so" in told
    assert "is 10 % worse" in told and "beats" not in told


def test_the_other_configurations_are_counted_by_evidence() -> None:
    """A configuration that nothing tells apart from the best is called worse, or `0 better` is said."""
    best, other = configuration(48, look_back="3"), configuration(50, look_back="6")
    worse = replace(versus(50.0, 48.0), kind=Kind.best)
    unclear = replace(worse, p_holm=0.5)
    told = state_verdict([best, other, other], [], [worse, unclear], [])
    expected = "1 is worse with evidence and 1 is not distinguishable from it."
    assert told == (f"Of 2 other configurations, compared with look_back=3: {expected}",)


@pytest.mark.parametrize(
    ("rmse", "words"),
    [
        (50, "50 % better"),
        (96, "4 % better"),
        (100, "on par"),
        (104, "4 % worse"),
        (299, "199 % worse"),
        (300, "3 times worse"),
        (1e6, "over 1000 times worse"),
    ],
)
def test_the_margin_in_words(rmse: float, words: str) -> None:
    """A margin is shown with the wrong size or direction."""
    assert describe_margin(rmse, 100.0) == words
