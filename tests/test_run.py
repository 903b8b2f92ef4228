"""`python -m pipeline.run` as a user runs it, checked in what it prints and in MLflow."""

import json
import math
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.models import Model

from pipeline.baselines.registry import BASELINES
from tests.commands import run_command

ROOT = Path(__file__).resolve().parent.parent
SCORES = ("train_rmse", "validation_rmse", "test_rmse", "test_mae", "test_mase", "test_smape")
FILES = {
    "config.yaml",
    "predictions.csv",
    "test_errors.npz",
    "seeds.csv",
    "history.csv",
    "scaling.json",
    "forecast.png",
    "learning_curve.png",
    "explanation.txt",
    "diagram.svg",
    "gates.html",
}
# Diverges at once: plain gradient descent on unscaled values, with steps of any length.
DIVERGING = ("training.optimizer=sgd", "training.clip_norm=null", "dataset.scaler=none", "training.epochs=1", "seeds=1")


@dataclass(frozen=True)
class Place:
    """A folder that is not the clone, with one MLflow store."""

    folder: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "HYDRA_FULL_ERROR")}
        environment["MLFLOW_TRACKING_URI"] = self.uri
        return run_command("pipeline.run", *arguments, cwd=self.folder, env=environment)

    def runs(self) -> list[Run]:
        """Return the runs, oldest first."""
        found = self.client.get_experiment_by_name("lstm-pipeline")
        assert found is not None
        return list(self.client.search_runs([found.experiment_id], order_by=["attributes.start_time ASC"]))

    def file(self, run: Run, name: str) -> Path:
        return Path(self.client.download_artifacts(run.info.run_id, name))


@dataclass(frozen=True)
class Sweep:
    """The README's command, done once with few epochs."""

    place: Place
    done: subprocess.CompletedProcess[str]

    @property
    def parent(self) -> Run:
        (parent,) = [run for run in self.place.runs() if "mlflow.parentRunId" not in run.data.tags]
        return parent

    @property
    def children(self) -> dict[tuple[int, str], Run]:
        """The runs by look_back and stateful."""
        runs = [run for run in self.place.runs() if "mlflow.parentRunId" in run.data.tags]
        return {(int(run.data.params["look_back"]), run.data.params["stateful"]): run for run in runs}

    def tables(self, name: str) -> dict[tuple[int, str], pd.DataFrame]:
        return {key: pd.read_csv(self.place.file(run, name)) for key, run in self.children.items()}


@pytest.fixture(scope="module")
def sweep(readme_sweep: Any) -> Sweep:
    return Sweep(Place(readme_sweep.folder), readme_sweep.done)


@pytest.fixture
def other(tmp_path: Path, make_store: Callable[[Path], str]) -> Place:
    """Another folder, with a store without runs."""
    make_store(tmp_path)
    return Place(tmp_path)


def table_rows(stdout: str) -> list[list[str]]:
    """Return the cells of every row of the printed table, without the headings."""
    lines = [line for line in stdout.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def rmse(frame: pd.DataFrame, column: str, part: str) -> float:
    rows = frame[frame["part"] == part]
    return float(np.sqrt(np.mean((rows[column] - rows["actual"]) ** 2)))


def test_the_readme_command_ends_with_table_verdict_and_a_way_to_mlflow(sweep: Sweep) -> None:
    """The main command fails, or a person is left without the comparison that they ran it for."""
    assert sweep.done.returncode == 0, sweep.done.stderr
    stdout = sweep.done.stdout
    assert len(table_rows(stdout)) == 6
    assert "…" not in stdout  # cut numbers
    assert re.search(r"(No configuration|The best LSTM|The LSTM|[Bb]est).*(linear fit|persistence|seasonal)", stdout)
    assert "mlflow ui" in stdout
    assert "Traceback" not in sweep.done.stderr


def test_the_table_shows_the_numbers_of_mlflow_best_validation_first(sweep: Sweep) -> None:
    """The table is sorted by another score (the test part would choose), or shows other numbers than were logged."""
    rows = table_rows(sweep.done.stdout)
    validation = [float(row[2]) for row in rows]
    assert validation == sorted(validation)
    children = sweep.children
    assert {(int(row[0]), row[1]) for row in rows} == set(children)
    for row in rows:
        metrics = children[int(row[0]), row[1]].data.metrics
        assert float(row[2]) == pytest.approx(metrics["validation_rmse"], rel=1e-3)
        assert float(row[3].split("±")[0]) == pytest.approx(metrics["test_rmse"], rel=1e-3)
        assert float(row[3].split("±")[1]) == pytest.approx(metrics["test_rmse_std"], rel=0.06)
        assert float(row[4]) == pytest.approx(metrics["test_mae"], rel=1e-3)
        assert float(row[5]) == pytest.approx(metrics["test_mase"], abs=0.006)
        skills = [metrics[f"skill_{name}"] for name in BASELINES]
        assert [float(cell) for cell in row[6:10]] == pytest.approx(skills, abs=0.006)
        assert float(row[-1]) == pytest.approx(metrics["fit_seconds"], abs=0.06)


def test_a_sweep_is_one_parent_with_its_children(sweep: Sweep) -> None:
    """MLflow shows a heap of runs instead of one sweep, or calls a finished one unfinished."""
    parent, children = sweep.parent, sweep.children
    assert len(children) == 6 and len(sweep.place.runs()) == 7
    assert parent.info.status == "FINISHED"
    assert {run.info.status for run in children.values()} == {"FINISHED"}
    assert {run.data.tags["mlflow.parentRunId"] for run in children.values()} == {parent.info.run_id}
    assert {run.data.tags["sweep_id"] for run in children.values()} == {parent.data.tags["sweep_id"]}
    assert len({run.info.run_name for run in children.values()}) == 6


def test_tags_name_configuration_data_and_engine(sweep: Sweep) -> None:
    """Resume cannot find finished configurations, or runs on other data cannot be told apart."""
    tags = [run.data.tags for run in sweep.children.values()]
    assert len({tag["config_hash"] for tag in tags}) == 6
    assert len({tag["dataset_sha256"] for tag in tags}) == 1
    assert re.fullmatch("[0-9a-f]{64}", tags[0]["dataset_sha256"])
    assert {tag["engine"] for tag in tags} == {"fused"}
    assert {tag["engine_reason"] for tag in tags} == {"every layer is covered: lstm_1, head"}


def test_parameters_are_the_resolved_configuration_flat_and_dotted(sweep: Sweep) -> None:
    """Runs cannot be filtered or compared by a configuration key in MLflow."""
    params = sweep.children[3, "false"].data.params
    expected = {
        "look_back": "3",
        "stateful": "false",
        "seeds": "2",
        "training.epochs": "2",
        "dataset.name": "airline",
        "dataset.features": '["passengers"]',
        "model.cell": "lstm",
        "model.units": "[4]",
    }
    assert {key: params.get(key) for key in expected} == expected
    assert all(value is not None for value in params.values())
    assert len({frozenset(run.data.params) for run in sweep.children.values()}) == 1


def test_losses_are_logged_once_per_epoch(sweep: Sweep) -> None:
    """The learning curves in MLflow have missing, doubled or misplaced epochs."""
    histories = sweep.tables("history.csv")
    for key, run in sweep.children.items():
        means = histories[key].groupby("epoch")[["loss", "val_loss"]].mean()
        for name in ("loss", "val_loss"):
            points = sweep.place.client.get_metric_history(run.info.run_id, name)
            logged = sorted((point.step, point.value) for point in points)
            assert [step for step, _ in logged] == [1, 2]
            assert [value for _, value in logged] == pytest.approx(means[name].tolist(), rel=1e-9)


def test_every_final_metric_is_logged_and_finite(sweep: Sweep) -> None:
    """A score that people compare runs by is missing in MLflow, or is no number."""
    expected = {f"{name}{suffix}" for name in SCORES for suffix in ("", "_std", "_median", "_low", "_high")}
    expected |= {f"skill_{name}" for name in BASELINES} | {f"baseline_{name}_rmse" for name in BASELINES}
    expected |= {"fit_seconds", "loss", "val_loss"}
    for run in sweep.children.values():
        assert expected - set(run.data.metrics) == set()
        assert all(math.isfinite(value) for value in run.data.metrics.values())
        assert run.data.metrics["fit_seconds"] > 0


def test_every_file_is_logged(sweep: Sweep) -> None:
    """A file that the README promises is missing, or a figure is not a picture."""
    for run in sweep.children.values():
        assert {each.path for each in sweep.place.client.list_artifacts(run.info.run_id)} >= FILES
        for name in ("forecast.png", "learning_curve.png"):
            assert sweep.place.file(run, name).read_bytes().startswith(b"\x89PNG")
        logged = yaml.safe_load(sweep.place.file(run, "config.yaml").read_text())
        assert logged["look_back"] == int(run.data.params["look_back"])
        assert logged["training"]["epochs"] == 2
        assert logged["tracking"]["parent_run_id"] is None


def test_scaling_comes_from_the_training_part_only(sweep: Sweep) -> None:
    """The scaler saw validation or test values, or clients of the served model scale wrongly."""
    run = sweep.children[1, "false"]
    table = pd.read_csv(sweep.place.file(run, "predictions.csv"))
    num_train = 144 - int(table["part"].isin(["validation", "test"]).sum())
    train = pd.read_csv(ROOT / "data" / "airline.csv")["passengers"][:num_train]
    scaling = json.loads(sweep.place.file(run, "scaling.json").read_text())["columns"]["passengers"]
    assert scaling == pytest.approx({"offset": train.min(), "scale": train.max() - train.min()})


def test_the_dataset_is_logged_with_its_digest(sweep: Sweep) -> None:
    """MLflow does not say which data a run was trained on."""
    for run in sweep.children.values():
        (used,) = run.inputs.dataset_inputs
        assert used.dataset.name == "airline"
        assert used.dataset.digest and run.data.tags["dataset_sha256"].startswith(used.dataset.digest)


def test_a_model_that_reads_raw_rows_is_logged(sweep: Sweep) -> None:
    """A run cannot be served: its model is missing, does not say which columns it reads, or holds a pickle."""
    for run in sweep.children.values():
        (model,) = run.outputs.model_outputs
        logged = sweep.place.client.get_logged_model(model.model_id)
        folder = Path(logged.artifact_location.removeprefix("file://"))
        assert Model.load(str(folder)).signature.inputs.input_names() == ["month", "passengers"]
        files = {path.name for path in folder.rglob("*") if path.is_file()}
        assert {"config.yaml", "scaling.json", "weights.npz"} <= files
        assert not [name for name in files if name.endswith((".pkl", ".keras"))]


def test_scores_follow_from_predictions_csv(sweep: Sweep) -> None:
    """The scores in MLflow are not those of the forecasts in predictions.csv."""
    seeds = sweep.tables("seeds.csv")
    for key, table in sweep.tables("predictions.csv").items():
        columns = ["seed_1", "seed_2"]
        assert seeds[key]["seed"].tolist() == [1, 2]
        assert table["prediction"].to_numpy() == pytest.approx(table[columns].mean(axis=1).to_numpy(), rel=1e-12)
        metrics = sweep.children[key].data.metrics
        for part in ("train", "validation", "test"):
            each = [rmse(table, column, part) for column in columns]
            assert seeds[key][f"{part}_rmse"].tolist() == pytest.approx(each, rel=1e-9)
            assert metrics[f"{part}_rmse"] == pytest.approx(np.mean(each), rel=1e-9)
            assert metrics[f"{part}_rmse_std"] == pytest.approx(np.std(each, ddof=1), rel=1e-6)


def test_every_configuration_is_scored_on_the_same_timestamps(sweep: Sweep) -> None:
    """Configurations are compared on different months, so the table compares nothing."""
    for part in ("validation", "test"):
        scored = {
            tuple(table.loc[table["part"] == part, ["timestamp", "actual"]].itertuples(index=False, name=None))
            for table in sweep.tables("predictions.csv").values()
        }
        assert len(scored) == 1
    airline = pd.read_csv(ROOT / "data" / "airline.csv")
    (test,) = scored
    assert [stamp for stamp, _ in test] == airline["month"].tolist()[-len(test) :]
    assert [value for _, value in test] == airline["passengers"].tolist()[-len(test) :]


def test_baselines_are_the_same_for_every_configuration(sweep: Sweep) -> None:
    """A baseline depends on the network beside it, so skills of different rows cannot be compared."""
    metrics = {key: run.data.metrics for key, run in sweep.children.items()}
    values = pd.read_csv(ROOT / "data" / "airline.csv")["passengers"].astype(float)
    table = sweep.tables("predictions.csv")[1, "false"]
    rows = slice(-int((table["part"] == "test").sum()), None)
    for name, lag in (("persistence", 1), ("seasonal", 12)):
        expected = float(np.sqrt(np.mean((values - values.shift(lag))[rows] ** 2)))
        (baseline,) = {each[f"baseline_{name}_rmse"] for each in metrics.values()}
        assert baseline == pytest.approx(expected, rel=1e-9)
    linear = {key: each["baseline_linear_rmse"] for key, each in metrics.items()}
    assert all(linear[look_back, "true"] == linear[look_back, "false"] for look_back in (1, 3, 6))
    assert len(set(linear.values())) == 3
    for each in metrics.values():
        for name in BASELINES:
            assert each[f"skill_{name}"] == pytest.approx(1 - each["test_rmse"] / each[f"baseline_{name}_rmse"])


def test_a_preset_sweeps_without_m(served_sweep: Any) -> None:
    """A preset with axes of its own trains one configuration only, or not what it says (tests/test_presets.py)."""
    runs = Place(served_sweep.folder).runs()
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert sorted((run.data.params["stateful"], run.data.params["horizon"]) for run in children) == [
        ("false", "1"), ("false", "3"), ("true", "1"), ("true", "3")
    ]  # fmt: skip
    assert {run.data.params["experiment"] for run in children} == {"many_to_many"}
    assert len(table_rows(served_sweep.done.stdout)) == len(children)


def test_a_run_is_rebuilt_from_its_logged_configuration_alone(sweep: Sweep, other: Place) -> None:
    """A logged run cannot be repeated: the same configuration gives other numbers in another folder and store."""
    original = sweep.children[3, "true"]
    logged = other.folder / "logged"
    logged.mkdir()
    (logged / "config.yaml").write_bytes(sweep.place.file(original, "config.yaml").read_bytes())
    done = other.run("--config-path", str(logged), "--config-name", "config")
    assert done.returncode == 0, done.stderr
    (rebuilt,) = other.runs()
    for name in ("predictions.csv", "history.csv", "scaling.json", "config.yaml"):
        assert other.file(rebuilt, name).read_bytes() == sweep.place.file(original, name).read_bytes()
    assert rebuilt.data.tags["config_hash"] == original.data.tags["config_hash"]
    assert without_seconds(rebuilt) == without_seconds(original)
    assert rebuilt.data.params == original.data.params


def without_seconds(run: Run) -> dict[str, float]:
    return {name: value for name, value in run.data.metrics.items() if name != "fit_seconds"}


def test_config_path_may_be_relative_to_the_working_directory(tmp_path: Path) -> None:
    """`--config-path downloaded` is looked for beside the installed package, where nobody puts a file."""
    (tmp_path / "downloaded").mkdir()
    (tmp_path / "downloaded" / "config.yaml").write_text("look_back: 7\n")
    done = Place(tmp_path).run("--config-path", "downloaded", "--config-name", "config", "--cfg", "job")
    assert done.returncode == 0, done.stderr
    assert "look_back: 7" in done.stdout


@dataclass(frozen=True)
class FailingSweep:
    """Three learning rates: the loss is infinite; the loss is finite but the forecasts overflow exp(); all is well."""

    done: subprocess.CompletedProcess[str]
    parent: Run
    by_rate: dict[float, Run]


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> FailingSweep:
    place = Place(tmp_path_factory.mktemp("failing"))
    make_store(place.folder)
    done = place.run(
        "-m",
        "training.learning_rate=1e30,1000.0,0.01",
        *DIVERGING,
        "dataset.transforms=[log]",
        "batch_size=200",
        "tracking.log_model=false",
    )
    (parent,) = [run for run in place.runs() if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in place.runs() if "mlflow.parentRunId" in run.data.tags]
    return FailingSweep(done, parent, {float(run.data.params["training.learning_rate"]): run for run in children})


def failed_lines(failing: FailingSweep) -> list[str]:
    return [line for line in failing.done.stdout.splitlines() if line.startswith("FAILED")]


def test_the_other_jobs_go_on_when_one_fails(failing: FailingSweep) -> None:
    """One diverging configuration ends the whole sweep, or the sweep passes for a success."""
    assert failing.done.returncode == 1, failing.done.stderr
    assert failing.by_rate[0.01].info.status == "FINISHED"
    assert failing.parent.info.status == "FAILED"
    assert len(table_rows(failing.done.stdout)) == len(failing.by_rate) == 3
    assert "Traceback" not in failing.done.stderr


def test_a_loss_that_is_no_number_is_a_failed_run_with_its_reason(failing: FailingSweep) -> None:
    """A diverging run counts as a score, or nobody learns why it failed."""
    failed = failing.by_rate[1e30]
    assert failed.info.status == "FAILED"
    assert "test_rmse" not in failed.data.metrics
    reason = failed.data.tags["failure_reason"]
    assert re.search(r"loss.*training\.learning_rate", reason)
    assert any("1e+30" in line and reason in line for line in failed_lines(failing))


def test_scores_that_are_no_numbers_are_a_failed_run_with_its_reason(failing: FailingSweep) -> None:
    """A run whose forecasts overflow, though its losses do not, is FINISHED with infinite scores."""
    failed = failing.by_rate[1000.0]
    assert failed.info.status == "FAILED"
    reason = failed.data.tags["failure_reason"]
    assert any("1000.0" in line and reason in line for line in failed_lines(failing))


def test_a_single_run_that_fails_says_why_in_short(other: Place, run_here: Any) -> None:
    """A diverging run passes for a finished one, or buries its reason under a traceback."""
    done = run_here("debug=smoke", "training.learning_rate=1e30", *DIVERGING)
    assert done.returncode == 1
    (run,) = other.runs()
    assert run.info.status == "FAILED"
    reason = run.data.tags["failure_reason"]
    assert re.search(r"loss.*training\.learning_rate", reason)
    assert done.stderr.count(reason) == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) < 8
