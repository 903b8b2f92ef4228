"""Served models with random weights, made without TensorFlow, and what they must forecast, computed row by row."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, DatasetConfig, HeadName, LagsAs, ModelConfig, Order, Source
from pipeline.data.cycles import add_cycles
from pipeline.data.prepare import prepare_data
from pipeline.data.series import Series
from pipeline.models.plan import plan_layers
from pipeline.serving.model import ServedModel, make_model

MakeServed = Callable[..., ServedModel]
Expect = Callable[[ServedModel, np.ndarray], np.ndarray]

_DATASET = {"name": "tiny", "source": Source.file, "path": "tiny.csv", "time_column": "day", "period": 3}


@pytest.fixture(scope="session")
def make_served() -> MakeServed:
    def make(
        rows: int = 40,
        lanes: Sequence[str] = (),
        timestamps: pd.Index | None = None,
        filled: np.ndarray | None = None,
        seed: int = 5,
        ahead: int = 12,
        **changes: Any,
    ) -> ServedModel:
        """Positive noise in the columns a, b, c; `dataset` and `model` are dictionaries of their keys.

        What is known ahead is known of `ahead` rows beyond the end.
        """
        dataset = DatasetConfig(**_DATASET | ({"lane_column": "lane"} if lanes else {}) | changes.pop("dataset", {}))
        model = ModelConfig(**{"units": [3]} | changes.pop("model", {}))
        config = Config(**{"look_back": 3} | changes, dataset=dataset, model=model)
        check_ranges(config)
        past, targets, future = (
            tuple(each) for each in (dataset.features or "a", dataset.targets or "a", dataset.future_columns)
        )
        features, columns = (*past, *future), (*dict.fromkeys((*past, *targets)), *future)
        random = np.random.default_rng(seed)
        count = max(len(lanes), 1)
        # Lanes of different lengths and levels.
        lengths = [rows + 3 * number for number in range(count)]
        values = np.concatenate(
            [
                random.uniform(1, 9, size=(length, len(columns))) * (1 + number / 4)
                for number, length in enumerate(lengths)
            ]
        )
        if model.head is HeadName.negative_binomial:
            values = values.round()
        if timestamps is None:
            timestamps = pd.date_range("2020-01-01", periods=max(lengths), freq="D")
        each = [timestamps[:length] for length in lengths]
        series = Series(
            timestamps=each[0] if count == 1 else each[0].append(each[1:]),
            values=values,
            columns=columns,
            features=features,
            targets=targets,
            filled=np.zeros(values.shape, dtype=bool) if filled is None else filled,
            origin="test",
            series_ids=tuple(lanes),
            series_ends=tuple(np.cumsum(lengths).tolist()) if lanes else (),
            future=future,
            beyond=np.random.default_rng(seed + 1).uniform(1, 9, size=(count, ahead, len(future))),
        )
        data = prepare_data(config, add_cycles(series, dataset))
        layers = plan_layers(config, *data.windows.interface)
        weights = [random.normal(scale=0.7, size=shape) for layer in layers for shape in layer.weight_shapes]
        return make_model(config, data, seed, weights, f"digest {seed}")

    return make


@pytest.fixture(scope="session")
def expect() -> Expect:
    def forecast(model: ServedModel, starts: np.ndarray) -> np.ndarray:
        """Forecast from some windows of one lane as training does: (windows, horizon_steps, targets), in units."""
        windows, config = model.data.windows, model.config
        if not config.stateful:
            return model.data.head.points(
                model.data.read_outputs(model.network.answer(windows.gather_inputs(starts)), starts)
            )
        first = int(windows.first_of_series[np.searchsorted(windows.starts, starts[0])])
        states = model.network.zero_states(1)
        outputs = {}  # by the last row that was read
        by_row = config.dataset.order is Order.phases and config.dataset.lags_as is LagsAs.time_steps
        last = int(windows.spec.origins(starts)[-1])
        if by_row:
            for row in range(first, last + 1):
                outputs[row], states = model.network.step(windows.inputs[row : row + 1], states)
        else:
            for start in range(first, int(starts[-1]) + 1):
                sample = windows.gather_inputs(np.array([start]))
                outputs[start + config.look_back - 1], states = model.network.read(sample, states)
        by_start = np.concatenate([outputs[int(row)] for row in windows.spec.origins(starts)])
        return model.data.head.points(model.data.read_outputs(by_start, starts))

    return forecast
