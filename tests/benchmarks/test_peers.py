"""`make peers` without the peers: the sets, the scores and the table."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.__main__ import THEIRS, run_pairs, run_process
from benchmarks.peers.ours import forecast_ridge
from benchmarks.peers.sets import HELD_OUT, LICENCES, SETS, find_test_start, load_values
from benchmarks.peers.table import compute_mase, describe_pairs, describe_table, read_records
from benchmarks.peers.theirs import CONTENDERS, forecast_seasonal_naive


def test_the_sets_are_the_promised_ones() -> None:
    """A comparison of another year is on other sets, or a set that was tuned on counts as held out."""
    assert len(SETS) >= 20 and {each.package for each in SETS.values()} == set(LICENCES)
    assert HELD_OUT == (
        "cement", "drug_sales", "elnino", "page_views", "tree_rings", "uk_drivers", "uk_gas", "us_electricity"
    )  # fmt: skip
    assert not any(SETS[name].known for name in HELD_OUT)


@pytest.mark.parametrize("name", [name for name, each in SETS.items() if each.package == "statsmodels"])
def test_a_set_of_statsmodels_has_its_shape(name: str) -> None:
    """A contender is given gaps, years in the wrong order, or fewer steps than the documentation says."""
    values = load_values(name)
    assert values.shape == (SETS[name].length, 1)
    assert np.isfinite(values.to_numpy()).all()


def test_the_months_of_a_year_make_one_series() -> None:
    """El Nino's twelve columns become twelve series, or lose their order."""
    assert load_values("elnino")["temperature"].iloc[:3].tolist() == [23.11, 24.2, 25.37]


def test_mase_is_in_units_of_the_seasonal_naive_error_of_the_past() -> None:
    """The table compares scores of other units, or of a scale that has seen the test part."""
    past = np.array([[1.0, 10.0], [5.0, 50.0], [2.0, 20.0], [8.0, 80.0]])
    values = np.vstack([past, [[3.0, 100.0]]])  # one season later: 1 and 3 off in the mean 2, and ten times as much
    assert compute_mase(values, np.array([[4.0, 60.0]]), start=4, period=2) == pytest.approx((1 / 2 + 40 / 20) / 2)
    with pytest.raises(ValueError, match="a forecast is missing: 1 of 2"):
        compute_mase(values, np.array([[4.0, np.nan]]), start=4, period=2)
    with pytest.raises(ValueError, match=r"1, 2\) steps and series instead of \(2, 2"):
        compute_mase(values, np.array([[4.0, 60.0]]), start=3, period=2)


def test_the_table_counts_only_sets_that_everybody_has_forecast(tmp_path: Path) -> None:
    """Who fails on the hard sets has the better mean, or a repeated pair counts twice."""
    lines = [
        {"set": "wine", "horizon": 1, "contender": "search", "error": "killed", "seconds": 1, "megabytes": 1},
        *(
            {"set": name, "horizon": 1, "contender": who, "mase": mase, "seconds": 2.0, "megabytes": 100}
            for name, who, mase in [
                *(("wine", "search", 0.5), ("wine", "lstm", 1.0), ("gas", "search", 0.9), ("gas", "lstm", 0.7)),
                *(("wool", "search", 1.0), ("wool", "lstm", 3.0), ("beer", "lstm", 0.1)),
            ]
        ),
    ]
    (tmp_path / "results.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    records = read_records(tmp_path / "results.jsonl")
    assert len(records) == 7
    table = [line.split() for line in describe_table(records, 1, ["wine", "gas", "wool", "beer"]).splitlines()]
    assert table[0][3:5] == ["3", "sets"]
    assert table[2:] == [["search", "0.800", "0.900", "2", "2.0", "100"], ["lstm", "1.567", "1.000", "1", "2.0", "100"]]


def test_a_pair_is_compared_on_the_sets_that_both_have_forecast() -> None:
    """A peer that was run on the hard sets only looks bad, or one that was run on few of them empties the table."""
    scores = {
        "search": {"wine": 0.5, "gas": 1.0, "wool": 3.0},
        "lstm": {"wine": 1.0, "gas": 0.5, "beer": 0.1},
        "ridge": {"wine": 2.0, "gas": 2.0, "wool": 2.0},
        "theta": {"beer": 1.0},
    }
    records = [
        {"set": name, "horizon": 1, "contender": who, "mase": mase, "seconds": 1.0, "megabytes": 100}
        for who, found in scores.items()
        for name, mase in found.items()
    ]
    table = [
        line.split() for line in describe_pairs(records, 1, ["wine", "gas", "wool", "beer"], "search").splitlines()
    ]
    assert table[2:] == [
        ["lstm", "2", "0.750", "0.750", "0.750", "0.750", "1", "(50%)", "1.0", "1.0"],
        ["ridge", "3", "2.000", "1.500", "2.000", "1.000", "2", "(67%)", "1.0", "1.0"],
    ]


@pytest.mark.parametrize("horizon", [1, 12])
def test_no_forecast_knows_what_it_forecasts(horizon: int) -> None:
    """A contender of ours reads the values that it is scored on, or is one step off."""
    values = np.random.default_rng(0).normal(size=(100, 2)).cumsum(axis=0)
    start = find_test_start(100)
    for forecast in (
        lambda given: forecast_ridge(given, 4, horizon),
        lambda given: forecast_seasonal_naive(given, 4, horizon, quick=True),
    ):
        changed = values.copy()
        changed[start + 5 :] += 100.0
        before, after = forecast(values), forecast(changed)
        assert before.shape == (100 - start, 2)
        np.testing.assert_array_equal(before[: 5 + horizon], after[: 5 + horizon])
        assert horizon == 12 or (before[6:] != after[6:]).any()
    np.testing.assert_array_equal(forecast_seasonal_naive(values, 4, 1, True)[0], values[start - 4])
    np.testing.assert_array_equal(forecast_seasonal_naive(values, 5, 12, True)[0], values[start - 15])


def test_a_finished_pair_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours are trained twice after Ctrl-C; or a quick look, or a failure, passes for the result."""
    ran: list[tuple[int, str]] = []

    def run(arguments: argparse.Namespace, name: str, horizon: int, contender: str) -> dict[str, object]:
        ran.append((horizon, contender))
        failed = contender == "auto_ets" and horizon == 12
        return {"seconds": 1.0, "megabytes": 1} | ({"error": "killed"} if failed else {"mase": 1.0})

    monkeypatch.setattr("benchmarks.peers.__main__.run_pair", run)
    given = {"sets": ["wine"], "contenders": ["search", "auto_ets"], "budget": "60s", "quick": True}
    results = tmp_path / "results.jsonl"
    run_pairs(argparse.Namespace(**given), results)
    assert ran == [(1, "search"), (1, "auto_ets"), (12, "search"), (12, "auto_ets")]
    run_pairs(argparse.Namespace(**given), results)
    assert ran[4:] == [(12, "auto_ets")]
    run_pairs(argparse.Namespace(**given | {"quick": False}), results)
    assert len(ran) == 9
    run_pairs(argparse.Namespace(**given | {"quick": False, "budget": "90s"}), results)
    assert ran[9:] == [(1, "search"), (12, "search"), (12, "auto_ets")]


def test_a_contender_has_a_limit(tmp_path: Path) -> None:
    """One peer that hangs keeps the comparison of a night from going on; or a failure counts as done."""
    assert set(THEIRS) == set(CONTENDERS)
    code, seconds, _ = run_process([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log", 0.3)
    assert code is None and seconds < 10
    code, _, megabytes = run_process([sys.executable, "-c", "print('said'); exit(3)"], tmp_path / "log", 30)
    assert code == 3 and megabytes > 1 and (tmp_path / "log").read_text() == "said\n"
