"""Lanes that read row by row forecast what the same network forecasts from the whole series."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import UserError
from pipeline.config.schema import Cell, Horizons, LagsAs, Normalise, Order, Skip, Transform
from pipeline.serving.lanes import Lanes, warm_lanes
from pipeline.serving.model import ServedModel

MakeServed = Callable[..., ServedModel]
Expect = Callable[[ServedModel, np.ndarray], np.ndarray]
STATEFUL, ALL = {"stateful": True}, {"horizons": Horizons.all}
FEATURES, OVERLAPPING = {"lags_as": LagsAs.features}, {"order": Order.overlapping}
SEASONAL = {"transforms": [Transform.log, Transform.seasonal_difference, Transform.difference]}
AVERAGE = {"transforms": [Transform.log, Transform.seasonal_average]}
MANY = {"features": ["a", "b", "c"], "targets": ["c", "a"]}
STANDARD = {"normalise": Normalise.window_standard}
PANEL = {"lanes": ["x", "y", "z"]}
KINDS: dict[str, dict[str, Any]] = {
    "many to one": {},
    "horizon": {"horizon": 3},
    "every horizon": {"horizon": 3, "dataset": ALL | SEASONAL},
    "many to many": {"return_sequences": True},
    "lags as features": {"dataset": FEATURES | MANY},
    "several columns": {"dataset": MANY | SEASONAL},
    "target that is no feature": {
        "dataset": {"features": ["b"], "targets": ["a"], "transforms": SEASONAL["transforms"]}
    },
    "gru, two layers": {"model": {"cell": Cell.gru, "units": [3, 2]}},
    "look_back 1": {"look_back": 1},
    "phases": STATEFUL,
    "phases, differences": STATEFUL | {"dataset": SEASONAL | MANY},
    "phases, every horizon": STATEFUL | {"horizon": 3, "dataset": ALL | MANY},
    "phases, many to many": STATEFUL | {"return_sequences": True},
    "phases, lags as features": STATEFUL | {"dataset": FEATURES | SEASONAL},
    "phases, simple rnn": STATEFUL | {"model": {"cell": Cell.simple_rnn, "units": [4, 2]}},
    "phases, gru": STATEFUL | {"model": {"cell": Cell.gru}},
    "overlapping": STATEFUL | {"dataset": OVERLAPPING},
    "overlapping, differences": STATEFUL | {"dataset": OVERLAPPING | SEASONAL},
    "normalised, every horizon": {"horizon": 3, "dataset": ALL | MANY | STANDARD | SEASONAL},
    "normalised, lags as features": {"dataset": FEATURES | MANY | {"normalise": Normalise.window_last}},
    "skip": {"horizon": 3, "dataset": ALL | MANY | STANDARD, "model": {"skip": Skip.linear}},
    "seasonal average": {"horizon": 3, "dataset": ALL | AVERAGE},
    "panel": PANEL | {"dataset": SEASONAL},
    "panel, scaler per lane": PANEL | STATEFUL | {"dataset": {"scaler_per_lane": True} | SEASONAL | MANY},
    "panel, overlapping": PANEL | STATEFUL | {"dataset": OVERLAPPING},
}
kinds = pytest.mark.parametrize("kind", KINDS)


def read_rows(lanes: Lanes, name: str, rows: np.ndarray) -> np.ndarray:
    """Let one lane read rows one by one. Shape (rows, horizon_steps, targets)."""
    number = lanes.numbers[name] if name in lanes.numbers else lanes.open(name)
    return np.concatenate([lanes.advance(np.array([number]), row[None]) for row in rows])


@kinds
def test_rows_one_by_one_are_forecast_like_the_whole_series(kind: str, make_served: MakeServed, expect: Expect) -> None:
    """What a stream prints is not what the network that was scored forecasts."""
    model = make_served(**KINDS[kind])
    series, windows = model.data.series, model.data.windows
    for name, rows in zip(series.series_ids or ("tiny",), series.slices(), strict=True):
        starts = windows.starts[(windows.starts >= rows.start) & (windows.starts < rows.stop)]
        served = read_rows(Lanes(model), name, series.values[rows])
        origins = windows.spec.origins(starts) - rows.start
        np.testing.assert_allclose(served[origins], expect(model, starts), rtol=1e-4, atol=1e-4)
        from_state = (kind.startswith("phases") and "features" not in kind) or kind == "panel, scaler per lane"
        needed = model.data.transformed.lost + (1 if from_state else windows.spec.look_back)
        assert np.isnan(served[: needed - 1]).all()
        assert np.isfinite(served[needed - 1 :]).all()


@kinds
def test_a_warm_start_goes_on_where_reading_everything_would(kind: str, make_served: MakeServed) -> None:
    """start=warm is not the state after the run's history: the first forecasts after a restart are wrong."""
    model = make_served(**KINDS[kind])
    series = model.data.series
    new = np.random.default_rng(1).uniform(1, 9, size=(8, len(series.columns)))
    warm = warm_lanes(model)
    for name, rows in zip(series.series_ids or ("tiny",), series.slices(), strict=True):
        cold = Lanes(model)
        read_rows(cold, name, series.values[rows])
        assert warm.last_values(name) == cold.last_values(name) == series.values[rows][-1].tolist()
        assert warm.consumed[warm.numbers[name]] == rows.stop - rows.start
        expected = read_rows(cold, name, new)
        np.testing.assert_allclose(read_rows(warm, name, new), expected, rtol=1e-4, atol=1e-4)


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_lanes_side_by_side_forecast_what_each_forecasts_alone(
    make_served: MakeServed, kind: str, data: st.DataObject
) -> None:
    """Rows of one lane change the forecasts of another, if only a bit, or the order in which rows arrive does."""
    model = make_served(**KINDS[kind])
    names = model.data.series.series_ids or ("p", "q", "r")
    rows = np.random.default_rng(2).uniform(1, 9, size=(len(names), 9, len(model.data.series.columns)))
    alone = [read_rows(Lanes(model), name, rows[number]) for number, name in enumerate(names)]
    together = Lanes(model, places=1)  # so that it must grow
    for name in names:
        together.open(name)
    done = [0] * len(names)
    while min(done) < 9:
        open_lanes = [number for number in range(len(names)) if done[number] < 9]
        wave = data.draw(st.lists(st.sampled_from(open_lanes), min_size=1, unique=True))
        forecasts = together.advance(np.array(wave), np.stack([rows[number, done[number]] for number in wave]))
        for number, forecast in zip(wave, forecasts, strict=True):
            np.testing.assert_array_equal(forecast, alone[number][done[number]])
            done[number] += 1


@pytest.mark.parametrize("cell", Cell)
def test_the_bits_of_a_row_do_not_depend_on_its_company(cell: Cell, make_served: MakeServed) -> None:
    """A product of many rows adds in another order than that of one: a lane is forecast something else in a crowd."""
    dataset = {
        "normalise": Normalise.window_standard,
        "horizons": Horizons.all,
        "features": ["a", "b"],
        "targets": ["a", "b"],
    }
    model = make_served(horizon=3, dataset=dataset, model={"cell": cell, "units": [50, 7], "skip": Skip.linear})
    samples = model.data.windows.gather_inputs(model.data.windows.starts)
    together = model.network.answer(samples)
    for count in (1, 2, 3, 5, 16, 17):
        np.testing.assert_array_equal(model.network.answer(samples[4 : 4 + count]), together[4 : 4 + count])


def test_room_for_more_lanes_keeps_what_the_first_remember(make_served: MakeServed) -> None:
    """The seventeenth lane wipes the memory of sixteen others, or half of the memory is room that nobody needs."""
    model = make_served(stateful=True, dataset=SEASONAL)
    rows = np.random.default_rng(3).uniform(1, 9, size=(12, 1))
    lanes = Lanes(model, places=2)
    read_rows(lanes, "first", rows)
    before = [array[0].copy() for array in lanes.arrays]
    for number in range(100):
        lanes.open(f"more {number}")
    for array, kept in zip(lanes.arrays, before, strict=True):
        np.testing.assert_array_equal(array[0], kept)
        assert 101 <= len(array) <= 126
    assert lanes.numbers["more 99"] == 100


def test_a_lane_begins_with_the_memory_of_another(make_served: MakeServed) -> None:
    """A new lane of a run with one series does not begin after its history, or shares its memory from then on."""
    model = make_served(stateful=True)
    lanes = warm_lanes(model)
    lanes.open("new", like="tiny")
    row = np.array([[2.5]])
    first = lanes.advance(np.array([lanes.numbers["new"]]), row)
    np.testing.assert_array_equal(lanes.advance(np.array([lanes.numbers["tiny"]]), row), first)


def test_a_scaler_per_lane_refuses_lanes_it_was_not_fitted_for(make_served: MakeServed) -> None:
    """A lane that the run never saw is scaled by the first lane's numbers, and its forecasts look right."""
    lanes = Lanes(make_served(**PANEL, dataset={"scaler_per_lane": True}))
    with pytest.raises(UserError, match="names the lane 'other', which the run, with a scaler per lane, does not know"):
        lanes.open("other")
    assert lanes.numbers == {}


def test_arrays_of_another_network_are_not_taken_over(make_served: MakeServed) -> None:
    """A state with other units breaks in the middle of a stream, or worse, is broadcast."""
    lanes = Lanes(make_served(stateful=True))
    other = Lanes(make_served(stateful=True, model={"units": [5]}))
    with pytest.raises(UserError, match="does not have the shapes of this model"):
        lanes.restore(["a"], [array[:1] for array in other.arrays])
    with pytest.raises(UserError, match="does not have the shapes of this model"):
        lanes.restore(["a"], [])


def test_an_overflowing_forecast_is_infinite_and_silent(make_served: MakeServed) -> None:
    """One forecast that is too large ends the stream with a warning that is an error, or spoils another lane."""
    model = make_served(dataset={"transforms": [Transform.log, Transform.difference]})
    lanes = Lanes(model)
    both = np.array([lanes.open("wild"), lanes.open("calm")])
    for value in (1e-17, 1e17) * 8:
        forecasts = lanes.advance(both, np.array([[value], [3.0]]))
    alone = read_rows(Lanes(model), "calm", np.full((16, 1), 3.0))
    np.testing.assert_allclose(forecasts[1], alone[-1], rtol=1e-4)


def test_a_target_without_a_past_is_refused(make_served: MakeServed) -> None:
    """A forecast would be brought back to the level of another column."""
    dataset = {"features": ["b"], "targets": ["a"], "normalise": Normalise.window_last}
    with pytest.raises(UserError, match=r"where the past of a target lies, but a is none of .*dataset.features=\["):
        make_served(dataset=dataset)
