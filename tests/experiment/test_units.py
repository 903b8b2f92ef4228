"""The same series in other units: what is told of a run follows the unit, or does not depend on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.comparison.runs import compare_runs
from pipeline.config.schema import Config, DatasetConfig, ModelConfig, Scaler, Source, TrackingConfig, TrainingConfig
from pipeline.data.prepare import prepare_data
from pipeline.experiment.run import run_experiment
from pipeline.tracking.past import named_runs
from pipeline.tracking.store import open_store

SMALL = 1e-200  # the square is 0; no square of what is not refused (1e18) is infinite
WAVE = np.sin(np.arange(60) * 2 * np.pi / 12) + np.random.default_rng(1).normal(0, 0.1, 60)
WITHOUT_UNIT = ("p_seeds", "diebold_mariano", "p", "p_holm", "evidence")  # of a comparison with a baseline


@dataclass(frozen=True)
class Found:
    """Metrics of a run, its comparison with each baseline, and all it says: of the state, or of a figure it lost."""

    metrics: dict[str, float]
    baselines: list[dict[str, Any]]
    told: list[str]


def configure(folder: Path, factor: float) -> Config:
    path = folder / f"{factor}.csv"
    pd.DataFrame({"step": np.arange(60), "value": WAVE * factor}).to_csv(path, index=False)
    dataset = DatasetConfig(
        name="wave", source=Source.file, path=str(path), time_column="step", features=["value"], targets=["value"],
        period=12, scaler=Scaler.standard,
    )  # fmt: skip
    tracking = TrackingConfig(f"sqlite:///{folder / 'mlflow.db'}", experiment_name=f"{factor}", log_model=False)
    training = TrainingConfig(epochs=2)
    model = ModelConfig(units=[3])
    return Config(
        look_back=3, seeds=2, stateful=True, model=model, dataset=dataset, training=training, tracking=tracking
    )


def find(folder: Path, factor: float) -> Found:
    config, told = configure(folder, factor), list[str]()
    record = run_experiment(config, "run", told.append)
    store = open_store(config.tracking)
    return Found(record.metrics, compare_runs(store, named_runs(store, [record.run_id])).baselines, told)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("units")


@pytest.mark.thorough  # its parts have tests of their own, in tests/evaluation and tests/data
def test_a_run_tells_the_same_in_a_small_unit(folder: Path) -> None:
    """Squares of small numbers vanish: a spread is 0, a skill or a p value changes, the scaler or a figure fails."""
    plain, found = find(folder, 1.0), find(folder, SMALL)
    expected = {name: value * (SMALL if in_units(name) else 1) for name, value in plain.metrics.items()}
    assert {"test_rmse_std", "test_mae_low", "skill_linear", "test_mase", "memory_steps"} < expected.keys()
    del expected["fit_seconds"]
    assert {name: found.metrics[name] for name in expected} == pytest.approx(expected, rel=1e-5, abs=0)
    assert len(found.baselines) == len(plain.baselines) == 4
    for one, other in zip(found.baselines, plain.baselines, strict=True):
        assert [getattr(one.comparison, name) for name in WITHOUT_UNIT] == pytest.approx(
            [getattr(other.comparison, name) for name in WITHOUT_UNIT], rel=1e-5
        )
        assert one.comparison.low == pytest.approx(other.comparison.low * SMALL, rel=1e-5, abs=0)
    assert found.told == plain.told and any("carrying state" in text for text in found.told)


def in_units(metric: str) -> bool:
    """Return whether a metric has the unit of the data."""
    return bool({"rmse", "mae", "width"} & set(metric.split("_"))) and not metric.startswith("skill")


def test_a_unit_that_is_too_large_is_refused(folder: Path) -> None:
    """The squares of a new row, read as 32-bit floats, would be infinite."""
    with pytest.raises(UserError, match="which is too large to compute with; fix the file or use another unit"):
        prepare_data(configure(folder, 1e200))
