"""Both forms of a model forecast what its lanes forecast, in every format that needs no TensorFlow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import (
    Cell,
    Config,
    Cycle,
    DatasetConfig,
    Decoder,
    HeadName,
    Horizons,
    LagsAs,
    ModelConfig,
    Normalise,
    Order,
    Skip,
    Source,
    Transform,
    Wiring,
)
from pipeline.data.prepare import prepare_data
from pipeline.exporting.files import Run, open_form, write_form
from pipeline.exporting.formats import ENDINGS, Format
from pipeline.exporting.forms import FORECAST, NEW, QUANTILES, ROW, ROWS, make_step, make_window, why_no_window
from pipeline.exporting.layout import Layout, lay_out, scaler_shapes, state_shapes, take_state
from pipeline.models.graph.graph import Graph
from pipeline.models.plan import plan_layers
from pipeline.serving.lanes import Lanes
from pipeline.serving.model import ServedModel, make_model

MakeServed = Callable[..., ServedModel]
STATEFUL, ALL = {"stateful": True}, {"horizons": Horizons.all}
SEASONAL = {"transforms": [Transform.log, Transform.seasonal_difference, Transform.difference]}
MANY = {"features": ["a", "b", "c"], "targets": ["c", "a"]}
STANDARD = {"normalise": Normalise.window_standard}
FAST: dict[str, dict[str, Any]] = {
    "every transform, steps beyond their lag": {"horizon": 5, "dataset": ALL | MANY | SEASONAL},
    "carried state, two gru, several columns": STATEFUL
    | {"model": {"cell": Cell.gru, "units": [3, 2]}, "dataset": MANY | SEASONAL},
    "seasonal average": {"horizon": 5, "dataset": ALL | {"transforms": [Transform.log, Transform.seasonal_average]}},
    "normalised, calendar, skip, quantiles": {
        "horizon": 2,
        "model": {"head": HeadName.quantile, "skip": Skip.linear},
        "dataset": ALL | STANDARD | {"calendar": [Cycle.day_of_week]},
    },
    "scaler per lane": STATEFUL | {"lanes": ["x", "y"], "dataset": {"scaler_per_lane": True} | SEASONAL},
}
MORE: dict[str, dict[str, Any]] = {
    "target that is no feature": {"dataset": {"features": ["b"], "targets": ["a"]} | SEASONAL},
    "target that is neither feature nor needed": {"dataset": {"features": ["b"], "targets": ["a"]}},
    "many to many": {"return_sequences": True},
    "carried, many to many": STATEFUL | {"return_sequences": True},
    "lags as features": {"dataset": MANY | {"lags_as": LagsAs.features, "normalise": Normalise.window_last}},
    "carried, lags as features": STATEFUL | {"dataset": SEASONAL | {"lags_as": LagsAs.features}},
    "overlapping": STATEFUL | {"dataset": {"order": Order.overlapping}},
    "simple rnn": STATEFUL | {"model": {"cell": Cell.simple_rnn, "units": [4, 2]}},
    "gaussian, known ahead": {
        "horizon": 2, "model": {"head": HeadName.gaussian}, "dataset": ALL | STANDARD | {"future": ["b"]}
    },
    "window mean": {"dataset": {"normalise": Normalise.window_mean}},
    "encoder and decoder": {"horizon": 3, "model": {"wiring": Wiring.encoder_decoder}, "dataset": ALL},
    "decoder that reads what is known ahead": {
        "horizon": 2,
        "model": {"wiring": Wiring.encoder_decoder, "decoder": Decoder.future},
        "dataset": ALL | STANDARD | {"future": ["b"]},
    },
    "one to many": {"look_back": 1, "horizon": 3, "model": {"wiring": Wiring.one_to_many}, "dataset": ALL},
    "one to one": {"look_back": 1, "model": {"wiring": Wiring.one_to_one}},
    "panel": {"lanes": ["x", "y", "z"], "dataset": SEASONAL},
}  # fmt: skip
KINDS = FAST | MORE
kinds = pytest.mark.parametrize("kind", [*FAST, *(pytest.param(kind, marks=pytest.mark.thorough) for kind in MORE)])


def open_graph(graph: Graph, each: Format, folder: Path) -> Run:
    path = folder / f"form.{ENDINGS[each]}"
    write_form(each, graph, path, "a test")
    return open_form(each, path)


def read_rows(model: ServedModel, layout: Layout) -> np.ndarray:
    """Return the first rows of all lanes side by side, as an exported model reads them. (time, lanes, columns)."""
    length = min(rows.stop - rows.start for rows in model.data.series.slices())
    width = len(model.data.series.columns)
    columns = [*layout.kept, *range(width, model.data.rows.shape[1])]
    return np.stack([model.data.rows[rows][:length] for rows in model.data.series.slices()], axis=1)[..., columns]


def read_lanes(model: ServedModel, layout: Layout) -> tuple[dict[str, np.ndarray], list[np.ndarray], Lanes]:
    """Return the state of lanes that have read nothing, their answers after every row, and the lanes."""
    lanes = Lanes(model)
    numbers = np.array([lanes.open(name) for name in model.data.series.series_ids or ("tiny",)])
    cold, answers = take_state(model, layout, lanes), []
    for place in range(min(rows.stop - rows.start for rows in model.data.series.slices())):
        values = np.stack([model.data.rows[rows.start + place] for rows in model.data.series.slices()])
        answers.append(lanes.advance_answers(numbers, values))
    return cold, answers, lanes


def test_an_embedding_goes_along(tmp_path: Path) -> None:
    """A model of categories cannot be exported, or tomorrow's weather is looked up in another row of its table."""
    days, random = pd.date_range("2024-01-01", periods=42).strftime("%Y-%m-%d"), np.random.default_rng(1)
    rows = [f"{day},{'' if at > 39 else at % 7 + 1},{['sun', 'rain', 'fog'][at % 3]}" for at, day in enumerate(days)]
    (tmp_path / "ice.csv").write_text("\n".join(["day,a,weather", *rows]) + "\n")
    dataset = DatasetConfig(
        name="tiny", source=Source.file, path=str(tmp_path / "ice.csv"), time_column="day", features=["a"],
        targets=["a"], future=["weather"], categories=["weather"], horizons=Horizons.all,
    )  # fmt: skip
    network = ModelConfig(units=[3], wiring=Wiring.encoder_decoder, decoder=Decoder.future, embedding=2)
    config = Config(horizon=2, dataset=dataset, model=network)
    data = prepare_data(config)
    layers = plan_layers(config, *data.windows.interface)
    model = make_model(config, data, 1, [random.normal(size=shape) for each in layers for shape in each.weight_shapes])
    layout = lay_out(model)
    run = open_graph(make_step(model, layout), Format.onnx, tmp_path)
    state, answers, _ = read_lanes(model, layout)
    for row, answer in zip(read_rows(model, layout), answers, strict=True):
        made = run({ROW: row, **state})
        np.testing.assert_allclose(made[FORECAST], answer, rtol=1e-4)
        state = {name: made[f"{NEW}{name}"] for name in state}
    assert np.isfinite(answer).all()


@kinds
@pytest.mark.parametrize("each", [Format.onnx, Format.numpy], ids=lambda each: each.value)
def test_steps_forecast_what_lanes_forecast(kind: str, each: Format, make_served: MakeServed, tmp_path: Path) -> None:
    """What runs elsewhere forecasts something else than `stream`, begins too early, or forgets what it knew."""
    model = make_served(**KINDS[kind], rows=30)
    layout, head = lay_out(model), model.data.head
    run = open_graph(make_step(model, layout), each, tmp_path)
    state, answers, lanes = read_lanes(model, layout)
    for row, answer in zip(read_rows(model, layout), answers, strict=True):
        made = run({ROW: row, **state})
        np.testing.assert_allclose(made[FORECAST], head.points(answer), rtol=2e-5, atol=2e-5)
        if head.levels:
            np.testing.assert_allclose(made[QUANTILES], answer, rtol=2e-5, atol=2e-5)
        state = {name: made[f"{NEW}{name}"] for name in state}
    remembered = take_state(model, layout, lanes)
    assert {name: array.shape[1:] for name, array in remembered.items()} == state_shapes(model, layout)
    for name, array in remembered.items():
        np.testing.assert_allclose(state[name], array, rtol=1e-4, atol=1e-5, err_msg=name)


@kinds
@pytest.mark.parametrize("each", [Format.onnx, Format.numpy], ids=lambda each: each.value)
def test_a_window_forecasts_what_lanes_forecast(
    kind: str, each: Format, make_served: MakeServed, tmp_path: Path
) -> None:
    """A window of the last rows gives another forecast than rows that were read one by one."""
    model = make_served(**KINDS[kind], rows=30)
    layout = lay_out(model)
    if why_no_window(model) is not None:
        assert kind in ("seasonal average", "carried, lags as features", "overlapping")
        return
    run = open_graph(make_window(model, layout), each, tmp_path)
    rows, (cold, answers, _) = read_rows(model, layout), read_lanes(model, layout)
    scaler = {name: cold[name] for name in scaler_shapes(model)}
    length = len(rows) if model.config.stateful else layout.lost + layout.rows_needed
    made = run({ROWS: np.swapaxes(rows[-length:], 0, 1), **scaler})
    np.testing.assert_allclose(made[FORECAST], model.data.head.points(answers[-1]), rtol=2e-5, atol=2e-5)


def test_large_values_keep_their_digits(make_served: MakeServed, tmp_path: Path) -> None:
    """Rows around a million are rounded before the scaler takes the million off."""
    model = make_served(stateful=True)
    offset = model.data.scaling.offset
    offset.flags.writeable = True
    offset += 1e8
    layout = lay_out(model)
    cold, _, _ = read_lanes(model, layout)
    lanes = Lanes(model)
    lanes.open("tiny")
    for each in (Format.onnx, Format.numpy):
        made = open_graph(make_step(model, layout), each, tmp_path)({ROW: [[1e8 + 5.5]], **cold})
        assert made[FORECAST].dtype == np.float64
    expected = lanes.advance(np.array([0]), np.array([[1e8 + 5.5]]))
    assert made[FORECAST] == pytest.approx(expected, abs=1e-5)
    assert made[FORECAST][0, 0, 0] != np.float32(made[FORECAST][0, 0, 0])


def test_what_no_operation_computes_is_refused_by_name(make_served: MakeServed) -> None:
    """A model is exported whose quantiles are left out, or wrong."""
    told = (
        r"model\.head=student_t cannot be exported: quantiles of Student's t are no operation of these formats; train"
    )
    with pytest.raises(UserError, match=told):
        lay_out(make_served(model={"head": HeadName.student_t}))
