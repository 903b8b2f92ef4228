"""`python -m pipeline.compare protocol` as a user runs it, on small runs that were really trained."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.command.compare import main
from pipeline.config.schema import (
    Config,
    DatasetConfig,
    ModelConfig,
    Order,
    Protocol,
    Source,
    TrackingConfig,
    TrainingConfig,
)
from pipeline.experiment.run import run_experiment
from pipeline.tracking.live import close_parent, open_parent
from pipeline.tracking.store import open_store

ROOT = Path(__file__).resolve().parents[2]
Answer = Callable[..., tuple[int, str, str]]
# Of 60 rows: 40 before the test, 20 test rows.
DATASET = DatasetConfig(
    name="wave", source=Source.sine, length=60, noise=0.1, period=12, test_fraction=1 / 3, time_column="step",
    features=["value"], targets=["value"],
)  # fmt: skip
TRAINING = TrainingConfig(epochs=2, learning_rate=0.01, patience=None)
BASE = Config(look_back=3, seeds=2, dataset=DATASET, model=ModelConfig(units=[3]), training=TRAINING)
RUNS = {
    "fair stateless": replace(BASE, training=replace(TRAINING, patience=1)),
    "fair stateful": replace(BASE, stateful=True),
    "tutorial": replace(
        BASE, stateful=True, protocol=Protocol.tutorial, dataset=replace(DATASET, order=Order.overlapping)
    ),
    "two steps ahead": replace(BASE, horizon=2),
}


@dataclass(frozen=True)
class Trained:
    """A store, a sweep in it, and its runs by name."""

    uri: str
    sweep: str
    ids: dict[str, str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> Trained:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        uri = make_store(tmp_path_factory.mktemp("store"))
        tracking = TrackingConfig(uri=uri, log_model=False)
        store = open_store(tracking)
        parent = open_parent(store, "sweep", ["-m"])
        told = replace(tracking, parent_run_id=parent)
        ids = {
            name: run_experiment(replace(config, tracking=told), name, tell=lambda text: None).run_id
            for name, config in RUNS.items()
        }
        close_parent(store, parent, "FINISHED")
    return Trained(uri, parent, ids)


@pytest.fixture
def answer(trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answer:
    """Run the command line in this process: exit code, standard output, standard error."""
    monkeypatch.setattr("gc.disable", lambda: None)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", trained.uri)
        code = main(["protocol", *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def test_the_score_under_a_runs_own_protocol_is_the_logged_one(answer: Answer, trained: Trained) -> None:
    """What is re-scored is not what was trained: every other number of the table would be worthless."""
    runs = [trained.ids[name] for name in RUNS if name != "two steps ahead"]
    code, out, err = answer(f"runs=[{','.join(runs)}]", "format=json")
    found = json.loads(out)
    assert (code, err, found["refused"], found["mismatches"]) == (0, "", [], [])
    assert [row["trained_under"] for row in found["runs"]] == ["fair", "fair", "tutorial"]
    for row in found["runs"]:
        assert row[row["trained_under"]]["test_rmse"] == pytest.approx(row["logged_test_rmse"], rel=1e-5)
        assert (row["fair"]["points"], row["tutorial"]["points"]) == (20, 16)  # minus look_back, minus one
        assert row["difference"] == pytest.approx(row["tutorial"]["test_rmse"] - row["fair"]["test_rmse"])
        assert row["difference"] == pytest.approx(row["by_points"] + row["by_state"])
        assert row["share"] == pytest.approx(row["difference"] / row["tutorial"]["test_rmse"])
        assert len(row["fair"]["per_seed"]) == len(row["seeds"]) == 2


def test_each_window_of_a_stateless_network_answers_for_itself(answer: Answer, trained: Trained) -> None:
    """Windowing the parts apart would change a forecast that has no past; or the cold state would change nothing."""
    _, out, _ = answer(f"runs=[{trained.ids['fair stateless']},{trained.ids['fair stateful']}]", "format=json")
    stateless, stateful = json.loads(out)["runs"]
    assert stateless["by_state"] == pytest.approx(0, abs=1e-6)
    assert abs(stateful["by_state"]) > 1e-4
    assert "nothing by windowing the parts apart" in stateless["sentence"]
    assert "by the cold state of the test part" in stateful["sentence"]


def test_a_run_that_cannot_be_rescored_is_named_and_the_others_are(answer: Answer, trained: Trained) -> None:
    """One run with two steps ahead ends the command, or is left out without a word."""
    code, out, err = answer(f"sweep={trained.sweep}", "format=csv")
    assert code == 2
    (line,) = err.splitlines()
    assert trained.ids["two steps ahead"] in line and "protocol=tutorial needs horizon=1, but got horizon=2" in line
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["fair_test_rmse"] != "" for row in rows] == [True, True, True, False]
    code, out, err = answer(f"sweep={trained.sweep}", "where=[horizon=2]", "format=csv")
    assert code == 2 and len(list(csv.DictReader(io.StringIO(out)))) == 1


def test_a_table_for_the_terminal(answer: Answer, trained: Trained) -> None:
    """The reader is not told how much is protocol, what it changes, or that a scaler's leak stays."""
    code, out, _ = answer(f"runs=[{trained.ids['fair stateful']},{trained.ids['tutorial']}]")
    assert code == 0
    for text in ("share that", "% of", "cold instead of warm", "1 of 2 were trained under protocol=tutorial"):
        assert text in out, text
    _, out, _ = answer(f"runs=[{trained.ids['fair stateful']}]")
    assert "trained under protocol=tutorial" not in out


def test_a_score_that_is_not_the_logged_one_is_told(
    answer: Answer, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights of another training are re-scored as if they were the run's."""
    from pipeline.studies import rescoring

    load = rescoring.load_weights

    def spoil(path: Path) -> Any:
        saved = load(path)
        return replace(saved, arrays=[array + np.float32(0.1) for array in saved.arrays])

    monkeypatch.setattr(rescoring, "load_weights", spoil)
    code, out, err = answer(f"runs=[{trained.ids['fair stateless']}]")
    assert code == 1 and out
    assert "under its own protocol=fair the weights score" in err and "but MLflow has" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["format=html"], "unknown format 'html'; choose from table, csv, json"),
        (["by=[look_back]"], "unknown key 'by'"),
        (["sweep=nope"], "there is no run nope in"),
        (["runs=[a]", "experiment=b"], "choose one of sweep, experiment and runs"),
        (["output=/nowhere/x.csv"], "the folder /nowhere is not there"),
        (["where=[look_bak=3]", "experiment=lstm-pipeline"], "did you mean 'look_back'?"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(answer: Answer, words: list[str], message: str) -> None:
    """A typo ends in a traceback, or in an answer to another question."""
    code, out, err = answer(*words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and message in err


def test_the_command_itself_needs_no_tensorflow(trained: Trained, tmp_path: Path) -> None:
    """The command waits for TensorFlow although nothing is trained."""
    spy = f"import sys, runpy\nsys.argv = ['compare', 'protocol', 'runs=[{trained.ids['tutorial']}]', 'format=json']\n"
    spy += "try:\n    runpy.run_module('pipeline.compare', run_name='__main__')\n"
    spy += "except SystemExit as end:\n    code = end.code\n"
    spy += "slow = [name for name in ('tensorflow', 'keras', 'matplotlib') if name in sys.modules]\n"
    spy += "print(code, slow, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", spy], capture_output=True, text=True, timeout=1200, cwd=tmp_path,
        env={**os.environ, "MLFLOW_TRACKING_URI": trained.uri, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stderr.strip() == "0 []"
    assert json.loads(done.stdout)["runs"]


def test_help_needs_no_store(capsys: pytest.CaptureFixture[str]) -> None:
    """A newcomer who asks for help waits for MLflow, or is told that there is no store."""
    assert main(["protocol", "--help"]) == 0
    assert "usage: python -m pipeline.compare protocol [key=value ...]" in capsys.readouterr().out
