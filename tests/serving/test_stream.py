"""Streams in one process: every row answered, every bad row told, no lane touched by another, stop and resume."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import UserError
from pipeline.config.schema import (
    Config,
    Cycle,
    DatasetConfig,
    HeadName,
    Horizons,
    Missing,
    ModelConfig,
    Source,
    Transform,
    Unseen,
)
from pipeline.data.dates import TimeReading
from pipeline.data.prepare import prepare_data
from pipeline.data.sources import load_series
from pipeline.models.plan import plan_layers
from pipeline.serving.frames import FrameForecaster
from pipeline.serving.free_run import FUTURE, forecast_steps
from pipeline.serving.gates import choose_excerpt, look_at_network
from pipeline.serving.model import ServedModel, make_model
from pipeline.serving.packed import pack_model, unpack_model
from pipeline.serving.rows import RowError
from pipeline.serving.stream import Stream
from pipeline.serving.windows import forecast_windows

MakeServed = Callable[..., ServedModel]
Answers = list[tuple[str, str, list[float]]]
DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2020-02-10", periods=30)]  # the day after the history of 40 rows
HISTORY = pd.date_range("2020-01-01", "2020-02-09")
DIFFERENCES = {"transforms": [Transform.log, Transform.seasonal_difference]}


class Recorder:
    """A stream whose complaints are kept."""

    def __init__(self, model: ServedModel, warm: bool = False) -> None:
        self.complaints: list[str] = []
        self.stream = Stream(model, warm, self.complaints.append)

    def read(self, *lines: str) -> Answers:
        return [(row.lane, row.timestamp, forecast.tolist()) for row, forecast in self.stream.answer(lines)]


def make_rows(lane: str = "", count: int = 30, seed: int = 0) -> list[str]:
    values = np.random.default_rng(seed).uniform(1, 9, size=count)
    return [f"{lane + ',' if lane else ''}{day},{value:.3f}" for day, value in zip(DAYS, values, strict=False)]


AUTUMN = pd.date_range("2024-10-26T20:00", periods=20, freq="30min", tz="UTC").tz_convert("Europe/Berlin")
LOCAL = [f"{moment:%Y-%m-%d %H:%M}" for moment in AUTUMN]  # 02:00 and 02:30 come twice: places 8 to 11


@pytest.fixture(scope="module")
def zoned(make_served: MakeServed) -> ServedModel:
    """A model of local times: its history ends half an hour before AUTUMN."""
    served = make_served(stateful=True, timestamps=pd.date_range(end=AUTUMN[0], periods=41, freq="30min")[:40])
    series = replace(served.data.series, reading=TimeReading(zone="Europe/Berlin"))
    return replace(served, data=replace(served.data, series=series))


def local_rows(lane: str, seed: int = 0, count: int = len(LOCAL)) -> list[str]:
    values = np.random.default_rng(seed).uniform(1, 9, size=len(LOCAL))
    return [f"{lane},{time},{value:.3f}" for time, value in zip(LOCAL, values, strict=True)][:count]


@pytest.fixture(scope="module")
def model(make_served: MakeServed) -> ServedModel:
    return make_served(stateful=True, dataset=DIFFERENCES)


def assert_same(answers: Answers, expected: Answers) -> None:
    assert [answer[:2] for answer in answers] == [answer[:2] for answer in expected]
    np.testing.assert_allclose([answer[2] for answer in answers], [answer[2] for answer in expected], rtol=1e-5)


@pytest.mark.parametrize(
    ("stateful", "future"), [(False, []), (True, []), (False, ["day_of_month"]), (True, ["holiday:DE", "day_of_week"])]
)
def test_the_calendar_of_a_row_is_computed(stateful: bool, future: list[str], make_served: MakeServed) -> None:
    """A stream of a run with dataset.calendar forecasts something else than its predictions, or asks for columns."""
    calendar = [Cycle.day_of_week, Cycle.day_of_month, "holiday:DE"]
    dataset = {"calendar": calendar, "future": future, "transforms": [Transform.log, Transform.difference]}
    model = make_served(stateful=stateful, dataset=dataset)
    series, windows = model.data.series, model.data.windows
    days = [f"{day:%Y-%m-%d}" for day in series.timestamps]
    rows = [f"{day},{float(value)!r}" for day, value in zip(days, series.values[:, 0], strict=True)]
    answered = {time: forecast for _, time, (forecast,) in Recorder(model).read("day,a", *rows)}
    outputs = forecast_windows(model.config, windows, model.network)
    expected = model.data.in_units(outputs, windows.starts)[:, 0, 0]
    found = [answered[days[origin]] for origin in windows.spec.origins(windows.starts)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_free_run_knows_the_dates_ahead(make_served: MakeServed) -> None:
    """A forecast beyond the end is fed with the calendar of another day, or with none."""
    model = make_served(dataset={"calendar": [Cycle.day_of_week, Cycle.day_of_year]})
    table = forecast_steps(model, 5)
    future = table.loc[table["part"] == FUTURE, "free_run"].tolist()
    recorder = Recorder(model, warm=True)
    recorder.read("day,a")
    for day, fed, expected in zip(DAYS, future, future[1:], strict=False):
        ((_, _, (forecast,)),) = recorder.read(f"{day},{fed!r}")
        assert forecast == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(table["free_run"]).all()


def test_a_row_is_answered_with_lane_timestamp_and_forecast(model: ServedModel) -> None:
    """A row is not answered, or with the timestamp of another."""
    recorder = Recorder(model, warm=True)
    assert recorder.read("day,a") == []
    for line, day in zip(make_rows(), DAYS, strict=True):
        ((lane, timestamp, (forecast,)),) = recorder.read(line)
        assert (lane, timestamp) == ("tiny", day)
        assert np.isfinite(forecast)
    assert recorder.complaints == []
    assert recorder.stream.book.consumed == {"tiny": 30}


def test_a_cold_lane_answers_with_nothing_until_it_knows_enough(model: ServedModel) -> None:
    """A forecast is made up before there is a past, or the row goes without an answer."""
    answers = Recorder(model).read("day,a", *make_rows())
    known = [not np.isnan(forecast) for _, _, (forecast,) in answers]
    assert known == [False] * 3 + [True] * 27  # a season of 3


def test_blank_lines_before_and_between_are_passed_over(model: ServedModel) -> None:
    """A blank line is taken for the header, or complained about."""
    recorder = Recorder(model)
    rows = make_rows(count=5)
    answers = recorder.read("", "  ", "day,a", rows[0], "", rows[1], *rows[2:])
    assert_same(answers, Recorder(model).read("day,a", *rows))
    assert recorder.complaints == []
    recorder.read("x")
    assert recorder.complaints == ["line 10 has 1 cells, but the header has 2: skipped"]


def test_columns_of_the_answer_are_named(make_served: MakeServed) -> None:
    """Nobody can tell which column forecasts which target, or which step."""
    many = {"features": ["a", "b"], "targets": ["b", "a"]}
    steps = {"horizons": Horizons.all}

    def names(**changes: object) -> list[str]:
        return Recorder(make_served(**changes)).stream.book.output_names()

    assert names() == ["forecast"]
    assert names(dataset=many) == ["forecast.b", "forecast.a"]
    assert names(horizon=2, dataset=steps) == ["forecast_1", "forecast_2"]
    sure = {"head": HeadName.quantile, "quantiles": [0.1, 0.5, 0.9]}
    assert names(model=sure, dataset=many)[2:] == [
        f"quantile_{level}.{target}" for level in (0.1, 0.5, 0.9) for target in "ba"
    ]
    assert names(horizon=2, dataset=steps | many) == ["forecast_1.b", "forecast_1.a", "forecast_2.b", "forecast_2.a"]


BAD = {
    "late": ("x,2020-02-11,5", r"\(lane x, 2020-02-11\) is late: a later one came before: skipped"),
    "repeated": (f"x,{DAYS[9]},5", r"\(lane x, 2020-02-19\) repeats a timestamp: skipped"),
    "no date": ("x,yesterday,5", "has 'yesterday' for a time, which is none like those of the dataset: skipped"),
    "time zone": ("x,2020-03-01T00:00Z,5", "has '2020-03-01T00:00Z' for a time"),
    "no lane": (",2020-03-01,5", "names no lane: skipped"),
    "no number": ("x,2020-03-01,five", "has 'five' in the column 'a', which is not a number: skipped"),
    "nothing": ("x,2020-03-01,", "has no value in the column 'a'"),
    "infinite": ("x,2020-03-01,inf", "has inf in the column 'a', which is too large"),
    "no logarithm": ("x,2020-03-01,0", "has 0 in the column 'a', which has no logarithm"),
    "short": ("x,2020-03-01", "has 2 cells, but the header has 3"),
    "long": ("x,2020-03-01,5,5", "has 4 cells, but the header has 3"),
    "binary": ("\x00\ufffd\x01", "has 1 cells, but the header has 3"),
    "open quote": ('"x,2020-03-01,5', "has 1 cells, but the header has 3"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_row_is_told_once_and_touches_nothing(model: ServedModel, fault: str) -> None:
    """One bad row changes every forecast after it, of its own lane or of another."""
    line, complaint = BAD[fault]
    rows = make_rows("x")
    recorder, clean = Recorder(model), Recorder(model)
    before = recorder.read("lane,day,a", *rows[:10])
    assert recorder.read(line) == []
    assert_same(before + recorder.read(*rows[10:]), clean.read("lane,day,a", *rows))
    assert len(recorder.complaints) == 1
    assert pd.Series(recorder.complaints).str.fullmatch(f"line 12 {complaint}.*").all()
    assert recorder.stream.refused == 1
    assert recorder.stream.book.consumed == {"x": 30}


def test_a_bad_row_in_the_middle_of_a_wave_touches_no_other_lane(model: ServedModel) -> None:
    """Rows that arrived together with a bad one are lost with it."""
    recorder, clean = Recorder(model), Recorder(model)
    x, y = make_rows("x"), make_rows("y", seed=1)
    bad = [line for fault, (line, _) in BAD.items() if fault not in ("late", "repeated")]
    lines = [line for each in zip(x, bad, y, strict=False) for line in each]
    answers = recorder.read("lane,day,a", *lines)
    expected = clean.read("lane,day,a", *[line for pair in zip(x, y, strict=True) for line in pair][: 2 * len(bad)])
    assert_same(answers, expected)
    assert len(recorder.complaints) == len(bad)


def test_a_line_that_is_no_text_is_a_bad_row_and_of_the_header_an_error(model: ServedModel) -> None:
    """A row that cannot be decoded ends in a traceback, or the lines after it are counted wrongly."""
    recorder = Recorder(model)
    rows = make_rows(count=2)
    answers = list(recorder.stream.answer(["day,a", rows[0], RowError("cannot be read as utf-8"), rows[1]]))
    assert [row.timestamp for row, _ in answers] == DAYS[:2]
    assert recorder.complaints == ["line 3 cannot be read as utf-8: skipped"]
    assert recorder.stream.refused == 1
    with pytest.raises(
        UserError, match="the header cannot be read as utf-8; write the rows in the encoding of the run"
    ):
        list(Recorder(model).stream.answer([RowError("cannot be read as utf-8")]))


def test_a_gap_is_told_and_the_row_is_used(model: ServedModel) -> None:
    """Rows are missing and nobody learns of it; or the row after them is thrown away."""
    recorder = Recorder(model, warm=True)
    rows = make_rows()
    answers = recorder.read("day,a", *rows[:3], *rows[5:])
    assert len(answers) == 28
    assert recorder.complaints == [
        "line 5 (lane tiny, 2020-02-15): 2 row(s) are missing before it; the state goes on as if they did not exist"
    ]
    far = Recorder(model, warm=True)
    far.read("day,a", "9999-12-31,5")
    assert "more than 10000 rows are missing before it" in far.complaints[0]
    assert np.isfinite(far.read("9999-12-31T01:00,5")[0][2][0])


def test_rows_of_the_history_are_passed_over_by_a_warm_stream(model: ServedModel) -> None:
    """The whole file is fed again, and the state reads its past twice."""
    recorder = Recorder(model, warm=True)
    series = model.data.series
    old = [f"{day:%Y-%m-%d},{value}" for day, (value,) in zip(series.timestamps, series.values, strict=True)]
    answers = recorder.read("day,a", *old, *make_rows())
    assert_same(answers, Recorder(model, warm=True).read("day,a", *make_rows()))
    assert recorder.complaints == [
        "line 2 (lane tiny, 2020-01-01) was read before this stream began: skipped, as are all such rows"
    ]
    assert recorder.stream.book.skipped == len(series)
    recorder.read("2020-01-05,7")  # later on, such a row is late
    assert "is late" in recorder.complaints[-1]


def test_lanes_of_any_name_begin_after_the_history_of_a_run_with_one_series(model: ServedModel) -> None:
    """Each new lane starts cold although start=warm, or from the state of a lane that has read on."""
    recorder = Recorder(model, warm=True)
    answers = recorder.read("lane,day,a", *make_rows("x"), *make_rows("y"), *make_rows("tiny"))
    expected = [forecast for _, _, forecast in Recorder(model, warm=True).read("day,a", *make_rows())]
    for number in range(3):
        forecasts = [forecast for _, _, forecast in answers[30 * number : 30 * number + 30]]
        np.testing.assert_allclose(forecasts, expected, rtol=1e-5)


def test_lanes_of_a_panel_begin_after_their_own_history_and_new_ones_cold(make_served: MakeServed) -> None:
    """A share continues from the state of another share."""
    panel = make_served(lanes=("x", "y"), stateful=True)
    days = [f"{day:%Y-%m-%d}" for day in pd.date_range("2020-02-13", periods=2)]
    recorder = Recorder(panel, warm=True)
    answers = recorder.read("lane,day,a", *[f"{lane},{day},4" for day in days for lane in ("x", "y", "new")])
    forecasts = {lane: forecast for lane, _, forecast in answers[3:]}
    assert len({tuple(forecast) for forecast in forecasts.values()}) == 3
    cold = Recorder(panel).read("lane,day,a", *[f"new,{day},4" for day in days])
    np.testing.assert_allclose(forecasts["new"], cold[1][2], rtol=1e-5)
    # x ended on 9 February, y on the 12th.
    assert recorder.complaints == [
        "line 2 (lane x, 2020-02-13): 3 row(s) are missing before it; the state goes on as if they did not exist",
        "line 4: unknown lane 'new', none of those the run was trained on: it begins with no history",
    ]


def test_the_answer_of_an_unknown_lane_says_so(make_served: MakeServed) -> None:
    """A lane that is spelled in another way gets empty forecasts without a word; a single series knows no lanes."""
    panel, single = Recorder(make_served(lanes=("007", "x"))), Recorder(make_served())
    assert [panel.stream.book.note_of(lane) for lane in ("007", "7")] == ["", "unknown lane"]
    assert single.stream.book.note_of("7") is None
    panel.read("lane,day,a", *[f"n{number},2020-01-01,1" for number in range(25)])
    assert len(panel.complaints) == 20 and panel.complaints[-1].endswith("further ones are not named")
    assert panel.stream.book.unknown == 25


def test_a_scaler_per_lane_complains_about_every_row_of_a_lane_it_does_not_know(make_served: MakeServed) -> None:
    """After the first complaint the rows of an unknown lane are told to be late, or are used."""
    panel = make_served(lanes=("x", "y"), stateful=True, dataset={"scaler_per_lane": True})
    recorder = Recorder(panel)
    assert recorder.read("lane,day,a", *make_rows("other", count=3)) == []
    assert len(recorder.complaints) == 3
    for complaint in recorder.complaints:
        assert "names the lane 'other', which the run, with a scaler per lane, does not know: skipped" in complaint
    assert recorder.stream.book.consumed == {}


def test_empty_cells_are_filled_from_their_own_lane(make_served: MakeServed) -> None:
    """A missing value is filled with that of another lane, or with one of two rows ago."""
    model = make_served(stateful=True, dataset={"missing": Missing.forward_fill} | DIFFERENCES)
    holes = ["x,2020-02-10,3", "y,2020-02-10,4", "x,2020-02-11,", "y,2020-02-11,", "x,2020-02-12,", "y,2020-02-12,6"]
    whole = ["x,2020-02-10,3", "y,2020-02-10,4", "x,2020-02-11,3", "y,2020-02-11,4", "x,2020-02-12,3", "y,2020-02-12,6"]
    for warm in (True, False):
        filled, expected = Recorder(model, warm), Recorder(model, warm)
        assert_same(filled.read("lane,day,a", *holes), expected.read("lane,day,a", *whole))
        assert filled.complaints == []
    last = float(model.data.series.values[-1, 0])
    first, expected = Recorder(model, warm=True), Recorder(model, warm=True)
    assert_same(first.read("lane,day,a", "x,2020-02-10,"), expected.read("lane,day,a", f"x,2020-02-10,{last}"))
    cold = Recorder(model)
    assert cold.read("lane,day,a", "x,2020-02-10,") == []
    assert cold.complaints == ["line 2 has no value in the column 'a', and nothing came before it: skipped"]


def test_numbered_rows_carry_the_number_that_the_dataset_would_give_them(make_served: MakeServed) -> None:
    """Forecasts of a series without dates cannot be told apart."""
    model = make_served(stateful=True, dataset={"time_column": None}, timestamps=pd.RangeIndex(40))
    warm, cold = Recorder(model, warm=True).read("a", "4", "5"), Recorder(model).read("lane,a", "x,4", "y,4", "x,5")
    assert [answer[:2] for answer in warm] == [("tiny", "40"), ("tiny", "41")]
    assert [answer[:2] for answer in cold] == [("x", "0"), ("y", "0"), ("x", "1")]


@given(st.data())
def test_any_interleaving_gives_what_each_lane_alone_gives(model: ServedModel, data: st.DataObject) -> None:
    """Forecasts depend on what happens to arrive together."""
    each = {lane: make_rows(lane, count=8, seed=number) for number, lane in enumerate("pqrs")}
    alone = {lane: Recorder(model).read("lane,day,a", *rows) for lane, rows in each.items()}
    turns = data.draw(st.permutations([lane for lane in each for _ in range(8)]))
    waiting = {lane: iter(rows) for lane, rows in each.items()}
    lines = ["lane,day,a", *[next(waiting[lane]) for lane in turns]]
    recorder, answers = Recorder(model), []
    while lines:
        count = data.draw(st.integers(1, len(lines)))
        answers += recorder.read(*lines[:count])
        lines = lines[count:]
    assert [lane for lane, _, _ in answers] == turns
    for lane in each:
        assert_same([answer for answer in answers if answer[0] == lane], alone[lane])
    assert recorder.complaints == []


@given(st.booleans(), st.integers(0, 24), st.integers(0, 24))
def test_stop_and_resume_equals_never_stopping(
    model: ServedModel, tmp_path_factory: pytest.TempPathFactory, warm: bool, stopped: int, replayed: int
) -> None:
    """A restart changes the forecasts after it; rows that are sent again are read twice."""
    path = tmp_path_factory.getbasetemp() / "resumed.npz"
    x, y, z = (make_rows(lane, count=8, seed=number) for number, lane in enumerate("xyz"))
    lines = [*x[:2], *[line for pair in zip(x[2:], y, strict=False) for line in pair], *y[6:], *z]
    never = Recorder(model, warm).read("lane,day,a", *lines)
    first = Recorder(model, warm)
    answers = first.read("lane,day,a", *lines[:stopped])
    first.stream.book.save(path)
    second = Recorder(model, warm=not warm)  # the file decides, not how the new stream would begin
    second.stream.book.resume(path)
    assert second.stream.book.consumed == first.stream.book.consumed
    answers += second.read("lane,day,a", *lines[min(stopped, replayed) :])
    assert_same(answers, never)
    assert second.stream.book.skipped == stopped - min(stopped, replayed)
    assert second.stream.refused == 0


@given(st.booleans(), st.data())
def test_the_hour_that_comes_twice_is_read_in_the_order_of_each_lane(
    zoned: ServedModel, warm: bool, data: st.DataObject
) -> None:
    """In autumn an hour of rows is refused as repeated, or a lane takes its winter for the summer of another."""
    each = {lane: local_rows(lane, seed=number) for number, lane in enumerate("pq")}
    turns = data.draw(st.permutations([lane for lane in each for _ in LOCAL]))
    waiting = {lane: iter(rows) for lane, rows in each.items()}
    recorder = Recorder(zoned, warm)
    answers = recorder.read("lane,day,a", *[next(waiting[lane]) for lane in turns])
    assert [lane for lane, _, _ in answers] == turns
    (told,) = recorder.complaints  # once for all lanes
    assert "comes twice in autumn and is read as the second, winter's" in told
    for lane in each:
        assert [time for name, time, _ in answers if name == lane] == LOCAL


def test_a_local_time_that_comes_a_third_time_is_a_repetition(zoned: ServedModel) -> None:
    """A row that was sent twice is read twice, because its time is one of those that come twice."""
    rows = local_rows("x")
    recorder, clean = Recorder(zoned), Recorder(zoned)
    answers = recorder.read("lane,day,a", *rows[:12], rows[11], rows[8], rows[7], *rows[12:], rows[8])
    assert_same(answers, clean.read("lane,day,a", *rows))
    faults = ["02:30) repeats a timestamp", "02:00) is late", "01:30) is late", "02:00) is late"]
    assert len(recorder.complaints) == 1 + len(faults)
    assert all(fault in told for fault, told in zip(faults, recorder.complaints[1:], strict=True))
    assert recorder.stream.refused == 4


@pytest.mark.parametrize(
    ("stopped", "again"),
    [
        *((stopped, 0) for stopped in range(len(LOCAL))),
        *((stopped, stopped) for stopped in range(len(LOCAL))),
        # Where rows are sent again from such an hour on, nobody can say which of two the first one is.
        *((stopped, stopped - 4) for stopped in range(4, len(LOCAL)) if not 8 <= stopped - 4 < 12),
    ],
)
def test_a_restart_in_the_hour_that_comes_twice(zoned: ServedModel, tmp_path: Path, stopped: int, again: int) -> None:
    """After a restart in an autumn night rows are read twice, or new ones are skipped as known."""
    x, y = local_rows("x"), local_rows("y", seed=1)
    expected = Recorder(zoned, warm=True).read("lane,day,a", *x, *y)
    first, second = Recorder(zoned, warm=True), Recorder(zoned)
    answers = first.read("lane,day,a", *x[:stopped])
    first.stream.book.save(tmp_path / "state")
    second.stream.book.resume(tmp_path / "state")
    answers += second.read("lane,day,a", *x[again:], *y)
    assert_same(answers, expected)
    assert (second.stream.book.skipped, second.stream.refused) == (stopped - again, 0)


def test_a_lane_that_is_new_after_a_resume_begins_as_before(model: ServedModel, tmp_path: Path) -> None:
    """After a restart new lanes begin cold although the stream was started warm."""
    first, second = Recorder(model, warm=True), Recorder(model, warm=True)
    first.read("lane,day,a", *make_rows("x"))
    first.stream.book.save(tmp_path / "state")
    second.stream.book.resume(tmp_path / "state")
    expected = Recorder(model, warm=True).read("lane,day,a", *make_rows("y"))
    assert_same(second.read("lane,day,a", *make_rows("y")), expected)


def test_values_to_fill_with_survive_a_restart(make_served: MakeServed, tmp_path: Path) -> None:
    """The first empty cell after a restart is refused, or filled with a value of the history."""
    model = make_served(stateful=True, dataset={"missing": Missing.forward_fill})
    first, second = Recorder(model, warm=True), Recorder(model, warm=True)
    first.read("day,a", *make_rows(count=4))
    first.stream.book.save(tmp_path / "state")
    second.stream.book.resume(tmp_path / "state")
    assert_same(second.read("day,a", f"{DAYS[4]},"), first.read(f"{DAYS[4]},"))


def test_numbered_rows_resume_where_the_file_says(make_served: MakeServed, tmp_path: Path) -> None:
    """Nobody can tell from which row to replay a series without dates."""
    model = make_served(stateful=True, dataset={"time_column": None}, timestamps=pd.RangeIndex(40))
    rows = [line.split(",")[1] for line in make_rows()]
    first, second = Recorder(model), Recorder(model)
    first.read("a", *rows[:11])
    first.stream.book.save(tmp_path / "state")
    second.stream.book.resume(tmp_path / "state")
    assert second.stream.book.consumed == {"tiny": 11}
    expected = Recorder(model).read("a", *rows)
    assert_same(second.read("a", *rows[second.stream.book.consumed["tiny"] :]), expected[11:])


def test_the_state_of_another_model_is_refused(model: ServedModel, make_served: MakeServed, tmp_path: Path) -> None:
    """A stream goes on with the state of another network."""
    first = Recorder(model)
    first.read("day,a", *make_rows())
    first.stream.book.save(tmp_path / "state")
    with pytest.raises(UserError, match="belongs to another model"):
        Recorder(make_served(stateful=True, dataset=DIFFERENCES, seed=6)).stream.book.resume(tmp_path / "state")


def test_a_wrong_header_ends_the_stream(model: ServedModel) -> None:
    """Rows of another file are complained about one by one, for ever."""
    recorder = Recorder(model)
    with pytest.raises(UserError, match=r"the rows need the column\(s\) a"):
        recorder.read("day,b", "2020-01-01,1")
    assert not recorder.stream.has_header


def test_ten_thousand_lanes_are_served(model: ServedModel, tmp_path: Path) -> None:
    """The memory of lanes is copied for each new one, or each row searches through all of them."""
    recorder = Recorder(model)
    lines: Sequence[str] = [f"lane {number},{day},{number % 7 + 1}" for day in DAYS[:5] for number in range(10_000)]
    answers = recorder.read("lane,day,a", *lines)
    assert len(answers) == 50_000
    by_value = {}
    for lane, day, (forecast,) in answers[-10_000:]:
        by_value.setdefault(int(lane.split()[1]) % 7, []).append(forecast)
        assert day == DAYS[4]
    for forecasts in by_value.values():
        np.testing.assert_allclose(forecasts, forecasts[0], rtol=1e-5)
    recorder.stream.book.save(tmp_path / "state")
    again = Recorder(model)
    again.stream.book.resume(tmp_path / "state")
    assert len(again.stream.book.consumed) == 10_000


def test_rows_that_arrive_bring_what_is_known_of_the_next_ones(make_served: MakeServed) -> None:
    """A stream is answered from the prices of other days, or takes the last known one for one that nobody gave."""
    model = make_served(stateful=True, dataset={"future": ["b"], "missing": Missing.forward_fill})
    series, stream = model.data.series, Recorder(model, warm=True)
    table = forecast_steps(model, 3)
    run = table.loc[table["part"] == FUTURE, "free_run"].to_numpy()
    known = series.known_beyond(0)[:, 0]
    rows = [f"{DAYS[step]},{run[step]},{known[step]},{known[step + 1]}" for step in range(2)]
    answers = stream.read("day,a,b,b+1", *rows, f"{DAYS[2]},1,1,")
    assert [answer[2][0] for answer in answers] == pytest.approx(run[1:].tolist(), rel=1e-5)
    assert stream.complaints == ["line 4 has no value in the column 'b+1', which must be known ahead: skipped"]
    with pytest.raises(UserError, match=r"the rows need the column.s. b.1, but their header is: day,a,b"):
        Recorder(model).read("day,a,b")
    with pytest.raises(UserError, match="nobody knows 'b' at 2020-02-10, but the stream begins there"):
        Recorder(make_served(ahead=0, dataset={"future": ["b"]}), warm=True)


@pytest.mark.parametrize("unseen", Unseen)
def test_a_category_arrives_as_it_is_written(unseen: Unseen, make_served: MakeServed, tmp_path: Path) -> None:
    """A stream or a table would need columns that no file has, or a value that was never learnt passes for another."""
    file = tmp_path / "ice.csv"
    rows = [f"{day:%Y-%m-%d},{1 + day.day % 7},{['sun', 'rain', 'fog'][day.day % 3]}" for day in HISTORY]
    file.write_text("\n".join(["day,a,weather", *rows, "2020-02-10,,rain", "2020-02-11,,sun"]) + "\n")
    dataset = DatasetConfig(
        name="ice", source=Source.file, path=str(file), time_column="day", features=["a"], targets=["a"],
        future=["weather"], categories=["weather"], unseen=unseen,
    )  # fmt: skip
    width = 2 if unseen is Unseen.unknown else None
    config = Config(dataset=dataset, stateful=True, model=ModelConfig(embedding=width))
    data = prepare_data(config, load_series(dataset))
    random = np.random.default_rng(1)
    layers = plan_layers(config, *data.windows.interface)
    model = make_model(config, data, 1, [random.normal(size=shape) for each in layers for shape in each.weight_shapes])
    run = forecast_steps(model, 2).loc[lambda table: table["part"] == FUTURE, "free_run"].to_numpy()
    stream = Recorder(model, warm=True)
    answers = stream.read("weather,day,a,weather+1", f"rain,2020-02-10,{run[0]},sun", "sun,2020-02-11,3,hail")
    assert answers[0][2][0] == pytest.approx(run[1], rel=1e-5)
    refused = "line 3 has 'hail' in the column 'weather', none of the values that the run learnt from: skipped"
    assert stream.complaints == ([refused] if unseen is Unseen.error else [])
    if width is not None:
        look = look_at_network("ice", model, choose_excerpt(model, member=0, steps=5), None)
        assert look.shown.inputs == ["a", "weather 1", "weather 2", "weather 1+1", "weather 2+1"]
        assert look.shown.read.shape == (5, 5) == look.gradients.shape[1:] and look.weights is not None
        assert look.weights[0].shape[0] == 5  # of the first layer that is shown: the tables have done their work
    pack_model(tmp_path, model)
    packed = FrameForecaster(unpack_model(tmp_path))
    table = packed.predict(pd.read_csv(file))
    assert (len(table), table["forecast"].iloc[-1]) == (len(HISTORY), pytest.approx(run[0], rel=1e-4))


class RowByRow(Stream):
    """A stream that reads no rows together."""

    def _read_block(self, lines: Sequence[str | RowError]) -> None:
        return None


@given(st.data())
def test_lines_that_are_read_together_are_read_as_each_alone(
    model: ServedModel, zoned: ServedModel, data: st.DataObject
) -> None:
    """A line among many is taken, refused or told other than it is alone, or with the number of another line."""
    local = data.draw(st.booleans())
    days = LOCAL if local else DAYS
    cells = st.tuples(
        st.sampled_from(["x", "y", "z", " x", "tiny", '"x"', ""]),
        st.sampled_from([*days[:6], "soon"]),
        st.sampled_from(["4", "5.5", " 6", "1_0", "", "-1", "nan", "7,7"]),
    )
    plain = [f"{lane},{day},{place + 1}" for place, day in enumerate(days[:4]) for lane in ("x", "y", "z")]
    others = map(",".join, data.draw(st.lists(cells, max_size=3)))
    lines = [*plain[:3], *data.draw(st.permutations([*plain[3:], *others, *[""] * data.draw(st.integers(0, 1))]))]
    answers, told = [], []
    for kind in (Stream, RowByRow):
        complaints: list[str] = []
        stream = kind(zoned if local else model, True, complaints.append)
        list(stream.answer(["lane,day,a"]))
        some = [(*row[:2], *row.values, *numbers) for row, numbers in stream.answer(lines)]
        answers.append([some, stream.refused, stream.book.skipped, stream.book.remember().last])
        told.append(complaints)
    np.testing.assert_equal(*answers)
    assert told[0] == told[1]
