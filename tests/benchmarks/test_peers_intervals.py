"""`make peers-intervals` without the peers: what is asked for, the scores, the table."""

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.peers.intervals import ours, work
from benchmarks.peers.intervals.__main__ import run_workers
from benchmarks.peers.intervals.scores import COVERAGES, LEVELS, join_quantiles, score_quantiles
from benchmarks.peers.intervals.table import describe_pairs, describe_table
from benchmarks.peers.sets import SETS, find_test_start


def test_the_score_of_known_quantiles() -> None:
    """CRPS is of other levels than it says, coverage of another interval, or a panel's large series counts alone."""
    past = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])  # one season later: 1 and 10 off
    values = np.vstack([past, [[4.0, 40.0]]])
    spread = np.array(LEVELS) - 0.5  # of a uniform one, from half a unit below to half a unit above
    away = np.array([0.45, 0.0])  # what came lies between the quantiles 0.05 and 0.95 but one
    quantiles = (values[3] - away * [1, 10])[:, None] + spread * np.array([[1.0], [10.0]])
    scores = score_quantiles(values, quantiles[None], start=3, period=1)
    losses = [2 * np.mean([max((1 - p) * (p - 0.5 - a), -p * (p - 0.5 - a)) for p in LEVELS]) for a in away]
    assert scores["crps"] == pytest.approx(np.mean(losses), abs=1e-4)
    assert (scores["coverage_80"], scores["coverage_95"]) == (0.5, 1.0)
    assert (scores["width_80"], scores["width_95"]) == (0.8, 0.95)
    with pytest.raises(ValueError, match="a quantile is missing in 1 of 2"):
        score_quantiles(values, np.where(np.arange(2)[:, None] == 1, np.nan, quantiles)[None], start=3, period=1)
    with pytest.raises(ValueError, match="a quantile is missing"):
        score_quantiles(values, quantiles[None, :, 1:], start=3, period=1)


def test_intervals_become_quantiles_in_order() -> None:
    """The ends of an interval stand at another level: its coverage is that of another one."""
    assert tuple(round((1 - share) / 2, 6) for share in reversed(COVERAGES)) == LEVELS[:6]
    radii = np.array(COVERAGES)[:, None, None] * np.ones((1, 3, 2))
    found = join_quantiles(-radii, np.zeros((3, 2)), radii)
    assert found.shape == (3, 2, len(LEVELS))
    np.testing.assert_allclose(found[0, 0], 2 * np.array(LEVELS) - 1)


@pytest.mark.parametrize("horizon", [1, 12])
@pytest.mark.parametrize("name", ["german_interest", "wine"])
def test_intervals_exist_from_the_first_step_and_know_no_later_one(name: str, horizon: int) -> None:
    """A contender is scored on fewer steps than another one, or its intervals know what they are to cover."""
    length = SETS[name].length
    values = pd.DataFrame({"value": np.random.default_rng(0).normal(size=length).cumsum()})
    start, known = find_test_start(length), find_test_start(length) + 10
    assert ours.find_validation_start(length, horizon) <= find_test_start(start)
    changed = values.copy()
    changed.iloc[known:] += 50.0
    for forecast in (ours.forecast_ridge_conformal, ours.forecast_seasonal_naive):
        ((_, before),), ((_, after),) = (forecast(each, name, horizon).items() for each in (values, changed))
        assert before.shape == (length - start, 1, len(LEVELS)) and np.isfinite(before).all()
        np.testing.assert_array_equal(before[: 10 + horizon], after[: 10 + horizon])
        assert horizon == 12 or (before[12:] != after[12:]).any()


def test_what_a_set_cannot_do_is_a_line_and_the_others_go_on() -> None:
    """A peer that fails on one set ends the night, or what is missing cannot be found in the results."""

    def fail(values: pd.DataFrame, name: str, horizon: int) -> work.Found:
        raise RuntimeError("no such season")

    values = pd.DataFrame({"value": np.arange(114.0)})
    (record,) = work.run_set(fail, "peer", values, "lynx", 1)
    assert work.describe(record) == "lynx 1 peer: FAILED: RuntimeError: no such season"
    (record,) = work.run_set(ours.forecast_seasonal_naive, "seasonal_naive", values, "lynx", 1)
    assert record["coverage_95"] == 1.0 and record["crps"] == 0.0


def test_the_table_is_of_common_sets_and_over_the_seasonal_naive() -> None:
    """Who fails on hard sets looks better, or a set with large errors decides the mean."""
    scores = {
        "naive": [("wine", 1.0, 0.8), ("gas", 10.0, 0.6), ("wool", 1.0, 0.8)],
        "network": [("wine", 0.5, 0.85), ("gas", 4.0, 0.75), ("beer", 9.0, 0.1)],
    }
    records = [
        {
            "set": name, "horizon": 1, "contender": "seasonal_naive" if who == "naive" else who, "crps": crps,
            "coverage_80": covered, "coverage_95": 0.95, "seconds": 1.0,
        }
        for who, found in scores.items()
        for name, crps, covered in found
    ]  # fmt: skip
    records.append({"set": "wool", "horizon": 1, "contender": "network", "error": "killed"})
    names = ["wine", "gas", "wool", "beer"]
    table = [line.split() for line in describe_table(records, 1, names).splitlines()]
    assert table[0][3:5] == ["2", "sets"]
    assert table[2] == ["network", "0.450", "0.447", "2", "80.0", "5.0", "95.0", "0.0", "1.0"]
    assert table[3] == ["seasonal_naive", "1.000", "1.000", "0", "70.0", "10.0", "95.0", "0.0", "1.0"]
    assert table[4] == ["failed:", "network", "on", "wool"]
    pairs = describe_pairs(records, 1, names, "network").splitlines()
    assert pairs[2].split() == ["seasonal_naive", "2", "1.000", "0.450", "1.000", "0.447", "2", "(100%)"]


def test_only_what_has_no_result_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours are trained twice after Ctrl-C, or a set that failed is never tried again."""
    results, ran = tmp_path / "results.jsonl", []
    lines = [{"set": "wine", "crps": 1.0}, {"set": "gas", "error": "killed"}]
    results.write_text("".join(f"{json.dumps({'horizon': 1, 'contender': 'auto_ets'} | each)}\n" for each in lines))

    def run(words: list[str]) -> subprocess.CompletedProcess[str]:
        ran.append(words)
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr("benchmarks.peers.intervals.__main__.subprocess.run", run)
    given = {"sets": ["wine", "gas"], "contenders": ["auto_ets"], "horizons": [1, 12], "folder": tmp_path}
    run_workers(argparse.Namespace(python="peers-python", **given), results)
    start = ["peers-python", "-m", "benchmarks.peers.intervals.theirs", "auto_ets"]
    assert ran == [[*start, "1", str(tmp_path), "gas"], [*start, "12", str(tmp_path), "wine", "gas"]]
