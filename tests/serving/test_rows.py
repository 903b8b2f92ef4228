"""Lines of a CSV that arrives: each becomes a row, or one clear complaint."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import UserError
from pipeline.config.schema import Missing, Transform
from pipeline.serving.model import ServedModel
from pipeline.serving.rows import Header, RowError, read_header

MakeServed = Callable[..., ServedModel]


@pytest.fixture(scope="module")
def header(make_served: MakeServed) -> Header:
    """Of a model that reads a and b and predicts a."""
    model = make_served(dataset={"features": ["a", "b"], "targets": ["a"]})
    return read_header("lane,day,a,b", model.config, model.data.series)


def make_header(model: ServedModel, line: str) -> Header:
    return read_header(line, model.config, model.data.series)


def read(header: Header, line: str, last: list[float] | None = None) -> tuple[str, str, list[float]]:
    return tuple(header.read(line, lambda lane: last))


@pytest.mark.parametrize(
    "line", ["x,2020-01-01,1,2", '"x",2020-01-01,"1",2', " x , 2020-01-01 , 1 ,2 ", "x,2020-01-01,1e0,+2.0"]
)
def test_a_line_becomes_a_row_however_it_is_written(header: Header, line: str) -> None:
    """Quotes or spaces change what is read."""
    assert read(header, line) == ("x", "2020-01-01", [1.0, 2.0])


@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1, max_size=9))
def test_any_lane_name_comes_through(header: Header, name: str) -> None:
    """A comma or a quote in the name of a lane moves the cells behind it."""
    quoted = name.replace('"', '""')
    try:
        assert read(header, f'"{quoted}",2020-01-01,1,2')[0] == name.strip()
    except RowError as error:
        assert str(error) == "names no lane" and not name.strip()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("x,2020-01-01,1", "has 3 cells, but the header has 4"),
        ("x,2020-01-01,1,2,3", "has 5 cells, but the header has 4"),
        (" ,2020-01-01,1,2", "names no lane"),
        ("x" * 201 + ",2020-01-01,1,2", "names a lane of 201 characters, more than 200"),
        ("x,2020-01-01,one,2", "has 'one' in the column 'a', which is not a number"),
        ("x,2020-01-01,1,1_000", "has '1_000' in the column 'b', which is not a number"),
        ('x,2020-01-01,"1,5",2', "has '1,5' in the column 'a', which is not a number"),
        ("x,2020-01-01," + "y" * 999 + ",2", f"has '{'y' * 57}...' in the column 'a', which is not a number"),
        ("x,2020-01-01,,2", "has no value in the column 'a', and dataset.missing is not forward_fill"),
        ("x,2020-01-01,NaN,2", "has no value in the column 'a', and dataset.missing is not forward_fill"),
        ("x,2020-01-01,1,NA", "has no value in the column 'b', and dataset.missing is not forward_fill"),
        ("x,2020-01-01,1,-inf", "has -inf in the column 'b', which is too large to compute with"),
        ("x,2020-01-01,1e999,2", "has 1e999 in the column 'a', which is too large to compute with"),
        ("x,2020-01-01,1,2e18", "has 2e18 in the column 'b', which is too large to compute with"),
        ('"x,2020-01-01,1,2', "has 1 cells, but the header has 4"),
        ('"' + "x" * 200_000 + '",2020-01-01,1,2', r"is no row of a CSV \(field larger than field limit \(131072\)\)"),
    ],
)
def test_what_is_no_row_is_told_in_one_line(header: Header, line: str, complaint: str) -> None:
    """A bad line is read as something else, ends the stream, or is told without saying what is wrong with it."""
    with pytest.raises(RowError, match=f"^{complaint}$"):
        read(header, line, last=[8.0, 9.0])


def test_a_logarithm_needs_values_above_zero(make_served: MakeServed) -> None:
    """One zero makes a lane forecast NaN for ever."""
    header = make_header(make_served(dataset={"transforms": [Transform.log]}), "day,a")
    for value in ("0", "-3", "-0.0"):
        with pytest.raises(RowError, match=r"has -?[03] in the column 'a', which has no logarithm"):
            read(header, f"2020-01-01,{value}")


def test_empty_cells_take_the_last_value_where_the_run_filled_them(make_served: MakeServed) -> None:
    """A dataset with forward_fill is served differently from how it was trained."""
    model = make_served(dataset={"missing": Missing.forward_fill, "features": ["a", "b"], "targets": ["a"]})
    header = make_header(model, "day,a,b")
    for empty in ("", " ", "NaN", "NA", "null"):
        assert read(header, f"2020-01-01,{empty},2", last=[8.0, 9.0]) == ("tiny", "2020-01-01", [8.0, 2.0])
    with pytest.raises(RowError, match="has no value in the column 'a', and nothing came before it"):
        read(header, "2020-01-01,,2")


def test_columns_are_found_by_name(make_served: MakeServed) -> None:
    """A file with other columns, or in another order, is read as if it had the dataset's."""
    model = make_served(dataset={"features": ["a", "b"], "targets": ["a"]})
    for line in ("note,b,day,a", "\ufeffnote,b,day,a", '"note","b","day","a"', " note , b , day , a "):
        assert read(make_header(model, line), "hello,2,2020-01-01,1") == ("tiny", "2020-01-01", [1.0, 2.0])


def test_a_target_that_is_not_known_yet_need_not_be_there(make_served: MakeServed) -> None:
    """A forecast is refused because the value that it forecasts is not there."""
    model = make_served(dataset={"features": ["b"], "targets": ["a"], "transforms": [Transform.log]})
    for line, row in (("day,b", "2020-01-01,2"), ("day,a,b", "2020-01-01,,2"), ("day,a,b", "2020-01-01,-7,2")):
        lane, _, values = read(make_header(model, line), row)
        assert lane == "tiny"
        assert values[0] == 2.0 and values[1] != values[1]  # NaN
    differences = make_served(dataset={"features": ["b"], "targets": ["a"], "transforms": [Transform.difference]})
    with pytest.raises(UserError, match=r"the rows need the column\(s\) a, but their header is: day,b"):
        make_header(differences, "day,b")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("day,value", r"the rows need the column\(s\) a, but their header is: day,value"),
        ("", r"the rows need the column\(s\) a, day, but their header is: empty"),
        ("2020-01-01,5", r"the rows need the column\(s\) a, day, but their header is: 2020-01-01,5"),
        ("day,a,a", "the header has the column 'a' twice; rename one of them"),
        ("day,b" + ",c" * 999, r"the rows need the column\(s\) a, but their header is: day,b(,c){26}\.\.\."),
        ('"' + "x" * 200_000 + '"', r"the header is no row of a CSV \(field larger than field limit \(131072\)\); the"),
    ],
)
def test_a_wrong_header_is_told(make_served: MakeServed, line: str, complaint: str) -> None:
    """The wrong file is read, and its rows are complained about one by one."""
    with pytest.raises(UserError, match=complaint):
        make_header(make_served(), line)


def test_a_run_of_many_lanes_needs_their_names(make_served: MakeServed) -> None:
    """Rows of many series are read as one."""
    model = make_served(lanes=("x", "y"), dataset={"lane_column": "share"})
    with pytest.raises(UserError, match=r"the rows need the column share \(or lane\), but their header is: day,a"):
        make_header(model, "day,a")
    assert read(make_header(model, "share,day,a"), "x,2020-01-01,1")[0] == "x"
    assert read(make_header(model, "day,lane,a"), "2020-01-01,y,1")[0] == "y"


def test_rows_without_a_time_column_are_numbered(make_served: MakeServed) -> None:
    """A dataset without dates cannot be streamed."""
    model = make_served(dataset={"time_column": None})
    assert read(make_header(model, "a"), "4") == ("tiny", "", [4.0])
