"""Small configurations and series for trainings of a second or two."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, DatasetConfig, ModelConfig, Optimizer, Source, TrainingConfig
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series
from pipeline.training.record import EpochReport

MakeConfig = Callable[..., Config]
MakeData = Callable[..., PreparedData]

# Of 40 rows: 26 train, 4 validation, 10 test.
_DATASET = {"name": "tiny", "source": Source.sine, "test_fraction": 0.25, "validation_fraction": 0.1}
_TRAINING = {"epochs": 2, "optimizer": Optimizer.adam, "learning_rate": 0.01, "patience": None}


@pytest.fixture(scope="session")
def make_config() -> MakeConfig:
    def make(**changes: Any) -> Config:
        """Root keys as they are; `dataset`, `model` and `training` as dictionaries of their keys."""
        nodes = {
            "dataset": DatasetConfig(**_DATASET | changes.pop("dataset", {})),
            "model": ModelConfig(**{"units": [3]} | changes.pop("model", {})),
            "training": TrainingConfig(**_TRAINING | changes.pop("training", {})),
        }
        config = Config(**{"look_back": 3, "batch_size": 1, "seeds": 1} | changes, **nodes)
        check_ranges(config)
        return config

    return make


@pytest.fixture(scope="session")
def make_data() -> MakeData:
    def make(config: Config, values: np.ndarray | None = None, filled: np.ndarray | None = None) -> PreparedData:
        """Normal noise of 40 rows unless values, (time, columns), are given; the columns are named a, b, c."""
        if values is None:
            columns = len({*(config.dataset.features or ["a"]), *config.dataset.future} - {*config.dataset.categories})
            values = np.random.default_rng(8).normal(size=(40, columns))
        names = tuple("abc"[: values.shape[1]])
        levels = tuple((name, ("x", "y", "z")) for name in config.dataset.categories)  # one-hot, behind the others
        hot = [np.eye(3)[np.random.default_rng(9).integers(0, 3, len(values))] for _ in levels]
        encoded = tuple(f"{name}={value}" for name, each in levels for value in each)
        future = (
            *(name for name in config.dataset.future if name in names),
            *(encoded if config.dataset.future else ()),
        )
        values, plain = np.concatenate([values, *hot], axis=1), names
        names = (*names, *encoded)
        series = Series(
            timestamps=pd.RangeIndex(len(values)),
            values=values,
            columns=names,
            features=tuple(dict.fromkeys((*(config.dataset.features or plain), *future, *encoded))),
            future=future,
            levels=levels,
            targets=tuple(config.dataset.targets or names[:1]),
            filled=np.zeros(values.shape, dtype=bool) if filled is None else filled,
            origin="test",
        )
        return prepare_data(config, series)

    return make


@pytest.fixture(scope="session")
def ignore_epoch() -> Callable[[EpochReport], None]:
    return lambda report: None
