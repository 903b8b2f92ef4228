"""Explanations of experiments, without training anything."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, DatasetConfig, Horizons, ModelConfig, Source, Wiring
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series
from pipeline.explanation.facts.explanation import Explanation, explain

MakeExplained = Callable[..., "Explained"]


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
        ahead = tuple(config.dataset.future)
        series = Series(times, values, columns, columns, columns[:1], filled, "a test", future=ahead)
        data = prepare_data(config, series)
        return Explained(config, data, explain(config, data))

    return make


@pytest.fixture
def make_text(tmp_path: Path) -> MakeExplained:
    """Explain a configuration, any keys of it, on 700 characters of a text with line breaks."""

    def make(**keys: Any) -> Explained:
        path = tmp_path / "my.txt"
        path.write_text("First Citizen:\nBefore we proceed any\tfurther\n" + "To be, or not to be.\n" * 31)
        dataset = {key: value for key, value in keys.items() if key in _DATASET_KEYS}
        model = {key: value for key, value in keys.items() if key in _MODEL_KEYS}
        rest = {key: value for key, value in keys.items() if key not in _DATASET_KEYS | _MODEL_KEYS}
        named = {"name": "text", "source": Source.text, "path": str(path)} | dataset
        config = Config(dataset=DatasetConfig(**named), model=ModelConfig(**model), **{"look_back": 20, **rest})
        check_ranges(config)
        data = prepare_data(config)
        return Explained(config, data, explain(config, data))

    return make
