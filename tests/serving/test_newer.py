"""Rows that arrived since a run ended: forecast to the bit as a stream forecasts them, scored alike for all runs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import HeadName, Horizons, Missing, Transform
from pipeline.evaluation.conformal import Conformal
from pipeline.serving.follow import follow_run, measure_followed
from pipeline.serving.model import ServedModel, make_model
from pipeline.serving.rows import needed_columns
from pipeline.serving.stream import Stream

MakeServed = Callable[..., ServedModel]
ROWS = 9  # that arrive in each lane
TWO_AHEAD = {"horizon": 2, "dataset": {"horizons": Horizons.all, "transforms": [Transform.difference]}}
SHAPES: dict[str, dict[str, Any]] = {
    "stateless": {"dataset": {"features": ["b"], "targets": ["a"]}},
    "stateful": {"stateful": True, "dataset": {"transforms": [Transform.log, Transform.seasonal_difference]}},
    "two ahead": TWO_AHEAD,
    "far ahead": {"horizon": 4},
    "calendar": {"dataset": {"calendar": ["day_of_week", "day_of_year"], "transforms": [Transform.log]}},
    "known ahead": {
        "stateful": True,
        "horizon": 2,
        "dataset": {"horizons": Horizons.all, "calendar": ["day_of_week"], "future": ["day_of_week", "b"]},
    },
    "quantiles": {"horizon": 2, "dataset": {"horizons": Horizons.all}, "model": {"head": HeadName.quantile}},
    "panel": {"lanes": ["y", "x"], "stateful": True, "dataset": {"scaler_per_lane": True}},
}


def arrive(model: ServedModel, rows: int = ROWS, seed: int = 3) -> pd.DataFrame:
    """Rows after the end of each lane, as a file of the run's dataset would hold them."""
    series, random = model.data.series, np.random.default_rng(seed)
    plain = [name for name in series.columns if name not in series.computed]
    tables = []
    for lane, old in enumerate(series.slices()):
        count = rows + lane  # lanes do not end together
        days = pd.date_range(series.timestamps[old.stop - 1], periods=count + 1)[1:]
        table = pd.DataFrame(random.uniform(1, 9, size=(count, len(plain))), columns=plain)
        for place, name in enumerate(series.future_told):
            table[name] = series.known_beyond(lane)[:count, place]  # as it was known
        table.insert(0, "day", days)
        if series.series_ids:
            table.insert(0, "lane", series.series_ids[lane])
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def sure(model: ServedModel) -> ServedModel:
    """The same with intervals, which have learnt something."""
    series, steps = model.data.series, model.data.windows.spec.horizon_steps
    count, quantiles = max(1, len(series.series_ids)), bool(model.data.head.levels)
    learnt = Conformal.begin([0.8], steps, count, len(series.targets), quantiles)
    learnt.errors[:] = np.random.default_rng(1).uniform(1, 2, size=learnt.errors.shape)
    return replace(model, conformal=learnt)


def seeds_of(model: ServedModel, count: int = 2) -> list[ServedModel]:
    weights = [[array * (1 + seed / 3) for array in model.weights] for seed in range(1, count)]
    others = [make_model(model.config, model.data, seed, each) for seed, each in enumerate(weights, start=1)]
    return [sure(replace(model, seed=0)), *others]


def stream(model: ServedModel, table: pd.DataFrame) -> dict[tuple[str, pd.Timestamp], np.ndarray]:
    """What `python -m pipeline.stream` answers to the rows, by lane and timestamp."""
    needed, table = needed_columns(model.config, model.data.series), table.copy()
    for name in [each for each in needed if "+" in each]:
        column, step = name.split("+")
        table[name] = table[column].shift(-int(step))
    cells = table.map(lambda cell: repr(float(cell)) if isinstance(cell, float) else str(cell)).replace("nan", "")
    told: list[str] = []
    one = Stream(model, True, told.append)
    lines = [",".join(row) for row in [list(cells.columns), *cells.to_numpy().tolist()]]
    found = {(row.lane, pd.Timestamp(row.timestamp)): numbers.copy() for row, numbers in one.answer(lines)}
    assert all("must be known ahead" in each for each in told)
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_the_forecasts_are_those_of_a_stream_to_the_bit(shape: str, make_served: MakeServed) -> None:
    """A run is judged on rows that arrived by forecasts that nobody was served."""
    model = make_served(**SHAPES[shape])
    table = arrive(model)
    models = seeds_of(model)
    found = follow_run(models, 0, table)
    width = len(model.output_names())
    levels, targets = len(model.data.head.levels), len(model.data.series.targets)
    compared = 0
    for place, each in enumerate(models):
        for (lane, time), numbers in stream(each, table).items():
            name = lane if model.data.series.series_ids else ""
            origin = int(np.flatnonzero((found.lanes == name) & (found.timestamps == time))[0])
            for position, ahead in enumerate(found.steps):
                row = origin + ahead
                if row >= len(found.lanes) or found.lanes[row] != name:
                    continue
                points = found.truth.head.points(found.answers[place])[row, position]
                columns = slice(position * targets, (position + 1) * targets)
                np.testing.assert_array_equal(points, numbers[:width][columns])
                if place == 0:
                    assert found.bounds is not None
                    middle, radius = found.bounds.centres[row, position], found.bounds.radii[row, position, :, 0]
                    low, high = numbers[width : 2 * width], numbers[2 * width : 3 * width]
                    np.testing.assert_array_equal([middle - radius, middle + radius], [low[columns], high[columns]])
                if levels:
                    quantiles = numbers[-width * levels :].reshape(levels, -1)[:, columns].T
                    np.testing.assert_array_equal(found.answers[place][row, position], quantiles)
                compared += 1
    assert compared >= 2 * (ROWS - max(found.steps)) * len(found.steps) * len(found.truth.slices)
    first = found.truth.parts["test"].argmax()
    assert np.isfinite(found.answers[:, first]).all()  # made at the end of the history


def test_only_rows_after_the_end_of_both_runs_are_scored(make_served: MakeServed) -> None:
    """A run is compared on rows that one of the two was trained on, or two runs on other rows."""
    short, long = make_served(), make_served(rows=43, seed=6)  # three more rows of history
    series = long.data.series
    table = arrive(long)
    between = pd.DataFrame({"day": series.timestamps[40:], "a": series.values[40:, 0]})
    whole = pd.concat([between, table], ignore_index=True)
    with pytest.raises(UserError, match="there is no row after the end of all the runs' data"):
        measure_followed([follow_run([short], 0, between)], series.timestamps[-1].value / 1000)
    alone = measure_followed([follow_run([short], 0, whole)])[0]
    assert alone.errors.shape == (1, 3 + ROWS, 1, 1)
    mine, theirs = measure_followed([follow_run(seeds_of(short), 0, whole), follow_run([long], 0, table)])
    assert (mine.rows, mine.span) == (theirs.rows, theirs.span)
    assert mine.span == f"{ROWS} timestamps from 2020-02-13 to 2020-02-21, a, 1 ahead"
    assert (mine.errors.shape, theirs.errors.shape) == ((2, ROWS, 1, 1), (1, ROWS, 1, 1))
    np.testing.assert_array_equal(mine.errors[:1], alone.errors[:, 3:])
    repeated = np.concatenate([series.values[-1:, 0], table["a"][:-1]]) - table["a"]
    np.testing.assert_allclose(theirs.baselines["persistence"][:, 0, 0], repeated)
    season = np.concatenate([series.values[-3:, 0], table["a"][:-3]]) - table["a"]  # dataset.period=3
    np.testing.assert_allclose(mine.baselines["seasonal"][:, 0, 0], season)


def test_lanes_are_compared_by_their_names(make_served: MakeServed) -> None:
    """The errors of one lane are set against those of another, because a run read them in another order."""
    model = make_served(lanes=["x", "y"])
    found = follow_run([model], 0, arrive(model))
    order = np.concatenate([np.arange(rows.start, rows.stop) for rows in found.truth.slices[::-1]])
    truth = replace(
        found.truth,
        actual=found.truth.actual[order],
        scorable=found.truth.scorable[order],
        parts={name: part[order] for name, part in found.truth.parts.items()},
    )
    other = replace(
        found,
        truth=truth,
        timestamps=found.timestamps[order],
        lanes=found.lanes[order],
        answers=found.answers[:, order],
        baselines={name: each[order] for name, each in found.baselines.items()},
    )
    mine, theirs = measure_followed([found, other])
    assert mine.errors.shape[1] == 2 * ROWS + 1 - 3  # those of one lane before the other ends are none of them
    np.testing.assert_array_equal(mine.errors, theirs.errors)
    with pytest.raises(UserError, match="other lanes: x, y and x, z; compare runs that forecast the same"):
        measure_followed([found, replace(found, lanes=np.where(found.lanes == "y", "z", "x"))])
    with pytest.raises(UserError, match="other values of the same file"):
        measure_followed([found, replace(found, truth=replace(found.truth, actual=found.truth.actual + 1))])
    with pytest.raises(UserError, match="other timestamps of the same file"):
        measure_followed([found, replace(found, timestamps=found.timestamps + pd.Timedelta(1, "h"))])


def test_what_a_person_should_know_of_the_file_is_noted(make_served: MakeServed) -> None:
    """Rows that were changed since the training, or lanes that nobody knows, pass for what the runs were served."""
    model = make_served(lanes=["x", "y"])
    old = model.data.series.slices()[0]
    history = pd.DataFrame({"day": model.data.series.timestamps[old], "a": model.data.series.values[old, 0]})
    new = arrive(model)
    strange = new[new["lane"] == "x"].assign(lane="z")
    table = pd.concat([history.assign(lane="x", a=history["a"] + (history.index == 5)), new, strange])
    found = follow_run([model], 0, table)
    assert found.notes == (
        "1 row(s) of data up to the end of the run's data are not those that the run was trained on",
        "the lane(s) z are none of the run's and are left out",
    )
    alone = follow_run([model], 0, new)
    np.testing.assert_array_equal(found.answers, alone.answers)
    assert alone.notes == ()


def test_numbered_rows_must_begin_with_the_history(make_served: MakeServed) -> None:
    """Without timestamps old rows are taken for new ones."""
    model = make_served(dataset={"time_column": None}, timestamps=pd.RangeIndex(40))
    old, new = model.data.series.values[:, 0], np.arange(1.0, 6.0)
    found = follow_run([model], 0, pd.DataFrame({"a": [*old, *new]}))
    np.testing.assert_array_equal(found.truth.actual[found.truth.parts["test"], 0], new)
    with pytest.raises(UserError, match="does not begin with the rows that the run was trained on"):
        follow_run([model], 0, pd.DataFrame({"a": [*old[1:], *new]}))
    with pytest.raises(UserError, match="holds no row after 39, where the run's data end"):
        follow_run([model], 0, pd.DataFrame({"a": old}))


FAULTS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], dict[str, Any], str]] = {
    "nothing new": (lambda table: table.iloc[:0].assign(day=[], a=[]), {}, "holds no rows"),
    "too late": (lambda table: table.iloc[2:], {}, r"begins at 2020-02-12.*, 2 row\(s\) too late"),
    "no column": (lambda table: table.drop(columns="a"), {}, "names the column 'a'"),
    "no date": (lambda table: table.assign(day="soon"), {}, "day"),
    "no logarithm": (lambda table: table.assign(a=-1.0), {"transforms": [Transform.log]}, "has no logarithm"),
    "a hole": (
        lambda table: table.assign(a=table["a"].where(table.index != 3)),
        {"missing": Missing.interpolate},
        "which nobody knows when the row comes",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_followed_is_said(fault: str, make_served: MakeServed) -> None:
    """Runs are compared on rows that they could not have been served, or a traceback says what is wrong with a file."""
    spoil, dataset, told = FAULTS[fault]
    model = make_served(dataset=dataset)
    with pytest.raises(UserError, match=told):
        follow_run([model], 0, spoil(arrive(model)))
