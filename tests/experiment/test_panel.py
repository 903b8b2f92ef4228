"""A run on a panel in blocks of lanes: scores of all lanes, files of a sample, and a network that serves any lane."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.base.errors import UserError
from pipeline.base.record import DIGEST_TAG, LENGTH_TAG
from pipeline.config.schema import Config, DatasetConfig, EvaluationConfig, Source, TrackingConfig, TrainingConfig
from pipeline.data.sources import load_series
from pipeline.experiment.run import run_experiment
from pipeline.serving.frames import FrameForecaster
from pipeline.serving.model import load_history
from pipeline.serving.packed import PACKED, unpack_model

NAMES = [f"house {number}" for number in range(7)]
SHOWN = ["house 0", "house 3", "house 6"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    steps, draw = np.arange(50), np.random.default_rng(2)
    each = [
        pd.DataFrame(
            {"step": steps, "house": name, "load": number + np.sin(steps / 3 + number) + draw.normal(0, 0.1, 50)}
        )
        for number, name in enumerate(NAMES)
    ]
    return pd.concat(each, ignore_index=True)


@pytest.fixture(scope="module")
def config(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> Config:
    folder = tmp_path_factory.mktemp("panel")
    make_store(folder)
    (folder / "panel").mkdir()
    for number in range(2):
        rows[rows.index % 2 == number].to_parquet(folder / "panel" / f"{number}.parquet", index=False)
    dataset = DatasetConfig(
        name="csv", source=Source.file, path=str(folder / "panel"), time_column="step", lane_column="house",
        lane_block=3, scaler_per_lane=True,
    )  # fmt: skip
    return Config(
        look_back=3, seeds=2, batch_size=16, dataset=dataset, evaluation=EvaluationConfig(coverage=[0.9]),
        training=TrainingConfig(epochs=2),
        tracking=TrackingConfig(uri=f"sqlite:///{folder / 'mlflow.db'}", experiment_name="panel", log_model=False),
    )  # fmt: skip


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def run(config: Config, told: list[str]) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr("pipeline.data.panel.SHOWN", 3)
        record = run_experiment(config, "panel", told.append)
        again = run_experiment(replace(config, resume=True), "panel", told.append)
    assert again.run_id == record.run_id, "a run in blocks is read back like any other"
    return client_of(config).get_run(record.run_id)


def client_of(config: Config) -> MlflowClient:
    return MlflowClient(config.tracking.uri)


def table(config: Config, run: Run, name: str) -> pd.DataFrame:
    return pd.read_csv(client_of(config).download_artifacts(run.info.run_id, name))


def test_scores_are_of_all_lanes_and_tables_of_the_sample(config: Config, run: Run, told: list[str]) -> None:
    """Breaks the choice between runs on a large panel: scores of some lanes would pass for those of all."""
    lanes, predictions = table(config, run, "lanes.csv"), table(config, run, "predictions.csv")
    assert lanes["lane"].tolist() == NAMES
    metrics = run.data.metrics
    rows = lanes["test_rows"].sum()
    for name in ("baseline_persistence_rmse", "baseline_linear_rmse"):
        pooled = np.sqrt((lanes[name] ** 2 * lanes["test_rows"]).sum() / rows)
        assert metrics[name] == pytest.approx(pooled, rel=1e-9)
    assert metrics["test_mae"] == pytest.approx((lanes["test_mae"] * lanes["test_rows"]).sum() / rows, rel=1e-9)
    assert metrics["num_lanes"] == len(NAMES)
    assert predictions["lane"].unique().tolist() == SHOWN
    test = predictions[predictions["part"] == "test"]
    for name, mine in test.groupby("lane"):
        each = [np.sqrt(np.mean((mine[f"seed_{seed}"] - mine["actual"]) ** 2)) for seed in (1, 2)]
        assert lanes.set_index("lane")["test_rmse"][name] == pytest.approx(np.mean(each), rel=1e-6)
    seeds = table(config, run, "seeds.csv")
    assert metrics["test_rmse"] == pytest.approx(seeds["test_rmse"].mean())
    (sentence,) = {each for each in told if "in memory at a time" in each}
    assert "7 lanes of 350 rows share the network, 3 of them in memory at a time" in sentence
    assert "of 3 at equal distances" in sentence


def test_the_network_serves_any_lane(config: Config, run: Run, rows: pd.DataFrame, tmp_path: Path) -> None:
    """Breaks the use of a panel's network: a lane outside the sample would be scaled as another, or not be known."""
    for name in PACKED:
        client_of(config).download_artifacts(run.info.run_id, name, str(tmp_path))
    served = FrameForecaster(unpack_model(tmp_path)).predict(rows)
    assert sorted(served["house"].unique()) == NAMES
    predictions = table(config, run, "predictions.csv")
    first = predictions[predictions["timestamp"] == 30].set_index("lane")
    best = table(config, run, "seeds.csv").set_index("seed")["validation_rmse"].idxmin()
    forecast = served[served["step"] == 29].set_index("house")["forecast"]  # made when row 29 was known
    for lane in SHOWN:
        assert forecast[lane] == pytest.approx(first[f"seed_{best}"][lane], abs=1e-4)
    assert forecast["house 5"] == pytest.approx(5 + np.sin(30 / 3 + 5), abs=2.5), "by its own scaler"


def test_the_past_of_all_lanes_is_not_loaded(config: Config, run: Run) -> None:
    """Breaks `forecast` on a large panel: it would fill the memory, where it should say what can be done."""
    tags = {name: run.data.tags[name] for name in (DIGEST_TAG, LENGTH_TAG)}
    assert tags == {DIGEST_TAG: load_series(config.dataset).digest(), LENGTH_TAG: "350"}
    with pytest.raises(UserError, match=r"trained with dataset\.lane_block=3, .*load\(run\)\.predict\(frame\)"):
        load_history(config, tags)
