"""Records of runs as tracking gives them, and explanations of experiments, without training anything."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config import Config, DatasetConfig, Horizons, ModelConfig, Source, Wiring
from pipeline.data.prepare import PreparedData, prepare_data
from pipeline.data.series import Series
from pipeline.gates import check_ranges
from pipeline.record import RunRecord, Status
from pipeline.report.explanation import Explanation, explain

MakeRecord = Callable[..., RunRecord]
MakeExplained = Callable[..., "Explained"]

_PARAMS = {
    "look_back": "3",
    "horizon": "1",
    "stateful": "false",
    "seeds": "3",
    "resume": "false",
    "dataset.name": "airline",
    "dataset.unit": "thousand passengers",
    "dataset.horizons": "one",
    "model.cell": "lstm",
}
_METRICS = {
    "validation_rmse": 20.0,
    "test_rmse": 50.0,
    "test_rmse_std": 1.5,
    "test_rmse_low": 49.0,
    "test_rmse_high": 51.0,
    "test_mae": 40.0,
    "test_mase": 1.25,
    "skill_persistence": -0.04,
    "skill_seasonal": 0.25,
    "skill_linear": -0.5,
    "baseline_persistence_rmse": 100.0,
    "baseline_seasonal_rmse": 90.0,
    "baseline_linear_rmse": 60.0,
    "fit_seconds": 12.34,
}


@pytest.fixture
def make_record() -> MakeRecord:
    """A finished run with test_rmse and its interval; `one_seed` leaves out what one seed cannot say."""

    def make(
        test_rmse: float = 50.0,
        interval: float = 1.0,
        params: dict[str, str] | None = None,
        one_seed: bool = False,
        status: Status = Status.finished,
        resumed: bool = False,
        **metrics: float,
    ) -> RunRecord:
        told: dict[str, Any] = _METRICS | {
            "test_rmse": test_rmse,
            "test_rmse_low": test_rmse - interval,
            "test_rmse_high": test_rmse + interval,
        }
        told |= metrics
        if one_seed:
            told = {name: value for name, value in told.items() if not name.endswith(("_std", "_low", "_high"))}
        settings = _PARAMS | ({"seeds": "1"} if one_seed else {}) | (params or {})
        return RunRecord("id", status, settings, told if status is Status.finished else {}, resumed=resumed)

    return make


@dataclass(frozen=True)
class Explained:
    """An experiment with its explanation."""

    config: Config
    data: PreparedData
    facts: Explanation


# What a wiring needs beside its name.
_NEEDED: dict[Wiring, dict[str, Any]] = {
    Wiring.one_to_one: {"look_back": 1},
    Wiring.one_to_many: {"look_back": 1, "horizon": 4, "horizons": Horizons.all},
    Wiring.encoder_decoder: {"horizon": 4, "horizons": Horizons.all},
}
_DATASET_KEYS = set(DatasetConfig.__dataclass_fields__)
_MODEL_KEYS = set(ModelConfig.__dataclass_fields__)


@pytest.fixture
def make_explained() -> MakeExplained:
    """Explain a configuration, any keys of it, on a series of two random columns; `holes` are rows filled in."""

    def make(
        length: int = 90,
        frequency: str | None = "MS",
        columns: tuple[str, ...] = ("sales", "price"),
        holes: tuple[int, ...] = (),
        **keys: Any,
    ) -> Explained:
        keys = _NEEDED.get(keys.get("wiring", Wiring.auto), {}) | keys
        dataset = {key: value for key, value in keys.items() if key in _DATASET_KEYS}
        model = {key: value for key, value in keys.items() if key in _MODEL_KEYS}
        rest = {key: value for key, value in keys.items() if key not in _DATASET_KEYS | _MODEL_KEYS}
        named = {"name": "shop", "source": Source.sine} | dataset
        config = Config(dataset=DatasetConfig(**named), model=ModelConfig(**model), **rest)
        check_ranges(config)
        times = (
            pd.RangeIndex(length) if frequency is None else pd.date_range("2001-01-01", periods=length, freq=frequency)
        )
        values = np.random.default_rng(0).uniform(1, 2, size=(length, len(columns)))
        filled = np.zeros(values.shape, dtype=bool)
        filled[list(holes)] = True
        data = prepare_data(config, Series(times, values, columns, columns, columns[:1], filled, "a test"))
        return Explained(config, data, explain(config, data))

    return make
