"""What became of the forecasts of served lanes: errors beside those of baselines, alarms, inputs never seen."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import Horizons, Transform
from pipeline.serving.lanes import answer_last
from pipeline.serving.model import ServedModel
from pipeline.serving.state_file import load_state, save_state
from pipeline.serving.stream import Stream

MakeServed = Callable[..., ServedModel]
PERIOD = 3
LOGGED = {"transforms": [Transform.log, Transform.difference]}


def make_lines(model: ServedModel, rows: int, lane: str = "tiny", high: float = 9.0, seed: int = 0) -> list[str]:
    """Return rows after the history, without a header."""
    rows_of = dict(zip(model.data.series.series_ids or ("tiny",), model.data.series.slices(), strict=True))
    last = model.data.series.timestamps[rows_of[lane].stop - 1]
    days = pd.date_range(last, periods=rows + 1)[1:]
    values = np.random.default_rng(seed).uniform(1, high, rows)
    return [f"{lane},{day:%Y-%m-%d},{value!r}" for day, value in zip(days, values.tolist(), strict=True)]


def open_stream(model: ServedModel, warm: bool = True) -> tuple[Stream, list[str]]:
    said: list[str] = []
    stream = Stream(model, warm, said.append)
    list(stream.answer(["lane,day,a"]))
    return stream, said


def facts(stream: Stream, lane: str = "tiny") -> dict[str, Any]:
    found = stream.book.drift_of(lane)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {"stateful": True, "dataset": LOGGED},
        {"horizon": 2},
        {"horizon": 4, "dataset": {"horizons": Horizons.all}},
    ],
    ids=["carried state, logarithms", "two ahead", "all of four"],
)
def test_errors_are_those_of_the_forecasts_that_were_answered(make_served: MakeServed, changes: dict[str, Any]) -> None:
    """The error that is told since the training is that of other rows, or of a baseline that knew too much."""
    model = make_served(**changes)
    stream, _ = open_stream(model)
    lines = make_lines(model, 12)
    answers = [float(numbers[0]) for _, numbers in stream.answer(lines)]
    ahead = model.data.windows.spec.horizon_steps[0]
    before = model.data.head.points(answer_last(model))[-ahead:, 0, 0, 0]
    history = model.data.series.actual()[:, 0].tolist()
    values = pd.Series([*history, *(float(line.rpartition(",")[2]) for line in lines)])
    errors = {
        "rmse": values[-12:].to_numpy() - [*before, *answers][:12],
        "rmse_persistence": (values - values.shift(ahead))[-12:],
        "rmse_seasonal": (values - values.shift(PERIOD * -(-ahead // PERIOD)))[-12:],
    }
    found = facts(stream)
    assert found["rows"] == 12
    for name, each in errors.items():
        assert found[name]["a"] == pytest.approx(np.sqrt(np.mean(np.square(each)))), name


def test_errors_before_are_those_of_the_validation_and_test_parts(make_served: MakeServed) -> None:
    """An alarm compares with errors that the run never made."""
    for stateful in (True, False):
        model = make_served(stateful=stateful)
        stream, _ = open_stream(model, warm=False)
        split = model.data.split
        values, day = model.data.series.actual()[:, 0].tolist(), model.data.series.timestamps
        rows = [f"tiny,{day[row]:%Y-%m-%d},{value!r}" for row, value in enumerate(values)]
        forecasts = [np.nan, *[float(numbers[0]) for _, numbers in stream.answer(rows)]][:-1]
        judged = split.rows("validation") | split.rows("test")
        errors = (np.array(values) - forecasts)[judged]
        assert facts(stream)["rows_before"] == judged.sum()
        assert facts(stream)["rmse_before"]["a"] == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-5)


def test_lanes_that_come_together_drift_as_each_alone(make_served: MakeServed) -> None:
    """What is told of a lane depends on which rows of others came in the same moment."""
    model = make_served(lanes=("x", "y"), rows=60)
    each = {lane: make_lines(model, 20, lane, seed=seed) for seed, lane in enumerate(("x", "y"))}
    together, _ = open_stream(model)
    list(together.answer(list(itertools.chain(*zip(*each.values(), strict=True)))))
    for lane, lines in each.items():
        alone, _ = open_stream(model)
        list(alone.answer(lines))
        assert facts(together, lane) == facts(alone, lane)
    list(together.answer(["new,2020-03-01,4", "new,2020-03-02,5", "new,2020-03-03,6"]))
    assert (facts(together, "new")["rows_before"], facts(together, "new")["rmse_before"]["a"]) == (0, None)
    totals = together.book.drift_of_all()
    assert totals is not None and totals["rows"] == 40


def test_an_alarm_is_told_once_and_ends(make_served: MakeServed) -> None:
    """A forecast that went wrong is told with every row, or never, or stays wrong for ever."""
    model = make_served(rows=200)
    stream, said = open_stream(model)
    list(stream.answer(make_lines(model, 40)))
    assert said == []
    lines = make_lines(model, 100, high=60.0)[40:]
    for line in lines:
        list(stream.answer([line]))
    found = facts(stream)
    assert found["alarm"] in ("forecasts are too low", "errors are too large")
    (told,) = said
    assert told.startswith(f"drift (lane tiny, {found['alarm_since']}): {found['alarm']}; RMSE ")
    assert (found["alarms"], stream.book.alarms) == (1, 1)
    assert lines[0].split(",")[1] <= found["alarm_since"] <= lines[25].split(",")[1]
    assert found["out_of_range"]["rows"] == found["out_of_range"]["inputs"]["a"] > 30
    list(stream.answer(make_lines(model, 340)[100:]))
    assert (facts(stream)["alarm_since"], facts(stream)["alarms"]) == (None, 1)


def test_a_state_file_keeps_what_is_known_and_one_without_it_loads(make_served: MakeServed, tmp_path: Path) -> None:
    """After a stop the errors begin at zero, or a file of an older version can no longer be read."""
    model, path = make_served(stateful=True, dataset=LOGGED), tmp_path / "state"
    lines = make_lines(model, 10)
    whole, first = open_stream(model)[0], open_stream(model)[0]
    list(whole.answer(lines))
    list(first.answer(lines[:5]))
    first.book.save(path)
    second, again = open_stream(model)[0], open_stream(model)[0]
    second.book.resume(path)
    list(second.answer(lines[5:]))
    assert facts(second) == facts(whole)
    save_state(path, model.digest, replace(load_state(path, None), drift=()))
    again.book.resume(path)
    list(again.answer(lines[5:]))
    assert facts(again)["rows"] == 5 - PERIOD  # the past of the seasonal forecast is gone


def test_a_lane_takes_over_no_errors_that_are_none(make_served: MakeServed) -> None:
    """A state from outside stops the service at the next row."""
    model = make_served()
    stream, _ = open_stream(model)
    list(stream.answer(make_lines(model, 3)))
    state = stream.book.remember_lane("tiny")
    for bad in (np.nan, -1.0, 1e300):
        numbers, *rings = (each.copy() for each in state.drift)
        numbers[0, 0] = bad
        with pytest.raises(UserError, match="errors of this model"):
            stream.book.put_lane(replace(state, drift=[numbers, *rings]))
        numbers, *rings = (each.copy() for each in state.drift)
        numbers[0, 4] = 1e30  # when an alarm began
        with pytest.raises(UserError, match="no timestamp"):
            stream.book.put_lane(replace(state, drift=[numbers, *rings]))
    stream.book.put_lane(replace(state, drift=()))
    assert facts(stream)["rows"] == 0
    stream.book.put_lane(state)
    assert facts(stream)["rows"] == 3
