"""The figure of pipeline.forecast shows the table beside it: what was known, and every kind of forecast."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.report.figures import forecast as figures
from pipeline.report.figures.forecast import draw_free_run

STEPS = 3
ReadLines = Callable[[Axes], dict[str, tuple[list[float], list[float]]]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures are kept instead of written."""
    kept: list[Figure] = []
    monkeypatch.setattr(figures, "save_figure", lambda figure, file: kept.append(figure))
    return kept


def table(lane: str | None = None, times: object = None, shift: float = 0.0, direct: bool = True) -> pd.DataFrame:
    """Three rows that are known and three that are not: actual 1, 2, 3; the forecasts lie 10, 20 and 30 above."""
    rows = np.arange(1.0, 2 * STEPS + 1) + shift
    unknown = np.arange(2 * STEPS) >= STEPS
    columns = {"target": "load", "part": np.where(unknown, "future", "backtest")}
    columns |= {"timestamp": np.arange(100, 106) if times is None else times}
    columns |= {"actual": np.where(unknown, np.nan, rows), "free_run": rows + 10}
    columns |= {"one_step_ahead": np.where(np.arange(2 * STEPS) > STEPS, np.nan, rows + 20)}
    columns |= {"direct": rows + 30} if direct else {}
    return pd.DataFrame(({} if lane is None else {"lane": lane}) | columns)


def draw(drawn: list[Figure], whole: pd.DataFrame, panels: int = 1) -> Figure:
    past = [pd.Series(np.arange(-20.0, 0.0) - number, index=range(80, 100)) for number in range(panels)]
    draw_free_run(BytesIO(), "run r", "kW", whole, past, "one_step_ahead")
    return drawn[0]


def test_every_column_of_the_table_is_a_line(drawn: list[Figure], read_lines: ReadLines) -> None:
    """The picture lacks a forecast that the table has, or shows it at other timestamps."""
    figure = draw(drawn, table())
    (axis,) = figure.axes
    lines = read_lines(axis)
    known = ([*range(94, 103)], [*range(-6, 0), 1.0, 2.0, 3.0])  # twice as many rows before as are forecast
    assert lines["actual"] == known
    times, truth = lines["one step ahead, fed with truth"]
    assert (times, truth[:4], np.isnan(truth[4:]).all()) == ([*range(100, 106)], [21.0, 22.0, 23.0, 24.0], True)
    assert lines["free run, fed with itself"] == ([100, 101, 102], [11.0, 12.0, 13.0])
    assert lines["direct, all steps from one origin"] == ([100, 101, 102], [31.0, 32.0, 33.0])
    after = [line for label, line in lines.items() if label.startswith("_") and line[0] == [103, 104, 105]]
    every = sorted(line.get_ydata().tolist() for line in axis.lines if list(line.get_xdata()) == [103, 104, 105])
    assert after and every == [[14.0, 15.0, 16.0], [34.0, 35.0, 36.0]]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [label for label in lines if not label.startswith("_")]
    (known_part,) = axis.patches
    assert (known_part.get_x(), known_part.get_x() + known_part.get_width()) == (100, 102)  # what was known
    assert (axis.get_ylabel(), axis.get_title()) == ("load [kW]", "run r")


def test_every_lane_has_a_panel_of_its_own(drawn: list[Figure], read_lines: ReadLines) -> None:
    """The forecasts of one lane stand under the name of another."""
    figure = draw(drawn, pd.concat([table("a"), table("b", shift=100)]), panels=2)
    assert [axis.get_ylabel() for axis in figure.axes] == ["a: load [kW]", "b: load [kW]"]
    for axis, first, before in zip(figure.axes, (11.0, 111.0), (-6.0, -7.0), strict=True):
        lines = read_lines(axis)
        assert lines["free run, fed with itself"][1][0] == first
        assert lines["actual"][1][0] == before


def test_without_a_calendar_steps_are_counted_from_the_last_row(drawn: list[Figure], read_lines: ReadLines) -> None:
    """Names such as +1 are spread over an axis of categories, and what is known lies beside it."""
    figure = draw(drawn, table(times=["98", "99", "100", "+1", "+2", "+3"], direct=False))
    (axis,) = figure.axes
    lines = read_lines(axis)
    assert lines["actual"] == ([*range(-8, 1)], [*range(-6, 0), 1.0, 2.0, 3.0])
    assert lines["free run, fed with itself"][0] == [-2, -1, 0]
    assert axis.get_xlabel() == "steps after the last row"
    assert not any("direct" in label for label in lines)


def test_it_is_written_as_a_picture() -> None:
    """The command ends in an error after it has forecast."""
    file = BytesIO()
    draw_free_run(file, "run r", "$ [%]", table(), [pd.Series([1.0], index=[99])], "one_step_ahead")
    assert file.getvalue().startswith(b"\x89PNG")
