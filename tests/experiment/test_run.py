"""One run from configuration to record, inside this process: panels, wirings without a state, a lost certificate."""

import io
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.artifacts import run_files
from pipeline.artifacts.weights import load_weights
from pipeline.base.errors import TrainingError
from pipeline.command import compare, forecast, stream
from pipeline.config.schema import (
    Config,
    DatasetConfig,
    HeadName,
    Horizons,
    ModelConfig,
    Order,
    Source,
    TrackingConfig,
    TrainingConfig,
    Wiring,
)
from pipeline.data.prepare import prepare_data
from pipeline.experiment import diagnostics
from pipeline.experiment import run as experiment
from pipeline.experiment.run import run_experiment
from pipeline.experiment.trainer import Trainer
from pipeline.models.numpy_network import NumpyNetwork
from pipeline.tracking import live

SINE: dict[str, Any] = {"name": "sine", "source": Source.sine, "length": 60, "period": 6, "features": ["value"]}


@dataclass
class Place:
    """A folder with one MLflow store, and what was told to the person who waits."""

    folder: Path
    trainer: Trainer  # keeps its programs open for runs of the same shapes
    told: list[str] = field(default_factory=list)

    def run(self, config: Config, name: str, log_model: bool = False) -> Run:
        """Run an experiment of its own; return its run."""
        uri = f"sqlite:///{self.folder / 'mlflow.db'}"
        config.tracking = TrackingConfig(uri=uri, experiment_name=name, log_model=log_model)
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            patch.chdir(self.folder)
            run_experiment(config, name, self.told.append, trainer=self.trainer)
        (run,) = self.runs(name)
        return run

    def runs(self, name: str) -> list[Run]:
        found = self.client.get_experiment_by_name(name)
        assert found is not None
        return list(self.client.search_runs([found.experiment_id]))

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")

    def file(self, run: Run, name: str) -> Path:
        return Path(self.client.download_artifacts(run.info.run_id, name))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("experiment")
    make_store(folder)
    with Trainer() as trainer:
        yield Place(folder, trainer)


def configure(dataset: dict[str, Any], training: dict[str, Any] | None = None, **root: Any) -> Config:
    return Config(
        **{"look_back": 3, "seeds": 2} | root,
        dataset=DatasetConfig(**SINE | dataset),
        training=TrainingConfig(**{"epochs": 1} | (training or {})),
    )


# --------------------------------------------------------------------------------- a panel, trained online, by lane


@pytest.fixture(scope="module")
def panel(place: Place) -> Run:
    """Two stocks in long format, the second one later and a hundred times larger; scaled by itself."""
    random = np.random.default_rng(0)
    rows = [
        (day, stock, size + size * random.normal())
        for day in range(60)
        for stock, first, size in (("small", 0, 1.0), ("large", 9, 100.0))
        if day >= first
    ]
    pd.DataFrame(rows, columns=["day", "stock", "price"]).to_csv(place.folder / "stocks.csv", index=False)
    dataset = {
        "name": "stocks",
        "source": Source.file,
        "path": str(place.folder / "stocks.csv"),
        "time_column": "day",
        "lane_column": "stock",
        "features": ["price"],
        "targets": ["price"],
        "period": 1,
        "scaler_per_lane": True,
    }
    config = configure(dataset, {"online": True}, look_back=2, stateful=True, batch_size=2)
    return place.run(config, "panel")


def test_scores_of_each_lane_are_logged(panel: Run, place: Place) -> None:
    """Nobody could see which stock is predicted badly, or its scores would be those of another."""
    lanes = pd.read_csv(place.file(panel, "lanes.csv"))
    predictions = pd.read_csv(place.file(panel, "predictions.csv"))
    assert lanes["lane"].tolist() == ["small", "large"]
    for row in lanes.itertuples():
        mine = predictions[(predictions["lane"] == row.lane) & (predictions["part"] == "test")]
        assert row.test_rows == len(mine) > 0
        each = [np.sqrt(np.mean((mine[f"seed_{seed}"] - mine["actual"]) ** 2)) for seed in (1, 2)]
        assert row.test_rmse == pytest.approx(np.mean(each), rel=1e-9)
        assert np.isfinite([row.test_mae, row.baseline_persistence_rmse, row.baseline_linear_rmse]).all()


def test_predictions_of_a_panel_belong_to_their_lane(panel: Run, place: Place) -> None:
    """A forecast would be shown beside the price of another stock or day."""
    table = pd.read_csv(place.folder / "stocks.csv").set_index(["day", "stock"])["price"]
    predictions = pd.read_csv(place.file(panel, "predictions.csv"))
    for row in predictions.itertuples():
        assert row.actual == pytest.approx(table[row.timestamp, row.lane])
    first = predictions.groupby("lane")["timestamp"].min()
    assert first.to_dict() == {"small": 2, "large": 11}  # look_back rows after each began


def test_scaling_of_each_lane_is_logged(panel: Run, place: Place) -> None:
    """A client of the served model would scale every stock like the first one."""
    scaling = yaml.safe_load(place.file(panel, "scaling.json").read_text())
    assert set(scaling["lanes"]) == {"small", "large"}
    assert scaling["lanes"]["large"]["price"]["scale"] > 20 * scaling["lanes"]["small"]["price"]["scale"]


def test_a_head_of_quantiles_is_logged_and_served(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quantiles are trained and then lost: no columns, no verdict, or intervals of a stream other than those scored."""
    model = ModelConfig(head=HeadName.quantile)
    run = place.run(replace(configure({"source": Source.sine, "noise": 0.3, "length": 120}), model=model), "quantiles")
    assert "incomplete" not in run.data.tags and "PIT, p=" in run.data.tags["calibration"]
    found = pd.read_csv(place.file(run, "predictions.csv"))
    quantiles = found[[f"quantile_{level:g}" for level in model.quantiles]].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    np.testing.assert_allclose(quantiles[:, 2], found["prediction"])
    test = found[found["part"] == "test"]
    middle = test[["quantile_0.05", "quantile_0.95"]].mean(axis=1)
    np.testing.assert_allclose(test[["low_80", "high_80"]].mean(axis=1), middle)  # conformalised, not around the median
    penalty = 2 * np.maximum(
        (1 - np.array(model.quantiles)) * (quantiles - found[["actual"]].to_numpy()),
        np.array(model.quantiles) * (found[["actual"]].to_numpy() - quantiles),
    )
    crps = penalty[(found["part"] == "test").to_numpy()].mean()
    assert run.data.metrics["mean_forecast_crps"] == pytest.approx(crps)
    assert place.file(run, "calibration.png").stat().st_size > 10_000
    assert run.data.metrics["test_wql"] == pytest.approx(crps / test["actual"].abs().mean())

    monkeypatch.chdir(place.folder)
    served = {"run": run.info.run_id, "uri": f"sqlite:///{place.folder / 'mlflow.db'}"}
    assert forecast.forecast_run(forecast.Arguments(**served, steps=2, samples=3)) == 0
    assert len(pd.read_csv("samples.csv")) == 3 * 2
    ahead = pd.read_csv("forecast.csv")
    future = ahead[ahead["part"] == "future"]
    assert future[["free_run", "low_95", "high_95", "quantile_0.05"]].notna().all(axis=None)
    assert (ahead["quantile_0.25"] < ahead["quantile_0.75"]).all()
    np.testing.assert_array_equal(ahead["one_step_ahead"], ahead["one_step_ahead_quantile_0.5"])
    monkeypatch.setattr("sys.stdout", io.StringIO())
    pd.DataFrame({"value": [0.1, 0.2]}).to_csv("next.csv", index=False)
    assert stream.stream_rows(stream.Arguments(**served, input="next.csv", follow=False)) == 0
    answer = pd.read_csv(io.StringIO(sys.stdout.getvalue()))
    assert (answer["low_95"] < answer["low_80"]).all() and (answer["high_80"] < answer["high_95"]).all()
    np.testing.assert_array_equal(answer["forecast"], answer["quantile_0.5"])
    assert (answer["quantile_0.05"] < answer["quantile_0.95"]).all()


def test_an_online_run_is_logged(panel: Run, place: Place) -> None:
    """The prequential error is missing in MLflow, or is not that of all forecasts of predictions.csv."""
    predictions = pd.read_csv(place.file(panel, "predictions.csv"))
    each = [np.sqrt(np.mean((predictions[f"seed_{seed}"] - predictions["actual"]) ** 2)) for seed in (1, 2)]
    assert panel.data.metrics["prequential_rmse"] == pytest.approx(np.mean(each), rel=1e-9)
    assert (panel.data.tags["state_contract"], panel.data.tags["engine"]) == ("kept", "fused")
    assert panel.data.tags["parity"].startswith("certified over ")
    assert "incomplete" not in panel.data.tags
    assert panel.data.metrics["parity_difference"] < 1e-4
    assert any("online: one pass in time order" in note for note in place.told)
    assert any("2 lanes of 51 to 60 rows share the network; scaler: each lane by itself" in note for note in place.told)


def test_weights_of_every_seed_are_logged(panel: Run, place: Place) -> None:
    """A run could not be streamed or explained: its weights are missing, or not of all seeds."""
    weights = load_weights(place.file(panel, "weights.npz"))
    assert weights.seeds.tolist() == [1, 2]
    assert all(len(array) == 2 for array in weights.arrays)


# --------------------------------------------------------------------------------------- a wiring without a state


@pytest.mark.thorough
def test_of_an_encoder_decoder_windows_are_certified(place: Place) -> None:
    """A run that carries no state fails because of it, or claims what no state can have."""
    config = configure({"horizons": Horizons.all}, horizon=3, batch_size=8)
    config.model = ModelConfig(units=[3], wiring=Wiring.encoder_decoder)
    run = place.run(config, "encoder_decoder")
    assert run.info.status == "FINISHED"
    assert re.fullmatch(r"certified over \d+ windows; encoder_decoder carries no state", run.data.tags["parity"])
    assert run.data.metrics["parity_difference"] < 1e-4
    assert run.data.tags["state_contract"] == "stateless"
    assert "memory" not in run.data.tags
    predictions = pd.read_csv(place.file(run, "predictions.csv"))
    assert sorted(set(predictions["horizon"])) == [1, 2, 3]
    assert np.isfinite([run.data.metrics[name] for name in ("test_rmse", "validation_rmse", "skill_linear")]).all()


# -------------------------------------------------------------------------------------------- a lost certificate


def test_a_run_without_certificate_is_failed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose programs do not agree counts as a score; or the tutorial's order is not told and tagged."""
    step = NumpyNetwork.step

    def spoiled(self, inputs, states):
        outputs, after = step(self, inputs, states)
        return outputs + 1, after

    monkeypatch.setattr(NumpyNetwork, "step", spoiled)
    config = configure({"order": Order.overlapping}, stateful=True)
    with pytest.raises(TrainingError, match=r"parity: read as '.*' the network answers .* defect of the program"):
        place.run(config, "spoiled")
    (run,) = place.runs("spoiled")
    assert run.info.status == "FAILED"
    assert run.data.tags["failure_reason"].startswith("parity: read as")
    assert "test_rmse" not in run.data.metrics
    assert run.data.tags["state_contract"] == "overlapping"
    assert any("dataset.order=overlapping carries the state over windows that overlap" in note for note in place.told)


# ---------------------------------------------------------------------------------------- what fails after training


@pytest.fixture(scope="module")
def training() -> Any:
    """One training for every test of what comes after it."""
    config = configure({})
    with Trainer() as trainer:
        return trainer.train(config, config, prepare_data(config), "shared", print)


def test_what_fails_after_training_costs_only_itself(
    place: Place, training: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours of training would be lost to a figure, a copy for another program, or the measure of the memory."""

    def fail(*arguments: object, **named: object) -> None:
        raise ValueError("no room for it\nbelow the axis")

    monkeypatch.setattr(Trainer, "train", lambda *arguments: training)
    monkeypatch.setattr(run_files, "draw_forecast", fail)
    monkeypatch.setattr(diagnostics, "measure_memory", fail)
    monkeypatch.setattr(live.LiveRun, "log_dataset", fail)
    monkeypatch.setattr(live.LiveRun, "log_model", fail)
    run = place.run(configure({}), "incomplete", log_model=True)
    assert run.info.status == "FINISHED"
    assert run.data.tags["incomplete"] == "memory.csv, forecast.png, dataset, model"
    expected = "forecast.png could not be made and is left out, all else is kept: ValueError: no room for it"
    assert f"incomplete: {expected}" in place.told
    assert np.isfinite([run.data.metrics[name] for name in ("test_rmse", "validation_rmse", "loss")]).all()
    names = {file.path for file in place.client.list_artifacts(run.info.run_id)}
    kept = {"config.yaml", "scaling.json", "predictions.csv", "test_errors.npz", "seeds.csv", "weights.npz"}
    assert kept <= names and "learning_curve.png" in names and "forecast.png" not in names


def test_a_full_disk_under_the_numbers_is_a_failure(
    place: Place, training: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run without its forecasts or weights would count as finished."""

    def fail(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Trainer, "train", lambda *arguments: training)
    monkeypatch.setattr(experiment, "save_weights", fail)
    with pytest.raises(OSError, match="No space left on device"):
        place.run(configure({}), "full")
    assert place.runs("full")[0].info.status == "FAILED"


# ------------------------------------------------------------------------------------------- names from elsewhere

ODD_TARGETS = ["T (degC), $_a^b", 'p "mbar" [red]é [/]']
ODD_LANES = ["<b>ö, $x", "007:/ %s"]


@pytest.mark.thorough
def test_names_from_elsewhere_pass_through_every_command(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training with a unit, a column or a lane of any characters is lost, or cannot be compared, used or streamed."""
    days = pd.date_range("2024-01-01", periods=40).astype(str)
    random = np.random.default_rng(0)
    frames = [pd.DataFrame(random.normal(size=(40, 2)), columns=ODD_TARGETS) for _ in ODD_LANES]
    for frame, lane in zip(frames, ODD_LANES, strict=True):
        frame.insert(0, "wann?", days)
        frame.insert(1, "wo $", lane)
    pd.concat(frames).to_csv(place.folder / "odd.csv", index=False)
    dataset = {
        "name": "100 % [odd]", "source": Source.file, "path": str(place.folder / "odd.csv"), "time_column": "wann?",
        "lane_column": "wo $", "features": ODD_TARGETS, "targets": ODD_TARGETS, "period": 1, "unit": "$_a_b per $",
    }  # fmt: skip
    run = place.run(configure(dataset, look_back=2), "odd")
    assert run.info.status == "FINISHED" and "incomplete" not in run.data.tags
    assert run.data.metrics["test_rmse.T :28:degC:29::2c: :24:_a:5e:b"] > 0

    chosen = [f"tracking.uri=sqlite:///{place.folder / 'mlflow.db'}"]
    monkeypatch.chdir(place.folder)
    capsys.readouterr()
    assert compare.main([f"runs=[{run.info.run_id}]", *chosen]) == 0
    assert "100 % [odd]: " in capsys.readouterr().out

    served = {"run": run.info.run_id, "uri": chosen[0].partition("=")[2]}
    assert forecast.forecast_run(forecast.Arguments(**served, steps=2)) == 0
    ahead = pd.read_csv("forecast.csv")
    assert ahead["lane"].unique().tolist() == ODD_LANES and ahead["target"].unique().tolist() == ODD_TARGETS

    monkeypatch.setattr("sys.stdout", io.StringIO())
    coming = pd.DataFrame([["2024-02-10", ODD_LANES[0], 0.1, 0.2]], columns=["wann?", "wo $", *ODD_TARGETS])
    coming.to_csv("next.csv", index=False)
    assert stream.stream_rows(stream.Arguments(**served, input="next.csv", follow=False)) == 0
    answer = pd.read_csv(io.StringIO(sys.stdout.getvalue()))
    assert answer.columns.tolist()[:4] == ["lane", "timestamp", *(f"forecast.{name}" for name in ODD_TARGETS)]
    assert answer["lane"].tolist() == [ODD_LANES[0]] and answer.iloc[:, :4].notna().all(axis=None)
