"""`python -m pipeline.compare` as a user runs it, on runs that were logged without training anything."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.errors_file import NAME, measure_test_errors, write_test_errors
from pipeline.artifacts.tables import write_predictions
from pipeline.base.record import DIGEST_TAG, HASH_TAG
from pipeline.base.salvage import Salvage
from pipeline.command.compare import main
from pipeline.config.schema import TrackingConfig
from pipeline.evaluation.scores import Truth, score_run, score_seed
from pipeline.experiment.sweep_report import FOLDER, report_sweep
from pipeline.tracking.live import close_parent, open_parent, track_run
from pipeline.tracking.store import Store, open_store

ROOT = Path(__file__).resolve().parent.parent
TIME, BORDERS = 120, {"train": (0, 40), "validation": (40, 60), "test": (60, 120)}
TIMES = pd.date_range("1949-01-01", periods=TIME, freq="MS", name="month")
ACTUAL = 100 + 10 * np.sin(np.arange(TIME))[:, None]  # (time, targets)
PARAMS = {
    "look_back": "3", "horizon": "1", "stateful": "false", "seed": "1", "seeds": "4", "dataset.name": "made up",
    "dataset.unit": "people", "dataset.horizons": "one", "model.cell": "lstm",
}  # fmt: skip
Answer = Callable[..., tuple[int, str, str]]


def log_run(
    store: Store,
    parent: str | None,
    rmse: float,
    params: Mapping[str, str],
    first_seed: int = 1,
    num_seeds: int = 4,
    digest: str = "0a1b2c3d4e",
    rows: int = TIME,
    new: bool = True,
    above: float = 0.0,
) -> str:
    """Log a run that is wrong by `rmse`; `rows` cuts the test part, `new` writes test_errors.npz, all lies `above`."""
    random = np.random.default_rng([first_seed, *map(ord, "".join(params.values()))])
    seeds = list(range(first_seed, first_seed + num_seeds))
    names = np.repeat(list(BORDERS), [40, 20, rows - 60])
    parts = {part: names == part for part in BORDERS}  # each (rows,)
    noise = random.standard_normal((1, rows, 1, 1)) + 0.1 * random.standard_normal((num_seeds, rows, 1, 1))
    actual = ACTUAL[:rows] + above
    forecasts = actual[None, :, None] + rmse * noise  # (seeds, time, horizon_steps, targets)
    baselines = {"persistence": actual[:, None] + 5, "seasonal": actual[:, None] + 4, "linear": actual[:, None] + 3}
    truth = Truth(actual, np.ones((rows, 1), bool), parts, ["visitors"])
    scores = [score_seed(truth, each) for each in forecasts]
    given = PARAMS | {"seed": str(first_seed), "seeds": str(num_seeds)} | params
    with track_run(store, "run", given, {HASH_TAG: "hash", DIGEST_TAG: digest}, parent) as run:
        folder = store_folder(store) / run.run_id
        folder.mkdir()
        write_predictions(folder / "predictions.csv", TIMES[:rows], ["visitors"], [1], names, actual, forecasts, seeds)
        if new:
            validation = [score["validation_rmse"] for score in scores]
            rated = seeds, validation, np.ones(1)
            facts = TIMES[:rows], ["visitors"], [1], parts["test"], actual, forecasts, baselines, *rated
            write_test_errors(folder / NAME, measure_test_errors(*facts))
        run.log_folder(folder)
        run.log_metrics(score_run(truth, scores, baselines) | {"fit_seconds": 1.0}, {})
    return run.run_id


def store_folder(store: Store) -> Path:
    return Path(store.uri.removeprefix("sqlite:///")).parent


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> Store:
    """look_back 1 and 3 x stateful, where 3 is twice as good; one run failed; an older sweep lies before it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        store = open_store(TrackingConfig(uri=make_store(tmp_path_factory.mktemp("store"))))
        old = open_parent(store, "old", ["-m"])
        log_run(store, old, 3.0, {"look_back": "9"})
        close_parent(store, old, "FINISHED")
        parent = open_parent(store, "sweep look_back=1,3", ["-m", "look_back=1,3"])
        for look_back, rmse in (("1", 2.0), ("3", 1.0)):
            for stateful in ("false", "true"):
                log_run(store, parent, rmse, {"look_back": look_back, "stateful": stateful})
        log_run(store, parent, 1.0, {"look_back": "3", "stateful": "true"}, first_seed=5, new=False)
        with pytest.raises(ValueError, match="too large"), track_run(
            store, "run", PARAMS | {"look_back": "99"}, {HASH_TAG: "hash", DIGEST_TAG: "0a1b2c3d4e"}, parent
        ):  # fmt: skip
            raise ValueError("<b>too large</b>")
        close_parent(store, parent, "FAILED")
    return store


@pytest.fixture
def answer(store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answer:
    """Run the command line in this process: exit code, standard output, standard error."""
    monkeypatch.setattr("gc.disable", lambda: None)
    monkeypatch.setattr("gc.freeze", lambda: None)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
        code = main(words)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def test_json_has_what_the_readme_promises(answer: Answer) -> None:
    """A script that reads the answer finds other names, or NaN, which is no JSON."""
    code, out, err = answer("format=json")
    found = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (code, err) == (0, "")
    best = found["configurations"][0]
    assert set(found) >= {"configurations", "axes", "verdict", "sentences", "failed", "baselines"}
    assert best["parameters"]["look_back"] == 3
    assert set(best["test_rmse"]) == {"mean", "std", "low", "high"}
    assert best["test_rmse"]["low"] < best["test_rmse"]["mean"] < best["test_rmse"]["high"]
    assert [axis["name"] for axis in found["axes"]] == ["look_back", "stateful"]
    (effect,) = found["axes"][0]["effects"]
    assert (effect["from"], effect["to"], effect["matched"], effect["evidence"]) == (1, 3, 2, True)
    assert effect["sentence"].startswith(
        "look_back=3 vs 1 (mean of 2 matched pairs): evidence that look_back=3 is better"
    )


def test_runs_that_differ_only_in_seed_are_pooled_old_and_new(answer: Answer) -> None:
    """A sweep over seeds shows one row per seed; or a run from before test_errors.npz is left out."""
    _, out, _ = answer("format=json")
    seeds = {
        (each["parameters"]["look_back"], each["parameters"]["stateful"]): each["seeds"]
        for each in json.loads(out)["configurations"]
    }
    assert seeds == {(1, False): 4, (1, True): 4, (3, False): 4, (3, True): 8}


def test_the_verdict_counts_and_names_the_baseline(answer: Answer) -> None:
    """The conclusion leaves out whether any network was worth training."""
    _, out, _ = answer("format=json")
    verdict = json.loads(out)["verdict"]
    assert "The best LSTM, look_back=3 stateful=" in verdict and "beats the linear fit on the last 3 values" in verdict
    assert "seeds=" not in verdict
    assert "over the test timestamps, p" in verdict and "over the seeds)" in verdict
    assert "Of 3 other configurations, compared with look_back=3 stateful=" in verdict
    assert verdict.endswith(": 2 are worse with evidence and 1 is not distinguishable from it.")


def test_a_table_for_the_terminal(answer: Answer) -> None:
    """The table lacks a configuration, the failed run, or the verdict."""
    code, out, _ = answer()
    assert code == 0
    for text in (
        "made up: RMSE and MAE in people",
        "60 timestamps from 1954-01-01",
        "best",
        "Main effect of look_back",
    ):
        assert text in out
    assert "FAILED: look_back=99 stateful=false: <b>too large</b>" in out
    assert out.rstrip().endswith("not distinguishable from it.")


def test_csv_has_every_run(answer: Answer) -> None:
    """A spreadsheet shows a failed run as a good one, or not at all."""
    _, out, _ = answer("format=csv", "by=[look_back,stateful]")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["status"] for row in rows] == ["FINISHED"] * 4 + ["FAILED"]
    assert rows[0]["look_back"] == "3" and float(rows[0]["test_rmse_mean"]) < 1.5
    assert rows[-1]["look_back"] == "99" and rows[-1]["test_rmse_mean"] == ""


def test_by_one_key(answer: Answer) -> None:
    """by=[look_back] still shows a row per run, or forgets the main effect."""
    _, out, _ = answer("format=json", "by=[look_back]")
    found = json.loads(out)
    assert [(each["parameters"], each["seeds"]) for each in found["configurations"]] == [
        ({"look_back": 3}, 12), ({"look_back": 1}, 8)
    ]  # fmt: skip
    assert [axis["name"] for axis in found["axes"]] == ["look_back"]


def test_html_is_one_page_that_loads_nothing(answer: Answer, tmp_path: Path) -> None:
    """The page runs what a run was named, or needs a network."""
    path = tmp_path / "comparison.html"
    code, out, err = answer("format=html", f"output={path}")
    page = path.read_text()
    assert (code, out, err) == (0, "", f"written to {path}\n")
    assert "&lt;b&gt;too large&lt;/b&gt;" in page and "<b>" not in page
    assert "http://" not in page and "https://" not in page and "<script" not in page
    assert 'name="viewport"' in page and "prefers-color-scheme: dark" in page


def test_other_selections(answer: Answer, store: Store) -> None:
    """Only the newest sweep can be compared."""
    _, out, _ = answer("experiment=lstm-pipeline", "format=json")
    assert len(json.loads(out)["configurations"]) == 5
    _, out, _ = answer("experiment=lstm-pipeline", "where=[look_back=9]", "format=json")
    (single,) = json.loads(out)["configurations"]
    assert json.loads(out)["axes"] == [] and single["against_best"] is None
    _, out, _ = answer(f"runs=[{single['runs'][0]}]", "format=json")
    assert json.loads(out)["configurations"] == [single]


def test_a_condition_may_hold_a_comma(answer: Answer, mixed: Callable[..., list[str]]) -> None:
    """The runs of a dataset `a,b` cannot be chosen: a comma inside quotes makes two conditions."""
    ids = mixed({"params": {"dataset.name": "a,b"}}, {"params": {"dataset.name": "c"}, "above": 7.0})
    for where in ("where=[dataset.name='a,b']", 'where=["dataset.name=a,b"]', "where=dataset.name='a,b'"):
        code, out, _ = answer(f"runs=[{','.join(ids)}]", where, "format=json")
        (single,) = json.loads(out)["configurations"]
        assert (code, single["runs"]) == (0, ids[:1])


@pytest.fixture
def mixed(store: Store) -> Callable[..., list[str]]:
    """Log runs into an experiment of their own."""
    experiment = open_store(TrackingConfig(uri=store.uri, experiment_name=f"mixed {os.urandom(4).hex()}"))

    def log(*runs: dict) -> list[str]:
        return [log_run(experiment, None, 1.0, **run) for run in runs]

    return log


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (
            [{"params": {"horizon": "1"}}, {"params": {"horizon": "2"}, "rows": 110}],
            r"different values cannot be compared; choose one group: where=\[horizon=1\] for 1 runs "
            r"\(60 timestamps .* to 1958-12-01, .*\); where=\[horizon=2\] for 1 runs \(50 timestamps",
        ),
        (
            [{"params": {"dataset.name": "a", "look_back": "3"}}, {"params": {"dataset.name": "b"}, "above": 7.0}],
            r"different values cannot be compared; .*where=\[dataset\.name=a\] .*; where=\[dataset\.name=b\]",
        ),
        (
            [{"params": {"dataset.name": "a,b"}}, {"params": {"dataset.name": "it's"}, "above": 7.0}],
            r"""choose one group: 'where=\["dataset\.name=a,b"\]' for 1 runs """,
        ),
        (
            [{"params": {}}, {"params": {}, "digest": "ffff", "above": 7.0, "first_seed": 5}],
            r"different values cannot be compared; .*where=\[dataset_sha256=0a1b2c3d\] for 1 runs",
        ),
        (
            [{"params": {}}, {"params": {}, "rows": 110, "first_seed": 5}],
            r"different values cannot be compared; .*runs=\[[0-9a-f]{32}\] for 1 runs",
        ),
    ],
)  # fmt: skip
def test_runs_scored_on_different_values_are_refused(answer: Answer, mixed, runs: list, message: str) -> None:
    """Scores that cannot be compared stand in one table, and one of them wins."""
    ids = mixed(*runs)
    code, out, err = answer(f"runs=[{','.join(ids)}]")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert re.search(message, err), err


@pytest.fixture
def damaged(store: Store, request: pytest.FixtureRequest) -> tuple[str, list[str]]:
    """An experiment with a whole run, one without files, one whose errors are cut off and one with a flipped bit."""
    experiment = open_store(TrackingConfig(uri=store.uri, experiment_name=request.node.name))
    ids = [log_run(experiment, None, 1.0, {"look_back": str(look_back)}) for look_back in range(4)]
    folders = [Path(experiment.client.get_run(each).info.artifact_uri.removeprefix("file://")) for each in ids]
    shutil.rmtree(folders[1])
    content = (folders[2] / NAME).read_bytes()
    (folders[2] / NAME).write_bytes(content[:-30])
    (folders[3] / NAME).write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    return request.node.name, ids


def test_damaged_runs_are_left_out_of_an_experiment(answer: Answer, damaged: tuple[str, list[str]]) -> None:
    """One damaged file makes a whole experiment incomparable, or is left out without a word."""
    experiment, ids = damaged
    code, out, err = answer(f"experiment={experiment}", "format=json")
    assert code == 0
    found = json.loads(out)
    assert [each["runs"] for each in found["configurations"]] == [ids[:1]]
    assert found["axes"] == []  # what is left out differs in nothing
    facts = [f"has no artifact {NAME} or predictions.csv in ", *[f"has a damaged artifact {NAME} in "] * 2]
    for line, run_id, fact in zip(err.splitlines(), ids[1:], facts, strict=True):
        assert line.startswith(f"run {run_id} {fact}") and line.endswith("; it is left out")


def test_a_damaged_run_that_is_named_is_refused(answer: Answer, damaged: tuple[str, list[str]]) -> None:
    """A run that somebody asked for is missing in the answer; or a damaged file ends in a traceback."""
    _, ids = damaged
    for run_id, fact in zip(ids[1:], ("no", "a damaged", "a damaged"), strict=True):
        code, out, err = answer(f"runs=[{ids[0]},{run_id}]")
        assert (code, out) == (2, "")
        assert err.startswith(f"error: run {run_id} has {fact} artifact {NAME}") and len(err.splitlines()) == 1


def test_an_experiment_with_nothing_but_damaged_runs(answer: Answer, damaged: tuple[str, list[str]]) -> None:
    """Where nothing is left to compare, the command ends in a traceback."""
    code, out, err = answer(f"experiment={damaged[0]}", "where=[look_back=2]")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"error: of the runs experiment={damaged[0]} no finished one has whole")


def test_runs_that_read_other_data_for_the_same_truth_compare(answer: Answer, mixed) -> None:
    """A sweep over features, transforms or two files with the same target is refused, though it is the question."""
    ids = mixed(
        {"params": {"dataset.features": "[DAX]"}}, {"params": {"dataset.features": "[DAX, SMI]"}, "digest": "f"}
    )
    code, out, _ = answer(f"runs=[{','.join(ids)}]", "format=json")
    assert code == 0
    assert [axis["name"] for axis in json.loads(out)["axes"]] == ["dataset.features"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lookback=3"], "unknown key 'lookback'; the keys are sweep, experiment, runs"),
        (["formt=csv"], "unknown key 'formt'; did you mean 'format'?"),
        (["format=xml"], "unknown format 'xml'; choose from table, csv, json, html"),
        (["by=[look_bak]"], "unknown key 'look_bak' in by; did you mean 'look_back'?"),
        (["where=[look_bak=3]"], "unknown key 'look_bak' in where; did you mean 'look_back'?"),
        (["where=[look_back]"], "where=look_back is no condition; write where=[KEY=VALUE]"),
        (["where=[look_back=7]"], "no run matches where=[look_back=7]; 6 were looked at"),
        (["where=[look_back=99]"], "none of the 1 runs"),
        (["sweep=nope"], "there is no run nope in"),
        (["runs=[nope]"], "there is no run nope in"),
        (["experiment=nope"], "there is no MLflow experiment 'nope' in"),
        (["experiment=a", "runs=[b]"], "experiment=a and runs=[...] are given; choose one"),
        (["output=/nowhere/x.csv"], "the folder /nowhere is not there; create it first"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(answer: Answer, words: list[str], message: str) -> None:
    """A typo ends in a traceback, or in an answer to another question."""
    code, out, err = answer(*words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and err.startswith("error: ")
    assert message in err


def test_the_command_itself(store: Store, tmp_path: Path) -> None:
    """The command does not start, or waits for TensorFlow although nothing is trained."""
    spy = "import sys, runpy\nsys.argv = ['compare', 'format=json']\n"
    spy += "try:\n    runpy.run_module('pipeline.compare', run_name='__main__')\n"
    spy += "except SystemExit as end:\n    code = end.code\n"
    spy += "slow = [name for name in ('tensorflow', 'keras', 'matplotlib', 'hydra') if name in sys.modules]\n"
    spy += "print(code, slow, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", spy], capture_output=True, text=True, timeout=1200, cwd=tmp_path,
        env={**os.environ, "MLFLOW_TRACKING_URI": store.uri, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stderr.strip() == "0 []"
    assert json.loads(done.stdout)["configurations"]


def test_help_needs_no_store(capsys: pytest.CaptureFixture[str]) -> None:
    """A newcomer who asks for help waits for MLflow, or is told that there is no store."""
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: python -m pipeline.compare [key=value ...]")
    for key in ("sweep=latest|ID", "by=[KEY,KEY,...]", "format=table|csv|json|html", "tracking.uri=URI"):
        assert f"  {key}\n" in shown


def test_the_report_of_a_sweep_is_logged_on_its_parent(store: Store, tmp_path: Path) -> None:
    """The report cannot be found in MLflow, lacks the failed run, or mixes what was scored on different values."""
    parent = open_parent(store, "sweep", ["-m", "horizon=1,2"])
    for horizon, rows in (("1", TIME), ("2", 110)):
        run_id = log_run(store, parent, 1.0, {"horizon": horizon}, rows=rows)
        history = tmp_path / "history.csv"
        history.write_text("seed,epoch,loss,val_loss\n1,1,3.0,4.0\n1,2,2.0,3.0\n2,1,3.0,4.5\n")
        store.client.log_artifact(run_id, str(history))
    with pytest.raises(ValueError, match="diverged"), track_run(store, "run", PARAMS, {HASH_TAG: "x"}, parent):
        raise ValueError("diverged")
    close_parent(store, parent, "FAILED")
    report_sweep(store, parent, Salvage(pytest.fail))
    logged = {Path(each.path).name for each in store.client.list_artifacts(parent, FOLDER)}
    figures = {f"{number}_{name}.png" for number in (1, 2) for name in ("cost", "learning_curves", "forecast")}
    assert logged == figures | {"report.html"}
    page = Path(store.client.download_artifacts(parent, f"{FOLDER}/report.html")).read_text()
    assert "60 timestamps from" in page and "50 timestamps from" in page
    assert "FAILED: horizon=1: diverged" in page
    assert "python -m pipeline.run -m horizon=1,2" in page
