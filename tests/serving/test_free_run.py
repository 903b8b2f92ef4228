"""Forecasts of many steps: a free run is the stream fed with itself, and nothing from the future enters it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import Cell, Cycle, Horizons, LagsAs, Order, Transform
from pipeline.data.cycles import calendar_values
from pipeline.data.prepare import prepare_data
from pipeline.data.series import Series
from pipeline.serving.free_run import BACKTEST, FUTURE, forecast_steps
from pipeline.serving.lanes import warm_lanes
from pipeline.serving.model import ServedModel

MakeServed = Callable[..., ServedModel]
Expect = Callable[[ServedModel, np.ndarray], np.ndarray]
STEPS = 5
ALL = {"horizons": Horizons.all}
DIFFERENCE = {"transforms": [Transform.difference]}
SEASONAL = {"transforms": [Transform.log, Transform.seasonal_difference]}
KINDS: dict[str, dict[str, Any]] = {
    "stateless": {},
    "stateless, differences": {"dataset": SEASONAL},
    "horizon 3": {"horizon": 3},
    "stateful": {"stateful": True},
    "stateful, differences": {"stateful": True, "dataset": SEASONAL},
    "stateful, horizon 3": {"stateful": True, "horizon": 3, "dataset": SEASONAL},
    "stateful, every horizon": {
        "stateful": True,
        "horizon": 3,
        "dataset": ALL | {"transforms": [Transform.difference]},
    },
    "overlapping": {"stateful": True, "dataset": {"order": Order.overlapping}},
    "lags as features": {"stateful": True, "dataset": {"lags_as": LagsAs.features}},
    "two columns": {"dataset": {"features": ["a", "b"], "targets": ["b", "a"]}, "model": {"cell": Cell.gru}},
}
kinds = pytest.mark.parametrize("kind", KINDS)


def extend(model: ServedModel, known: np.ndarray) -> ServedModel:
    """Return the same model, its scaler included, on other rows."""
    old = model.data
    timestamps = pd.date_range("2020-01-01", periods=len(known), freq="D")
    names = (old.series.columns, old.series.features, old.series.targets)
    data = prepare_data(model.config, Series(timestamps, known, *names, known < 0, "test"))
    columns = [old.series.column_numbers(each) for each in (old.series.features, old.series.targets)]
    scaled = (data.transformed.values - old.scaling.offset[0]) / old.scaling.scale[0]
    inputs, targets = (scaled[:, each].astype(np.float32) for each in columns)
    windows = {**vars(data.windows), "inputs": inputs, "targets": targets}
    same_scaler = {**vars(data), "scaling": old.scaling, "windows": type(data.windows)(**windows)}
    return ServedModel(model.config, type(data)(**same_scaler), model.network, model.digest)


def forecast_last(model: ServedModel, known: np.ndarray, expect: Expect) -> np.ndarray:
    """Forecast from the last of some rows as the batch path does. Shape (horizon_steps, targets)."""
    # Rows after the origin are needed by its window only; any will do.
    longer = extend(model, np.concatenate([known, np.ones((model.config.horizon, known.shape[1]))]))
    start = len(known) - model.config.look_back
    return expect(longer, np.array([start]))[0]


@kinds
def test_a_free_run_extends_the_series_with_its_own_forecasts(
    kind: str, make_served: MakeServed, expect: Expect
) -> None:
    """The network is fed with a true value of the future, with a forecast of another step, or in other units."""
    model = make_served(**KINDS[kind])
    table = forecast_steps(model, STEPS)
    series, lead = model.data.series, model.config.horizon_steps[0]
    order = [series.targets.index(name) for name in series.columns]
    for part, first in ((BACKTEST, len(series) - STEPS), (FUTURE, len(series))):
        forecasts: list[np.ndarray] = []
        for step in range(STEPS):
            own = [forecast[order] for forecast in forecasts[: max(step - lead + 1, 0)]]
            true = series.values[: min(first, first + step - lead + 1)]
            forecasts.append(forecast_last(model, np.stack([*true, *own]), expect)[0])
        for column, target in enumerate(series.targets):
            rows = table[(table["part"] == part) & (table["target"] == target)]
            expected = [forecast[column] for forecast in forecasts]
            np.testing.assert_allclose(rows["free_run"], expected, rtol=1e-3)


@kinds
def test_forecasts_from_true_values_are_those_of_the_batch_path(
    kind: str, make_served: MakeServed, expect: Expect
) -> None:
    """What is shown beside the free run is not what was scored, or is dated one step too early or too late."""
    model = make_served(**KINDS[kind])
    series, steps = model.data.series, model.config.horizon_steps
    lead = steps[0]
    name = "one_step_ahead" if lead == 1 else f"{lead}_steps_ahead"
    table = forecast_steps(model, STEPS)
    starts = np.arange(len(series) - STEPS - lead, len(series) - lead) - model.config.look_back + 1
    longer = np.concatenate([series.values, np.ones((3, len(series.columns)))])
    known = expect(extend(model, longer), starts)  # (steps, horizon_steps, targets)
    beyond = forecast_last(model, series.values, expect)  # (horizon_steps, targets)
    for column, target in enumerate(series.targets):
        rows = table[table["target"] == target].set_index("timestamp")
        back, ahead = rows[rows["part"] == BACKTEST], rows[rows["part"] == FUTURE]
        assert back.index.tolist() == list(series.timestamps[-STEPS:])
        assert ahead.index.tolist() == list(pd.date_range("2020-02-10", periods=STEPS))
        np.testing.assert_allclose(back[name], known[:, 0, column], rtol=1e-3)
        np.testing.assert_array_equal(back["actual"], series.actual()[-STEPS:, column])
        assert ahead["actual"].isna().all()
        # Beyond the end the truth feeds as many forecasts as the network looks ahead.
        assert ahead[name].notna().tolist() == [step < lead for step in range(STEPS)]
        np.testing.assert_allclose(ahead[name].iloc[lead - 1], beyond[0, column], rtol=1e-3)
        assert ("direct" in table) == (len(steps) > 1)
        if len(steps) > 1:
            np.testing.assert_allclose(ahead["direct"][: len(steps)], beyond[:, column], rtol=1e-3)
            np.testing.assert_allclose(back["direct"].iloc[0], known[0, 0, column], rtol=1e-3)
            assert ahead["direct"][len(steps) :].isna().all()


@kinds
def test_the_backtest_does_not_know_what_it_forecasts(kind: str, make_served: MakeServed) -> None:
    """The free run looks into the future that it is judged by."""
    model = make_served(**KINDS[kind])
    changed = model.data.series.values.copy()
    changed[-STEPS:] *= 1.5
    tables = [forecast_steps(each, STEPS) for each in (extend(model, model.data.series.values), extend(model, changed))]
    back = [table[table["part"] == BACKTEST] for table in tables]
    np.testing.assert_array_equal(back[0]["free_run"], back[1]["free_run"])
    assert not np.allclose(back[0]["actual"], back[1]["actual"])


@pytest.mark.parametrize(
    ("timestamps", "expected"),
    [
        (pd.date_range("1958-09-01", periods=40, freq="MS"), ["1962-01-01", "1962-02-01"]),
        (pd.date_range("2024-01-01", periods=40, freq="B"), ["2024-02-26", "2024-02-27"]),
        (pd.date_range("2024-01-01 20:30", periods=40, freq="h", tz="Europe/Berlin"), ["2024-01-03 12:30", "13:30"]),
    ],
)
def test_dates_go_on_in_the_calendar_of_the_series(
    make_served: MakeServed, timestamps: pd.DatetimeIndex, expected: list[str]
) -> None:
    """Forecasts are dated on days that the series does not have."""
    table = forecast_steps(make_served(timestamps=timestamps), 2)
    ahead = [str(time) for time in table[table["part"] == FUTURE]["timestamp"]]
    assert all(text in time for text, time in zip(expected, ahead, strict=True))


def test_numbers_go_on(make_served: MakeServed) -> None:
    """Forecasts of a series without dates have no place in it."""
    numbered = make_served(timestamps=pd.RangeIndex(40), dataset={"time_column": None})
    assert forecast_steps(numbered, 3)["timestamp"].tolist() == [37, 38, 39, 40, 41, 42]
    fives = make_served(timestamps=pd.Index(np.arange(40) * 5))
    assert forecast_steps(fives, 2)["timestamp"].tolist() == [190, 195, 200, 205]


def test_irregular_timestamps_go_on_by_their_number(make_served: MakeServed) -> None:
    """Timestamps are invented, or a person reads a traceback."""
    irregular = pd.DatetimeIndex(pd.date_range("2024-01-01", periods=40).delete(7).append(pd.DatetimeIndex(["2025"])))
    assert forecast_steps(make_served(timestamps=irregular), 2)["timestamp"].tolist()[-2:] == ["+1", "+2"]


def test_a_feature_that_is_no_target_leaves_the_rest(make_served: MakeServed) -> None:
    """A free run is made up from features that nobody knows; or nothing is forecast at all."""
    model = make_served(dataset={"features": ["a", "b"], "targets": ["a"]} | ALL, horizon=2)
    table = forecast_steps(model, 3)
    assert table["free_run"].isna().all()
    assert table["one_step_ahead"].notna().tolist() == [True] * 4 + [False] * 2
    assert table["direct"].notna().tolist() == [True, True, False] * 2


def test_each_lane_is_forecast_from_its_own_past(make_served: MakeServed) -> None:
    """The lanes of a panel are forecast from each other's rows, or with each other's dates."""
    panel = make_served(lanes=("x", "y"), stateful=True, dataset={"scaler_per_lane": True} | SEASONAL)
    table = forecast_steps(panel, 3)
    assert table["lane"].tolist() == ["x"] * 6 + ["y"] * 6
    for name, rows in zip("xy", panel.data.series.slices(), strict=True):
        mine = table[table["lane"] == name]
        times = list(panel.data.series.timestamps[rows])
        assert mine["timestamp"].tolist()[:3] == times[-3:]
        assert mine["timestamp"].tolist()[3] == times[-1] + pd.Timedelta("1D")
        np.testing.assert_array_equal(mine["actual"][:3], panel.data.series.values[rows][-3:, 0])
        assert mine["free_run"].notna().all()
    changed = panel.data.series.values.copy()
    changed[: panel.data.series.series_ends[0]] *= 1.5  # another x
    # A scaler per lane makes log differences of a multiple the same numbers: y must not change at all.
    series = Series(**{**vars(panel.data.series), "values": changed})
    other = ServedModel(panel.config, prepare_data(panel.config, series), panel.network, panel.digest)
    again = forecast_steps(other, 3)
    np.testing.assert_allclose(again["free_run"][6:], table["free_run"][6:], rtol=1e-5)


def test_filled_values_are_not_taken_for_the_truth(make_served: MakeServed) -> None:
    """The backtest is judged by values that were never measured."""
    filled = np.zeros((40, 1), dtype=bool)
    filled[-2] = True
    table = forecast_steps(make_served(filled=filled), 3)
    assert table["actual"].isna().tolist() == [False, True, False] + [True] * 3


@pytest.mark.parametrize(
    ("changes", "steps", "most"),
    [({}, 40, 36), ({"horizon": 3}, 35, 34), ({"dataset": SEASONAL, "stateful": True}, 34, 33)],
)
def test_more_steps_than_the_data_allow_are_refused(
    make_served: MakeServed, changes: dict[str, Any], steps: int, most: int
) -> None:
    """The error does not say how many steps there may be, or names too many."""
    model = make_served(**changes)
    with pytest.raises(
        UserError, match=f"has 40 rows, too few to hold back steps={steps} of them as a test; lower steps to {most} or"
    ):
        forecast_steps(model, steps)
    back = forecast_steps(model, most).iloc[:most]
    assert back["free_run"].notna().all()


AHEAD: dict[str, dict[str, Any]] = {
    "one step": {"dataset": {"future": ["b"]}},
    "stateful, far": {
        "stateful": True,
        "horizon": 3,
        "dataset": {"future": ["b", "c"], "calendar": [Cycle.day_of_week]},
    },
    "calendar": {"horizon": 2, "dataset": {"calendar": ["day_of_week", "holiday:DE"], "future": ["day_of_week"]} | ALL},
    "calendar and price": {
        "stateful": True,
        "dataset": {"future": ["b", "day_of_week"], "calendar": ["day_of_week", "day_of_month"]},
    },
    "every horizon": {"horizon": 2, "dataset": {"future": ["b"], "transforms": [Transform.difference]} | ALL},
}


@pytest.mark.parametrize("kind", AHEAD)
def test_a_free_run_reads_what_is_known_ahead_at_its_row(kind: str, make_served: MakeServed) -> None:
    """A forecast beyond the end is told the price of another day, or that of no day at all."""
    model = make_served(**AHEAD[kind])
    table, lanes, series = forecast_steps(model, STEPS), warm_lanes(model), model.data.series
    lead, reach = model.config.horizon_steps[0], model.config.horizon
    days = pd.date_range(series.timestamps[-1], periods=STEPS + reach + 1)[1:]
    calendar, ahead = (
        calendar_values(days, entries)
        for entries in (model.config.dataset.calendar, model.config.dataset.calendar_ahead)
    )
    known = np.concatenate([series.known_beyond(0)[: len(days)], ahead], axis=1)  # (days, columns)
    run = table.loc[table["part"] == FUTURE, "free_run"].to_numpy()
    for step in range(STEPS - lead):
        told = series.known_beyond(0)[step]
        carried = known[step + 1 : step + reach + 1].ravel()
        row = np.concatenate([[run[step]], told, calendar[step], carried])  # each in the row it belongs to
        forecast = lanes.advance(np.array([0]), row[None])[0, 0, 0]
        assert forecast == pytest.approx(run[step + lead], rel=1e-5)
    assert table["free_run"].notna().all() and "low_80" not in table.columns


@pytest.mark.parametrize(("ahead", "first"), [(0, "2020-02-10"), (STEPS, "2020-02-15")])
def test_what_is_not_known_ahead_is_named_with_its_first_time(ahead: int, first: str, make_served: MakeServed) -> None:
    """A forecast comes out blank, or from a price that was guessed."""
    model = make_served(ahead=ahead, horizon=2, dataset=ALL | {"future": ["b"]})
    with pytest.raises(
        UserError, match=f"nobody knows 'b' at {first}, but steps=5 .* known 6 row.*or give them: future="
    ):
        forecast_steps(model, STEPS)
