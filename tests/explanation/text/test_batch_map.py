"""The batches drawn with characters: which window sits where, and where its state comes from."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config.schema import Wiring
from pipeline.explanation.facts.labels import show_few
from pipeline.explanation.facts.sentences import name_places
from pipeline.explanation.text.batch_map import draw_batches

MakeExplained = Callable[..., Any]
WIDTH = 100


def lines_of(case: Any) -> list[str]:
    return [str(line) for line in draw_batches(case.facts, WIDTH)]


def test_many_lanes_show_three_and_the_last(make_explained: MakeExplained) -> None:
    """Breaks 400 lanes: the map fills the screen, or hides the last lane."""
    lines = lines_of(make_explained(look_back=40, stateful=True, batch_size=40, length=300))
    rows = [line.split()[:2] for line in lines if line.startswith("  row ")]
    assert rows == [["row", "1"], ["row", "2"], ["row", "3"], ["row", "40"]]


def test_states_are_carried_and_reset(make_explained: MakeExplained) -> None:
    """Breaks the lane map: an arrow is missing where the state goes on, or the zero where it starts anew."""
    lines = lines_of(make_explained(stateful=True))
    row = next(line for line in lines if line.startswith("  row 1"))
    assert row.split()[2:8] == ["0>", "1:", "2001-01..2001-03", "->", "1:", "2001-04..2001-06"]
    assert row.split()[8:] == ["->", "1:", "2001-07..2001-09", "0>", "2:", "2001-02..2001-04"]
    assert "->" not in next(line for line in lines_of(make_explained()) if line.startswith("  row 1"))
    assert "0>" not in "\n".join(lines_of(make_explained(wiring=Wiring.one_to_one)))


def test_rows_are_numbered_where_dates_are_too_long(make_explained: MakeExplained) -> None:
    """Breaks the lane map of fine-grained series: fewer than three batches fit, or the rows are not those of errors."""
    row = next(
        line for line in lines_of(make_explained(frequency="17min", stateful=True)) if line.startswith("  row 1")
    )
    assert "1: rows 1..3 " in row
    assert "1: rows 7..9" in row


@pytest.mark.parametrize(
    "keys",
    [{}, {"batch_size": 16}, {"stateful": True, "batch_size": 2, "holes": (6,)}, {"frequency": "17min"}],
    ids=["shuffled", "small last batch", "filled in", "minutes"],
)
def test_every_place_says_what_it_holds(make_explained: MakeExplained, keys: dict[str, Any]) -> None:
    """Breaks the map: a window stands in another row or batch than in training, or is left out without a word."""
    case = make_explained(**keys)
    shown, (head, *lines) = case.facts.batches, lines_of(case)
    assert head.split() == [word for number in shown.numbers[: head.count("batch")] for word in ("batch", str(number))]
    starts = [head.index(f"batch {number}") for number in shown.numbers[: head.count("batch")]]
    rows = show_few(shown.num_rows, 4)
    by_date, by_number = (name_places(case.facts, rows, dates) for dates in (True, False))
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        for column, start in enumerate(starts) if row is not None else ():
            end = starts[column + 1] - 3 if column + 1 < len(starts) else None
            assert line[start:end].strip() in (by_date[row, column], by_number[row, column])
