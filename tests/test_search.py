"""`python -m pipeline.search` as a user runs it: a champion, its record, and what puts it to work."""

import json
import math
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest

from pipeline.base.errors import UserError
from pipeline.searching.run import Task
from tests.commands import run_command
from tests.conftest import MakeStore, fill_once

SPACE = "dataset.transforms: choice([log],[log,difference])\ntraining.epochs: 2\nbatch_size: 16\nmodel.units: [2]\n"
WORDS = ("dataset=airline", "search=mine.yaml", "budget=1", "seeds=2", "output=result.json")


@dataclass(frozen=True)
class Found:
    """A search that was run once for all tests, and its store."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}"}

    def run(self, module: str, *words: str, fresh: bool = False) -> subprocess.CompletedProcess[str]:
        return run_command(module, *words, cwd=self.folder, env=self.environment, fresh=fresh)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, make_store: MakeStore) -> Found:
    def fill(folder: Path) -> None:
        make_store(folder)
        (folder / "mine.yaml").write_text(SPACE)
        done = Found(folder).run("pipeline.search", *WORDS)
        assert done.returncode == 0, done.stderr
        (folder / "stdout.txt").write_text(done.stdout)
        (folder / "stderr.txt").write_text(done.stderr)

    return Found(fill_once(tmp_path_factory, "search", fill))


def test_the_result_is_the_promised_document(found: Found) -> None:
    """A program that reads output= finds other names, numbers that are none, or parameters it cannot run."""
    result = json.loads(found.read("result.json"))
    assert set(result) == {"champion", "trials", "seconds"} and result["seconds"] > 0
    champion = result["champion"]
    assert set(champion) == {
        "run_id", "parameters", "validation_rmse", "test_rmse", "ensemble_rmse", "baselines"
    }  # fmt: skip
    assert champion["parameters"]["dataset.transforms"] in (["log"], ["log", "difference"])
    assert champion["parameters"] | {"training.epochs": 2, "model.units": [2]} == champion["parameters"]
    assert set(champion["baselines"]) >= {"persistence", "seasonal", "drift", "linear"}
    scores = [champion[name] for name in ("validation_rmse", "test_rmse", "ensemble_rmse")]
    assert all(math.isfinite(score) and score > 0 for score in (*scores, *champion["baselines"].values()))
    assert result["trials"] == {"complete": 1, "pruned": 8, "failed": 0}


def test_every_trial_and_the_champion_are_runs_of_one_parent(found: Found) -> None:
    """A trial has no record, no reason or the state of another, or the champion has the seeds of the trials."""
    client = mlflow.MlflowClient(found.environment["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("lstm-pipeline")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "search" in run.data.tags]
    trials = [run for run in runs if "trial" in run.data.tags]
    (champion,) = [run for run in runs if run not in trials and run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in (*trials, champion)} == {parent.info.run_id}
    assert sorted(int(run.data.tags["trial"]) for run in trials) == list(range(9))
    assert sorted(run.data.tags["state"] for run in trials) == ["complete"] + ["pruned"] * 8
    assert all(run.data.tags["failure_reason"] for run in trials if run.data.tags["state"] == "pruned")
    result = json.loads(found.read("result.json"))
    assert champion.info.run_id == result["champion"]["run_id"] == parent.data.tags["champion"]
    assert champion.data.params["seeds"] == "2" and int(champion.data.params["seed"]) > 1000  # no trial had them
    assert parent.info.status == champion.info.status == "FINISHED"
    assert client.get_model_version_by_alias("lstm-pipeline", "champion").run_id == champion.info.run_id


def test_the_champion_is_put_to_work_by_its_name(found: Found) -> None:
    """Who searched must look up an id to forecast; or a trial, which has no network, ends in a traceback."""
    done = found.run("pipeline.forecast", "run=champion", "steps=2")
    assert done.returncode == 0, done.stderr
    run_id = json.loads(found.read("result.json"))["champion"]["run_id"]
    assert run_id in done.stderr and (found.folder / "forecast.csv").is_file()
    done = found.run("pipeline.stream", "run=champion", "input=new.csv", "follow=false")
    assert "new.csv" in done.stderr  # the champion was found; its rows are not there
    client = mlflow.MlflowClient(found.environment["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("lstm-pipeline")
    for tag, said in (("trial", "a trial of a search"), ("search", "is a search")):
        (run, *_) = client.search_runs([experiment.experiment_id], f"tags.{tag} != ''")
        done = found.run("pipeline.forecast", f"run={run.info.run_id}")
        assert (done.returncode, said in done.stderr) == (2, True)


def test_what_was_found_is_said(found: Found) -> None:
    """Nobody learns what was chosen, by which score, and what it is worth where nothing was chosen."""
    told = found.read("stdout.txt")
    for text in ("Champion: dataset.transforms=", "1 complete, 8 pruned, 0 failed", "on 3 folds before the test part",
                 "2 fresh seeds have", "models:/lstm-pipeline@champion", "No configuration beats"):  # fmt: skip
        assert text in told
    assert "trial 0, rung 1/3: validation RMSE" in found.read("stderr.txt")


def test_help_needs_neither_tensorflow_nor_optuna(tmp_path: Path) -> None:
    """Help takes five seconds, or does not say how a key is searched."""
    done = run_command("pipeline.search", "--help", fresh=True, env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pipeline.command.search" in imported
    assert not {"tensorflow", "optuna", "mlflow", "hydra", "pandas"} & imported
    for text in ("budget=TIME|N", "output=", "resume=true|false", "tag(log,interval(0.001,0.1))", "run=champion"):
        assert text in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["budget=soon"], "budget=soon; write budget=10m"),
        (["-m", "look_back=1,3"], "-m: a search has no flags"),
        (["refit=maybe"], "refit"),
        (["seeds=0"], "seeds must be at least 1"),
        (["look_bak=choice(1,2)"], "look_bak"),
        (["look_back=choice(1,"], "look_back=choice(1,"),
        (["search=smal"], "small"),
        (["output=missing/result.json"], "create it first"),
        (["dataset=tinyshakespeare"], "a series, not a text"),
        (["experiment=tutorial_window"], "protocol=fair"),
        (["hydra/sweeper=optuna"], "what chooses values as it goes is python -m pipeline.search"),
        (["dataset=csv"], "dataset.path"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """A typing error costs ten minutes, a traceback, or a search that ignores it."""
    from pipeline.command import search

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setattr(search, "listen_for_interrupts", lambda: None)
    assert search.main(words) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def read_tasks(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> list[Task]:
    """Return what would be searched."""
    from pipeline.command import search

    found: list[Task] = []

    def run_search(task: Task) -> None:
        found.append(task)
        raise UserError("far enough")

    monkeypatch.setattr("pipeline.searching.run.run_search", run_search)
    monkeypatch.setattr(search, "listen_for_interrupts", lambda: None)
    assert search.main([*words, "budget=1"]) == 2
    return found


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        (["look_back=3"], {"look_back"}),
        (["model=lstm"], {"model.cell"}),
        (["model=gru"], {"model.cell"}),
        (["experiment=airline_best"], {"look_back", "dataset.transforms", "training.epochs"}),
    ],
)
def test_what_the_command_line_sets_is_not_searched(
    monkeypatch: pytest.MonkeyPatch, words: list[str], taken: set[str]
) -> None:
    """Who asks for a GRU, or for a preset, gets a search over LSTMs with other values, without a word."""
    (task,) = read_tasks(monkeypatch, [*words, "model.units=choice([4],[8])"])
    assert taken <= set(task.taken)
    assert not {"model.units", "dataset.scaler", "training.optimizer"} & set(task.taken)


@pytest.mark.parametrize(
    ("words", "horizons", "told"),
    [
        ([], "one", False),
        (["horizon=3"], "all", True),
        (["horizon=3", "dataset.horizons=one"], "one", False),
        (["horizon=3", "dataset.transforms=[difference]"], "all", True),
    ],
)
def test_several_steps_are_all_forecast_unless_a_person_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], horizons: str, told: bool
) -> None:
    """With horizon=12 differences cannot be searched, a person's own word is overruled, or nobody is told."""
    (task,) = read_tasks(monkeypatch, words)
    assert task.config.dataset.horizons.value == horizons
    assert ("every step up to it" in capsys.readouterr().err) == told


@pytest.mark.thorough
def test_a_refit_is_served_beside_the_honest_champion(found: Found, tmp_path: Path) -> None:
    """The refit hides what the champion scored, is not what is served, or is chosen as best by its training part."""
    folder = tmp_path / "refit"
    shutil.copytree(found.folder, folder)
    again = Found(folder)
    done = again.run("pipeline.search", *WORDS, "refit=true")
    assert done.returncode == 0, done.stderr
    result = json.loads(again.read("result.json"))
    refit, champion = result["refit"], result["champion"]
    assert set(refit) == {"run_id", "test_rmse", "ensemble_rmse"} and refit["run_id"] != champion["run_id"]
    assert "Refit: trained again on all that lies before the test part, for 2 epochs" in done.stdout.replace("\n", " ")
    client = mlflow.MlflowClient(again.environment["MLFLOW_TRACKING_URI"])
    runs = {name: client.get_run(each["run_id"]) for name, each in (("refit", refit), ("champion", champion))}
    assert runs["refit"].data.tags["refit"] == champion["run_id"]
    assert runs["refit"].data.tags["scored_values_sha256"] == runs["champion"].data.tags["scored_values_sha256"]
    assert client.get_model_version_by_alias("lstm-pipeline", "champion").run_id == refit["run_id"]
    assert refit["run_id"] in again.run("pipeline.forecast", "run=champion", "steps=2").stderr
    assert refit["run_id"] not in again.run("pipeline.forecast", "run=best", "steps=2").stderr


@pytest.mark.thorough  # the parts have tests of their own, in tests/searching/test_asking.py and tests/launching
def test_worker_processes_find_the_same_champion(tmp_path: Path, make_store: MakeStore) -> None:
    """A search in worker processes tries, scores or chooses something else than the same in one process."""
    uri = make_store(tmp_path)
    space = "look_back: choice(1,3)\nmodel.units: choice([2],[3])\ntraining.epochs: 2\nbatch_size: 16\n"
    (tmp_path / "mine.yaml").write_text(space)
    client = mlflow.MlflowClient(uri)
    found = {}
    for launcher in ("local", "processes"):
        words = [f"launcher={launcher}", f"tracking.uri={uri}", f"tracking.experiment_name={launcher}", "refit=true"]
        done = run_command("pipeline.search", *WORDS[:2], "budget=40", *WORDS[3:], *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("launcher=processes: ") == (0 if launcher == "local" else 2)
        experiment = client.get_experiment_by_name(launcher)
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
        trials = {run.data.tags["trial"]: run for run in runs if "trial" in run.data.tags}
        kept = ("champion", "trials")
        document = {name: json.loads((tmp_path / "result.json").read_text())[name] for name in kept}
        document["champion"].pop("run_id")
        refit = [run.data.metrics["test_rmse"] for run in runs if "refit" in run.data.tags]
        found[launcher] = document, refit, {name: (run.data.params, run.data.metrics) for name, run in trials.items()}
    assert found["processes"] == found["local"]
    assert len(found["local"][1]) == 1 and len(found["local"][2]) >= 9
