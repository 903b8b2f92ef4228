"""The sentence at the end: every conclusion it may draw, and none that the seeds do not support.

The strongest baseline of these records is the linear fit with an RMSE of 60.
"""

import pytest

from pipeline.record import Status
from pipeline.report.verdict import describe_margin, state_verdict


def test_the_sentence_of_the_readme(make_record) -> None:
    """The verdict in plain words would not be the one that was promised."""
    records = [
        make_record(test_rmse=62.4, validation_rmse=10, interval=1, params={"look_back": "3", "stateful": "false"}),
        make_record(test_rmse=70, validation_rmse=20, interval=1, params={"look_back": "6", "stateful": "true"}),
    ]
    assert state_verdict(records) == (
        "No configuration beats the linear fit on the last 3 values; "
        "the best LSTM, look_back=3 stateful=false, is 4 % worse."
    )


def test_a_network_that_beats_the_strongest_baseline(make_record) -> None:
    """A real success would not be reported, or without saying that validation chose it."""
    assert state_verdict([make_record(test_rmse=48, interval=5)]) == (
        "The best LSTM, look_back=3 stateful=false, chosen by validation, beats the linear fit on the last 3 values: "
        "it is 20 % better."
    )


def test_a_lead_within_the_spread_is_no_victory(make_record) -> None:
    """Luck with the seeds would be sold as skill: the interval reaches the baseline."""
    assert state_verdict([make_record(test_rmse=57, interval=5)]) == (
        "The best LSTM, look_back=3 stateful=false, is not distinguishable from the linear fit on the last 3 values: "
        "it is 5 % better (but the 95 % interval over its 3 seeds includes equality)."
    )


def test_a_deficit_within_the_spread_says_so(make_record) -> None:
    """A network that may equal the baseline would be called worse without a word of doubt."""
    assert state_verdict([make_record(test_rmse=63, interval=5)]) == (
        "No configuration beats the linear fit on the last 3 values; the best LSTM, look_back=3 stateful=false, "
        "is 5 % worse (but the 95 % interval over its 3 seeds includes equality)."
    )


def test_a_configuration_that_only_the_test_part_favours(make_record) -> None:
    """The best of many test scores would be presented as if it could have been chosen."""
    chosen = make_record(test_rmse=66, validation_rmse=10, params={"look_back": "6"}, baseline_linear_rmse=61)
    lucky = make_record(test_rmse=50, validation_rmse=20, params={"look_back": "3"})
    assert state_verdict([lucky, chosen]) == (
        "The best LSTM, look_back=6, chosen by validation, is 10 % worse than the linear fit on the last 3 values; "
        "another configuration beats it on the test part, but nothing before the test says which."
    )


@pytest.mark.parametrize(("test_rmse", "begins"), [(48, "The best LSTM"), (66, "No configuration beats")])
def test_one_seed_is_judged_with_a_caution(test_rmse, begins, make_record) -> None:
    """One training would settle the question, though another seed may decide otherwise."""
    verdict = state_verdict([make_record(test_rmse=test_rmse, one_seed=True)])
    assert verdict.startswith(begins)
    assert verdict.endswith("(one seed: luck is not distinguishable from skill).")


def test_nothing_finished(make_record) -> None:
    """A sweep in which everything failed would end in a traceback or a verdict about nothing."""
    assert state_verdict([make_record(status=Status.failed)]) == "No run finished, so there is nothing to compare."


def test_failed_runs_are_left_out(make_record) -> None:
    """A failed run without metrics would end the summary, or be called the best."""
    failed = make_record(status=Status.failed, params={"look_back": "1"})
    assert "look_back=3 stateful=false" in state_verdict([failed, make_record(test_rmse=70)])


@pytest.mark.parametrize(
    ("baselines", "name"),
    [
        ({"baseline_persistence_rmse": 5}, "repeating the last value (persistence)"),
        ({"baseline_seasonal_rmse": 5}, "repeating the value of one season ago (seasonal naive)"),
        ({"baseline_linear_rmse": 5, "params": {"look_back": "1"}}, "the linear fit on the last value"),
        ({"baseline_linear_rmse": 5, "params": {"look_back": "12"}}, "the linear fit on the last 12 values"),
    ],
)
def test_the_strongest_baseline_is_named(baselines, name, make_record) -> None:
    """A network would be praised for beating the weakest baseline."""
    assert f"No configuration beats {name};" in state_verdict([make_record(**baselines)])


def test_the_strongest_baseline_of_all_runs_counts(make_record) -> None:
    """A configuration would win against its own weak linear fit, though the same fit on more lags beats it."""
    best = make_record(test_rmse=50, validation_rmse=1, params={"look_back": "1"}, baseline_linear_rmse=55)
    other = make_record(test_rmse=80, validation_rmse=2, params={"look_back": "12"}, baseline_linear_rmse=20)
    assert state_verdict([best, other]).startswith("No configuration beats the linear fit on the last 12 values")


@pytest.mark.parametrize(
    ("rmse", "words"),
    [
        (50, "50 % better"),
        (96, "4 % better"),
        (100, "0 % worse"),
        (104, "4 % worse"),
        (299, "199 % worse"),
        (300, "3 times worse"),
        (1e6, "over 1000 times worse"),
    ],
)
def test_margins_in_words(rmse, words) -> None:
    """A margin would be stated with the wrong sign or size."""
    assert describe_margin(rmse, 100) == words


def test_a_perfect_baseline_can_be_compared_with() -> None:
    """A noise-free seasonal series, where the baseline errs by zero, would end in a division by zero."""
    assert describe_margin(1.0, 0.0) == "over 1000 times worse"
