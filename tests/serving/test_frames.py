"""Tables of raw rows are answered with the forecasts that a network was scored with, without the run's data."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import (
    Cycle,
    Decoder,
    Gaps,
    HeadName,
    Horizons,
    LagsAs,
    Missing,
    Normalise,
    Transform,
    Wiring,
)
from pipeline.evaluation.conformal import Conformal
from pipeline.models.plan import plan_layers
from pipeline.serving.frames import FrameForecaster, value_columns
from pipeline.serving.mlflow_model import _load_pyfunc
from pipeline.serving.model import ServedModel, make_model
from pipeline.serving.packed import PACKED, pack_model, unpack_model

Pack = Callable[..., tuple[ServedModel, FrameForecaster]]
TWO_AHEAD = {"horizon": 2, "dataset": {"horizons": Horizons.all, "transforms": [Transform.difference]}}
LOG = {"stateful": True, "dataset": {"transforms": [Transform.log, Transform.seasonal_difference]}}
LAGS = {"dataset": {"features": ["b", "a"], "targets": ["a", "b"], "lags_as": LagsAs.features}}
NORMALISED = {"dataset": {"features": ["b", "a"], "targets": ["a"], "normalise": Normalise.window_standard}}
CALENDAR = {
    "dataset": {"calendar": [Cycle.day_of_week, Cycle.day_of_year], "transforms": [Transform.log, Transform.difference]}
}
CALENDAR_AHEAD = {
    "horizon": 2,
    "dataset": {"horizons": Horizons.all, "calendar": ["holiday:DE", "day_of_week"], "future": ["day_of_week", "b"]},
}
DECODER = {
    "horizon": 2,
    "dataset": {"horizons": Horizons.all, "future": ["b", "day_of_week"], "calendar": ["day_of_week"]},
    "model": {"wiring": Wiring.encoder_decoder, "decoder": Decoder.future},
}
KNOWN_AHEAD = {"stateful": True, "dataset": {"future": ["c", "b"], "transforms": [Transform.log, Transform.difference]}}
QUANTILES = {
    "horizon": 2,
    "dataset": {"horizons": Horizons.all, "transforms": [Transform.log]},
    "model": {"head": HeadName.quantile},
}
DISTRIBUTION = {
    "stateful": True,
    "dataset": {"transforms": [Transform.difference]},
    "model": {"head": HeadName.student_t},
}
SHAPES = [
    {},
    {"stateful": True},
    TWO_AHEAD,
    LOG,
    LAGS,
    NORMALISED,
    CALENDAR,
    CALENDAR_AHEAD,
    DECODER,
    KNOWN_AHEAD,
    QUANTILES,
    DISTRIBUTION,
    TWO_AHEAD | {"model": {"head": HeadName.gaussian}},  # quantiles of sums
]
PANEL = {"lanes": ["x", "y"], "stateful": True, "dataset": {"scaler_per_lane": True}}


@pytest.fixture
def pack(make_served: Callable[..., ServedModel], tmp_path: Path) -> Pack:
    def make(sure: float = 0.0, **shape: Any) -> tuple[ServedModel, FrameForecaster]:
        """Return a model with its data, and what MLflow loads of it, without; `sure`: with intervals of that level."""
        model = make_served(**{key: dict(value) if isinstance(value, dict) else value for key, value in shape.items()})
        layers = plan_layers(model.config, *model.data.windows.interface)
        random = np.random.default_rng(7)
        weights = [random.normal(scale=0.7, size=each) for layer in layers for each in layer.weight_shapes]
        model = make_model(model.config, model.data, 1, weights)
        if sure:
            series, steps = model.data.series, model.data.windows.spec.horizon_steps
            learnt = Conformal.begin(
                [sure], steps, max(1, len(series.series_ids)), len(series.targets), bool(model.data.head.levels)
            )
            learnt.errors[:] = np.linspace(1, 2, learnt.errors.size).reshape(learnt.errors.shape)
            model = replace(model, conformal=learnt, bounded=series.series_ids)
        pack_model(tmp_path, model)
        return model, FrameForecaster(unpack_model(tmp_path))

    return make


def table_of(model: ServedModel, columns: Sequence[str] = ()) -> pd.DataFrame:
    series = model.data.series
    table = pd.DataFrame(series.values, columns=list(series.columns))
    table.insert(0, "day", series.timestamps)
    if series.series_ids:
        table.insert(0, "lane", np.array(series.series_ids)[series.series_of_rows()])
    for lane in range(len(series.beyond) if series.future_told else 0):  # rows ahead: nothing but what is known of them
        known = pd.DataFrame(series.known_beyond(lane), columns=list(series.future_told))
        last = series.timestamps[series.slices()[lane].stop - 1]
        known.insert(0, "day", pd.date_range(last, periods=len(known) + 1)[1:])
        table = pd.concat([table, known], ignore_index=True)
    return table


@pytest.mark.parametrize("shape", [*SHAPES, PANEL])
def test_a_table_is_answered_as_the_network_was_scored(shape: dict[str, Any], pack: Pack, expect: Any) -> None:
    """What is deployed forecasts something else than what was scored: another scale, window or state."""
    model, forecaster = pack(**shape)
    answer = forecaster.predict(table_of(model))
    series, windows = model.data.series, model.data.windows
    names = series.series_ids or (None,)
    for name, rows in zip(names, series.slices(), strict=True):
        starts = windows.starts[(windows.starts >= rows.start) & (windows.starts < rows.stop)]
        part = answer if name is None else answer[answer["lane"] == name]
        assert part["day"].iloc[-1] == series.timestamps[rows][-1]  # the forecast of what nobody knows yet
        part = part[part["day"].isin(series.timestamps[windows.spec.origins(starts)])]
        expected = expect(model, starts).reshape(len(starts), -1)
        np.testing.assert_allclose(part[model.output_names()].to_numpy(), expected, rtol=2e-4)


@pytest.mark.parametrize("shape", [{}, LAGS, QUANTILES, PANEL])
def test_a_table_is_answered_with_what_the_intervals_have_learnt(shape: dict[str, Any], pack: Pack) -> None:
    """A deployed forecast stands there without its interval, or with that of another lane, step or target."""
    model, forecaster = pack(sure=0.8, **shape)
    assert model.conformal is not None
    answer, series = forecaster.predict(table_of(model)), model.data.series
    steps, targets = model.data.windows.spec.horizon_steps, series.targets
    for lane, name in enumerate(series.series_ids or ("",)):
        rows = answer[answer["lane"] == name] if name else answer
        radii = model.conformal.measure(np.array([lane]))[0, ..., 0].ravel()  # (horizon_steps x targets,)
        for place, column in enumerate(model.output_names()):
            ending = column.removeprefix("forecast")
            low, high = rows[f"low_80{ending}"], rows[f"high_80{ending}"]
            middle, half = rows[column], 1.0
            if model.data.head.levels:
                ends = rows[f"quantile_0.05{ending}"], rows[f"quantile_0.95{ending}"]
                middle, half = (ends[0] + ends[1]) / 2, (ends[1] - ends[0]) / 2
                np.testing.assert_array_equal(rows[f"quantile_0.5{ending}"], rows[column])
            np.testing.assert_allclose((low + high) / 2, middle, rtol=1e-6)
            np.testing.assert_allclose((high - low) / 2, radii[place] * half, rtol=1e-6)
    assert len(radii) == len(steps) * len(targets)


def test_a_lane_that_the_run_did_not_know_has_no_interval(pack: Pack, tmp_path: Path) -> None:
    """A new shop is told the intervals of whichever stood first."""
    model, forecaster = pack(sure=0.8, lanes=["x", "y"])
    table = table_of(model).replace({"lane": {"y": "new"}})
    answer = forecaster.predict(table)
    assert answer.loc[answer["lane"] == "x", "low_80"].notna().all()
    assert answer.loc[answer["lane"] == "new", ["low_80", "high_80"]].isna().all(axis=None)
    assert answer["forecast"].notna().all()
    served = _load_pyfunc(str(tmp_path)).predict(table)  # MLflow would write NaN into its JSON
    assert set(served.loc[served["lane"] == "new", "low_80"]) == {None}
    pd.testing.assert_frame_equal(served[list(answer)[:3]], answer[list(answer)[:3]])


def test_what_the_timestamps_say_is_not_asked_for(pack: Pack) -> None:
    """Who calls the model must compute sine and cosine alike, or the signature asks for columns no file has."""
    model, forecaster = pack(**CALENDAR)
    assert value_columns(model.config, model.data.series) == ["a"]
    whole = table_of(model)
    pd.testing.assert_frame_equal(forecaster.predict(whole[["day", "a"]]), forecaster.predict(whole))


def test_the_last_days_of_a_week_are_followed_by_a_monday(pack: Pack) -> None:
    """Breaks forecasts from a few rows: three weekdays look like days of any week."""
    days, shape = pd.bdate_range("2020-01-01", periods=40), {"calendar": ["day_of_week"], "future": ["day_of_week"]}
    model, forecaster = pack(timestamps=days, dataset=shape)
    whole = forecaster.predict(table_of(model))
    few = forecaster.predict(table_of(model).iloc[-5:-2])  # Wednesday to Friday
    assert few["day"].iloc[-1].day_name() == "Friday" and len(whole) == 38
    np.testing.assert_allclose(few["forecast"], whole["forecast"].iloc[-3:-2], rtol=1e-5)


def test_the_packed_model_holds_plain_files_and_one_seed(pack: Pack, tmp_path: Path) -> None:
    """A logged model carries something that is executed when it is read, or all seeds of the run."""
    pack()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(PACKED)
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as file:
        assert file["seeds"].tolist() == [1] and all(file[name].shape[0] == 1 for name in file.files if name != "best")


def test_rows_that_are_missing_or_empty_are_treated_as_in_training(pack: Pack) -> None:
    """A gap in a served table shifts every forecast after it in time, without a word."""
    model, forecaster = pack(dataset={"gaps": Gaps.fill, "missing": Missing.forward_fill})
    table = table_of(model)
    whole = forecaster.predict(table.assign(a=table["a"].where(table.index != 20).ffill()))
    pd.testing.assert_frame_equal(forecaster.predict(table.drop(index=20)), whole)
    pd.testing.assert_frame_equal(forecaster.predict(table.assign(a=table["a"].where(table.index != 20))), whole)


def test_dates_may_stand_in_the_index_or_be_texts(pack: Pack) -> None:
    """Rows that come over HTTP have dates as texts, those of a notebook in the index."""
    model, forecaster = pack()
    table = table_of(model)
    answer = forecaster.predict(table)
    for same in (table.set_index("day"), table.set_index("day").rename_axis(None), table.astype({"day": str})):
        pd.testing.assert_frame_equal(forecaster.predict(same.assign(note="not read")), answer)
    assert len(forecaster.predict(table.iloc[:3])) == 1 and forecaster.predict(table.iloc[:2]).empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": {"a": "b"}}, "names the column 'a'"),
        ({"columns": {"day": "date"}}, "names the column 'day'"),
    ],
)
def test_a_table_without_a_column_is_refused(change: dict[str, Any], message: str, pack: Pack) -> None:
    """A typo in a column's name ends in a traceback on a server."""
    model, forecaster = pack()
    with pytest.raises(UserError, match=message):
        forecaster.predict(table_of(model).rename(**change))


def test_what_cannot_be_read_is_refused(pack: Pack) -> None:
    """Values outside of what the network can read become NaN forecasts without a word."""
    model, forecaster = pack(**LOG)
    with pytest.raises(UserError, match="no logarithm"):
        forecaster.predict(table_of(model).assign(a=0.0))
    with pytest.raises(UserError, match="holds no rows"):
        forecaster.predict(table_of(model).iloc[:0])


def test_an_unknown_series_needs_a_shared_scaler(pack: Pack) -> None:
    """A series without a scaler of its own is forecast with that of another one."""
    model, forecaster = pack(**PANEL)
    with pytest.raises(UserError, match="'z', which the run, with a scaler per lane, does not know"):
        forecaster.predict(table_of(model).replace({"lane": {"x": "z"}}))


def test_a_damaged_scaler_is_told(pack: Pack, tmp_path: Path) -> None:
    """A cut file ends in a traceback, or in forecasts without a scale."""
    pack()
    (tmp_path / "scaling.json").write_text('{"columns": {"a": {"offset": 1}}}')
    with pytest.raises(UserError, match=r"scaling\.json of the run cannot be read"):
        _load_pyfunc(str(tmp_path))
