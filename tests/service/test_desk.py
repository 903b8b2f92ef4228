"""Rows of many requests at one desk: the numbers of a stream, whole requests or nothing, old answers for old rows."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.schema import HeadName, Missing, Transform
from pipeline.evaluation.conformal import Conformal
from pipeline.service.answered import AnsweredBlock, Refusal
from pipeline.service.answers import Answers
from pipeline.service.bodies import BodyError
from pipeline.service.desk import Desk
from pipeline.service.journal import Journal
from pipeline.serving.model import ServedModel
from pipeline.serving.stream import Stream

MakeServed = Callable[..., ServedModel]
DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2020-02-10", periods=30)]  # the day after the history
LANES = ["x", "y", "z"]


def with_intervals(model: ServedModel) -> ServedModel:
    errors = Conformal.begin([0.8], model.data.windows.spec.horizon_steps, max(1, len(model.data.series.series_ids)), 1)
    errors.errors[:] = np.random.default_rng(0).uniform(0, 2, errors.errors.shape)
    return replace(model, conformal=errors)


@pytest.fixture(scope="module")
def model(make_served: MakeServed) -> ServedModel:
    return with_intervals(make_served(stateful=True, dataset={"transforms": [Transform.log, Transform.difference]}))


def open_desk(model: ServedModel, **changes: Any) -> Desk:
    return Desk(model, **{"warm": True, "most_lanes": 100, "say": lambda text: None} | changes)


def lines(rows: list[tuple[str, str, float]]) -> str:
    return "lane,day,a\n" + "".join(f"{lane},{day},{value!r}\n" for lane, day, value in rows)


def take(desk: Desk, *bodies: str) -> list[Any]:
    """Give a desk requests that are there together; each answer as numbers by row, or the text of a refusal."""
    replies = desk.take([desk.bodies.rows_of(body.encode(), True, None, 1000) for body in bodies])
    return [
        f"{reply.reason}: {reply.text}"
        if isinstance(reply, Refusal)
        else [(each.row.lane, each.row.timestamp, each.numbers.tolist()) for each in reply]
        for reply in replies
    ]


def make_rows(seed: int = 1) -> list[tuple[str, str, float]]:
    values = np.random.default_rng(seed).uniform(1, 9, size=(len(LANES), 9))
    return [(lane, DAYS[day], float(values[place, day])) for day in range(9) for place, lane in enumerate(LANES)]


@given(st.data())
def test_a_desk_answers_the_numbers_of_a_stream_to_the_bit(model: ServedModel, data: st.DataObject) -> None:
    """A service forecasts something else than the stream that was tried out, or depends on who asks when."""
    rows = make_rows()
    stream = Stream(model, True, pytest.fail)
    streamed = {(row.lane, row.timestamp): numbers.tolist() for row, numbers in stream.answer(lines(rows).splitlines())}
    desk, served, left = open_desk(model), {}, list(rows)
    while left:
        count = data.draw(st.integers(1, 4))  # requests that are there together
        requests = []
        for _ in range(count):
            size = data.draw(st.integers(1, 8))
            requests.append(left[:size])
            left = left[size:]
        for answers in take(desk, *[lines(each) for each in requests if each]):
            served |= {(lane, time): numbers for lane, time, numbers in answers}
    assert served == streamed


def test_what_is_made_from_its_timestamp_is_no_part_of_a_row(make_served: MakeServed) -> None:
    """A row that is sent again is refused: its calendar, which the first one got here, looks like other values."""
    shape = {"calendar": ["day_of_month", "day_of_week"], "future": ["day_of_week"]}
    desk = open_desk(make_served(stateful=True, horizon=2, dataset=shape))
    body = f"lane,day,a\nx,{DAYS[0]},4.0\nx,{DAYS[1]},5.0\n"
    (answers,) = take(desk, body)
    assert take(desk, body) == [answers] and np.isfinite(answers[1][2]).all()


def test_a_row_that_is_sent_again_gets_its_old_answer(model: ServedModel) -> None:
    """A client whose answer was lost on the way cannot ask again, or its lane reads the row twice."""
    desk = open_desk(model)
    first = [("x", DAYS[0], 4.0), ("x", DAYS[1], 5.0)]
    (answers,) = take(desk, lines(first))
    again, longer, together = take(desk, lines(first), lines([*first, ("x", DAYS[2], 6.0)]), lines(first[1:]))
    assert again == longer[:2] == answers
    assert together == answers[1:]
    assert desk.book.consumed["x"] == 3
    twice, same = take(desk, lines([("y", DAYS[0], 4.0)]), lines([("y", DAYS[0], 4.0)]))  # at the same time
    assert twice == same
    assert desk.book.consumed["y"] == 1
    repeated = desk.take([desk.bodies.rows_of(lines(first).encode(), True, None, 10)])[0]
    assert not isinstance(repeated, Refusal)
    assert [each.repeated for each in repeated] == [True, True]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("x", DAYS[5], 4.0), ("x", DAYS[4], 4.0)], f"late: row 2 (lane x, {DAYS[4]}) is late: a later one came"),
        ([("x", DAYS[5], 4.0), ("x", DAYS[2], 4.5)], f"conflict: row 2 (lane x, {DAYS[2]}) repeats a timestamp with"),
        ([("x", DAYS[5], 4.0), ("x", "soon", 4.0)], "malformed: row 2 has 'soon' for a time, which is none like those"),
        ([("x", DAYS[5], 4.0), ("x", DAYS[6], -4.0)], "malformed: row 2 has -4 in the column 'a', which has no logar"),
        ([("x", DAYS[5], 4.0), ("", DAYS[6], 4.0)], "malformed: row 2 names no lane"),
        (
            [("tiny", "2020-02-09", 4.0)],
            "late: row 1 (lane tiny, 2020-02-09) was read before, and is none of the newest",
        ),
        (
            [(f"new{number}", DAYS[0], 4.0) for number in range(3)],
            "lanes: there would be more than 4 lanes; raise lane",
        ),
    ],
)
def test_a_request_is_taken_as_a_whole_or_not_at_all(rows: Any, expected: str, model: ServedModel) -> None:
    """Half of a refused request was read: sent again when it is mended, its lane reads it twice or refuses it."""
    desk = open_desk(model, most_lanes=4)
    take(desk, lines([("x", DAYS[2], 4.0), ("y", DAYS[0], 4.0)]))
    before = [array.tolist() for array in desk.lane_arrays()]
    refused, other = take(desk, lines(rows), lines([("y", DAYS[0], 4.0)]))
    assert refused.startswith(expected)
    assert other[0][:2] == ("y", DAYS[0])
    np.testing.assert_equal([array.tolist() for array in desk.lane_arrays()], before)
    assert sorted(desk.book.consumed) == ["tiny", "x", "y"]


def test_cells_are_filled_from_the_row_before_in_the_same_request(make_served: MakeServed) -> None:
    """With dataset.missing=forward_fill a request of two rows is read other than two requests of one."""
    model = make_served(stateful=True, dataset={"missing": Missing.forward_fill})
    one, two = open_desk(model), open_desk(model)
    (answers,) = take(one, f"day,a\n{DAYS[0]},4\n{DAYS[1]},\n")
    assert [*take(two, f"day,a\n{DAYS[0]},4\n")[0], *take(two, f"day,a\n{DAYS[1]},\n")[0]] == answers


JSON_FAULTS = {
    "{": "the body is no JSON",
    "[" * 100_000: "the body is no JSON",
    "[]": "must be a JSON object with 'rows' alone",
    '{"rows": [], "more": 1}': "must be a JSON object with 'rows' alone",
    '{"rows": []}': "must be a list with at least one row",
    '{"rows": {}}': "must be a list with at least one row",
    '{"rows": [{"day": "2020-02-10", "a": NaN}]}': "NaN is no number of JSON",
    '{"rows": [1]}': "row 1 is 1, where an object with the columns is required",
    '{"rows": [{"day": "2020-02-10"}]}': "row 1 cannot be read: the rows need the column(s) a",
    '{"rows": [{"day": "2020-02-10", "a": 1, "b": 2}]}': "row 1 has the column 'b', which is none of a, day, lane",
    '{"rows": [{"day": "2020-02-10", "a": [1]}]}': "row 1 has [1] in the column 'a', which is no text or number",
    '{"rows": [{"day": "2020-02-10", "a": true}]}': "row 1 has true in the column 'a', which is no text or number",
    '{"rows": [{"day": "2020-02-10", "a": 1e400}]}': "row 1 has inf in the column 'a', which is too large to compute",
    f'{{"rows": [{{"day": "2020-02-10", "a": {"9" * 400}}}]}}': "which is too large to compute with",
    '{"rows": [{"day": "2020-02-10", "a": null}]}': "row 1 has no value in the column 'a'",
    '{"rows": [{"day": 4, "a": 1}]}': "row 1 has '4' for a time",
    '{"rows": [{"day": "2020-02-10", "a": 1, "lane": "other"}]}': "row 1 names the lane 'other', but was sent to the",
}


@pytest.mark.parametrize("body", JSON_FAULTS, ids=range(len(JSON_FAULTS)))
def test_what_is_no_row_is_refused_with_words(body: str, model: ServedModel) -> None:
    """A client is told nothing that it can mend, or the service fails."""
    desk = open_desk(model)
    try:
        (reply,) = desk.take([desk.bodies.rows_of(body.encode(), False, "tiny", 1000)])
    except BodyError as error:
        assert JSON_FAULTS[body] in str(error)
    else:
        assert isinstance(reply, Refusal)
        assert JSON_FAULTS[body] in reply.text
    assert desk.book.consumed == {"tiny": 0}


def test_json_and_csv_are_read_alike(model: ServedModel) -> None:
    """A number loses digits on its way through JSON, or the lane of the path is not the lane of the rows."""
    body = f'{{"rows": [{{"a": 4.123456789012345, "day": "{DAYS[0]}"}}, {{"day": "{DAYS[1]}", "a": 5, "lane": "x"}}]}}'
    one, two = open_desk(model), open_desk(model)
    (reply,) = one.take([one.bodies.rows_of(body.encode(), False, "x", 10)])
    (answers,) = take(two, lines([("x", DAYS[0], 4.123456789012345), ("x", DAYS[1], 5.0)]))
    assert not isinstance(reply, Refusal)
    assert [each.numbers.tolist() for each in reply] == [numbers for *_, numbers in answers]


def block_lines(day: int, lanes: list[str]) -> str:
    values = np.random.default_rng(day).uniform(1, 9, len(lanes))
    return lines([(lane, DAYS[day], float(value)) for lane, value in zip(lanes, values, strict=True)])


BLOCK = [*(f"lane {number}" for number in range(6)), "50 %s", "öl", "x\\y", '"q, 5"']


def remembered(desk: Desk) -> list[Any]:
    state = desk.book.remember()
    return [state.names, state.rows, state.last, *desk.lane_arrays(), *state.drift]


def test_a_block_is_answered_as_its_rows_one_by_one(model: ServedModel, tmp_path: Path) -> None:
    """Rows that come in blocks are forecast, written, kept or noted in the journal other than the same rows alone."""
    desks = [open_desk(model), open_desk(model)]
    for number, desk in enumerate(desks):
        desk.journal = Journal(tmp_path / f"{number}.npz", 0)
    for day in range(5):
        for lanes in (BLOCK[:-1], BLOCK):  # the second one holds what was answered already, and has to be quoted
            body = block_lines(day, lanes).encode()
            block, rows = (desk.bodies.rows_of(body, True, None, 99) for desk in desks)
            (together,), (each,) = desks[0].take([block]), desks[1].take([replace(rows, block=None)])
            assert isinstance(each, list) and not isinstance(together, Refusal)
            assert isinstance(together, AnsweredBlock) == (day > 0 and lanes == BLOCK[:-1])
            for write in (Answers(model).as_csv, Answers(model).as_json):
                assert write(desks[0].book, together) == write(desks[1].book, each)
    np.testing.assert_equal(*map(remembered, desks))
    for desk in desks:
        assert desk.journal is not None
        desk.journal.close()
    assert (tmp_path / "0.npz.journal-0").read_bytes() == (tmp_path / "1.npz.journal-0").read_bytes()


KINDS = {
    "made from the timestamp": {"horizon": 2, "dataset": {"calendar": ["day_of_week"], "future": ["day_of_week"]}},
    "numbered": {"dataset": {"time_column": None}},
    "quantiles, windows": {"stateful": False, "model": {"head": HeadName.quantile, "quantiles": [0.1, 0.5, 0.9]}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_every_kind_of_row_are_answered_as_their_rows(kind: str, make_served: MakeServed) -> None:
    """A block of rows that are numbered, or hold what is made from their time, is answered other than its rows."""
    model = make_served(**{"stateful": True} | KINDS[kind])
    numbered = model.config.dataset.time_column is None
    desks = [open_desk(model), open_desk(model)]
    for day in range(6):
        body = block_lines(day, [f"lane {number}" for number in range(8)])
        if numbered:
            body = "".join(f"{line.split(',')[0]},{line.split(',')[2]}\n" for line in body.splitlines())
        block, rows = (desk.bodies.rows_of(body.encode(), True, None, 99) for desk in desks)
        (together,), (each,) = desks[0].take([block]), desks[1].take([replace(rows, block=None)])
        assert isinstance(each, list) and isinstance(together, list if day == 0 else AnsweredBlock)
        for write in (Answers(model).as_csv, Answers(model).as_json):
            assert write(desks[0].book, together) == write(desks[1].book, each)
    np.testing.assert_equal(*map(remembered, desks))


ODD = ["", " 4 ", "nan", "1_0", "-3", "0", "1e400", "\u0664", "x", '"5"', "4,4", "3 4", "true", "4\n", "4\x0b"]


@given(st.data())
def test_whatever_a_block_holds_it_is_read_as_its_rows_are(model: ServedModel, data: st.DataObject) -> None:
    """A value, a lane or a time that is refused, or read in another way, in one row is taken as it is in a block."""
    pick = data.draw
    desks = [open_desk(model, most_lanes=12) for _ in range(2)]
    first = block_lines(3, [f"lane {number}" for number in range(8)])
    for desk in desks:
        take(desk, first)
    odd = st.sampled_from(ODD)
    rows = [[f"lane {number}", DAYS[4], str(number + 1)] for number in range(8)]
    for _ in range(pick(st.integers(0, 2))):
        row, column = pick(st.integers(0, 7)), pick(st.integers(0, 2))
        others = [["lane 1", " lane 2", "new", "x" * 201], [*DAYS[2:6], " 2020-02-15"], []][column]
        rows[row][column] = pick(st.sampled_from(others) | odd if others else odd)
    if pick(st.booleans()):
        body = "lane,day,a\n" + "".join(",".join(row) + "\n" for row in rows)
    else:
        kind = pick(st.sampled_from([float, int, str]))
        values = [kind(row[2]) if row[2].isascii() and row[2].isdigit() else row[2] for row in rows]
        objects = [{"lane": row[0], "day": row[1], "a": value} for row, value in zip(rows, values, strict=True)]
        body = json.dumps({"rows": objects})
    reads = [desk.bodies.rows_of(body.encode(), body.startswith("lane"), None, 99) for desk in desks]
    (found,), (expected,) = desks[0].take(reads[:1]), desks[1].take([replace(reads[1], block=None)])
    assert isinstance(found, Refusal) == isinstance(expected, Refusal)
    if isinstance(found, Refusal) or isinstance(expected, Refusal):
        assert found == expected
    else:
        assert Answers(model).as_json(desks[0].book, found) == Answers(model).as_json(desks[1].book, expected)
    np.testing.assert_equal(*map(remembered, desks))
