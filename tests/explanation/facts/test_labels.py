"""Names of rows are short, unlike each other, and safe to print."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.series import Series
from pipeline.explanation.facts.labels import Labels, name_frequency, name_rows, name_some, show_few, tidy

MakePanel = Callable[[Sequence[np.ndarray]], Series]


@pytest.mark.parametrize(
    ("frequency", "label", "name"),
    [
        ("MS", "2001-03", "monthly"),
        ("QS", "2001-07", "quarterly"),
        ("YS", "2003-01", "yearly"),
        ("W", "2001-01-21", "weekly"),
        ("D", "2001-01-03", "daily"),
        ("B", "2001-01-03", "daily"),
        ("h", "2001-01-01 02:00", "hourly"),
        ("17min", "2001-01-01 00:34", ""),
    ],
)
def test_dates_have_no_parts_that_never_change(frequency: str, label: str, name: str) -> None:
    """Breaks the drawings: dates are too long for a box, or two rows have the same one."""
    times = pd.date_range("2001-01-01", periods=40, freq=frequency)
    values, where = np.zeros((40, 1)), np.zeros((40, 1), dtype=bool)
    labels = Labels(Series(times, values, ("a",), ("a",), ("a",), where, "a test"))
    assert labels[2] == label
    assert len({labels[row] for row in range(40)}) == 40
    assert (labels.span(2, 2), labels.span(0, 2)) == (label, f"{labels[0]}..{label}")
    assert name_frequency(times) == name


def test_rows_of_several_series_have_their_name(make_panel: MakePanel) -> None:
    """Breaks panels: a row is said to be of another series."""
    labels = Labels(make_panel([np.zeros(3), np.zeros(2)]))
    assert [labels.lane(row) for row in range(5)] == ["lane0 "] * 3 + ["lane1 "] * 2
    assert [labels[row] for row in range(5)] == ["0", "1", "2", "0", "1"]


@given(st.text("a \n\t\x00\x7f\u200b\u2028é…", max_size=12))
def test_tidy_names_stand_in_one_line(text: str) -> None:
    """Breaks every drawing: a column name with a line break or a control character tears it apart."""
    assert tidy(text).isprintable()
    assert tidy(tidy(text)) == tidy(text) == tidy(text).strip()


@given(st.integers(1, 60), st.integers(2, 9))
def test_what_is_shown_of_many_begins_at_the_first_and_ends_at_the_last(count: int, most: int) -> None:
    """Breaks long windows: a picture does not show where it ends, or is longer than it may be."""
    shown = show_few(count, most)
    positions = [each for each in shown if each is not None]
    assert (positions[0], positions[-1]) == (0, count - 1)
    assert positions == sorted(set(positions)) and len(positions) <= most
    assert (None in shown) is (count > most)


def test_many_names_are_counted() -> None:
    """Breaks wide data: thirty columns fill the page, or some are left out without a word."""
    assert name_some(("a", "b", "c", "d")) == "a, b, c, d"
    assert name_some(tuple("abcdefg")) == "a, b, c and 4 more"
    assert name_some(("a" * 30,), longest=10) == "a" * 9 + "…"


def test_rows_are_counted_from_the_last_known_one() -> None:
    """Breaks the boxes: t+1 is written on what is known, or t on what is forecast."""
    assert [name_rows(rows) for rows in ((-1,), (0,), (1,), (0, 1))] == ["t-1", "t", "t+1", "t..t+1"]
