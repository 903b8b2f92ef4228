"""`python -m pipeline.look` as a user runs it: the page is written, or one line says what to change."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from pipeline.command.arguments import run_entry
from pipeline.command.look import MANUAL, Arguments, write_page

Look = Callable[..., tuple[int, str]]


@pytest.fixture
def look(readme_sweep: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Look:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", readme_sweep.uri)

    def run(*words: str) -> tuple[int, str]:
        code = run_entry(words, Arguments, MANUAL, write_page)
        out, told = capfd.readouterr()
        assert "Traceback" not in told
        return code, out + told

    return run


def facts_of(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def run_ids(readme_sweep: Any) -> Sequence[str]:
    client = MlflowClient(readme_sweep.uri)
    experiment = client.get_experiment_by_name("lstm-pipeline")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    return [run.info.run_id for run in runs if "mlflow.parentRunId" in run.data.tags]


def test_the_page_shows_the_excerpt_that_was_asked_for(look: Look) -> None:
    """The page shows another time, or another number of steps."""
    code, told = look("run=best", "start=1955-02-01", "steps=30", "output=mine.html")
    assert code == 0, told
    assert "validation RMSE" in told and "written to mine.html" in told
    facts = facts_of(Path("mine.html"))
    (network,) = facts["networks"]
    assert (facts["target"], facts["unit"], facts["ahead"]) == ("passengers", "thousand passengers", "1 step ahead")
    assert (network["times"][0], network["times"][-1]) == ("1955-02-01", "1957-07-01")
    assert list(network["layers"][0]["quantities"]) == ["input", "forget", "candidate", "output", "h", "c"]


def test_two_runs_and_two_seeds_stand_side_by_side(look: Look, readme_sweep: Any) -> None:
    """A comparison shows the same network twice."""
    one, other, *_ = run_ids(readme_sweep)
    assert look(f"run={one}", f"against={other}")[0] == 0
    assert [each["name"].split(",")[0] for each in facts_of(Path("gates.html"))["networks"]] == [
        f"run {one[:8]}", f"run {other[:8]}"
    ]  # fmt: skip
    assert look(f"run={one}", "seed=1", "against_seed=2")[0] == 0
    seeds = facts_of(Path("gates.html"))["networks"]
    assert [each["name"] for each in seeds] == [f"run {one[:8]}, seed {seed}" for seed in (1, 2)]
    assert seeds[0]["weights"] != seeds[1]["weights"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run=best", "steps=0"], "steps must be from 1 to 2000, but got steps=0"),
        (["run=best", "start=1970-01-01"], "start=1970-01-01 is after the last row, 1960-12-01; choose an earlier one"),
        (["run=best", "start=soon"], "start=soon is no time; write it like start=1949-01-01"),
        (["run=best", "seed=9"], "the run has no seed 9; it has 1, 2"),
        (["run=best", "series=x"], "series=x: the run has one series only; leave series out"),
        (["run=best", "output=nowhere/x.html"], "output=nowhere/x.html: the folder nowhere is not there"),
        (["run=none"], "run=none is not in"),
        (["ran=best"], "unknown key 'ran'; did you mean 'run'?"),
        ([], "run is required"),
    ],
)
def test_wrong_input_is_one_line(words: list[str], told: str, look: Look) -> None:
    """Wrong input ends in a traceback, or writes a page of something else."""
    code, said = look(*words)
    assert code == 2 and told in said
    assert not list(Path.cwd().iterdir())


def test_help_names_every_key(look: Look) -> None:
    """A key cannot be found."""
    code, told = look("--help")
    assert code == 0
    assert all(
        key in told for key in ("run=", "output=", "steps=", "start=", "series=", "seed=", "against=", "against_seed=")
    )
