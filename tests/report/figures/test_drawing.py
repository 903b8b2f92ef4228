"""The figures of a sweep can be read: nothing is cut, labels do not lie on each other, axes have plain numbers."""

from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from pipeline.report.figures.drawing import (
    STYLE,
    Shape,
    finish,
    keep_scale,
    place_labels,
    spread_out,
    start,
    write_figure,
)
from pipeline.report.figures.sweep import Forecast, draw_cost, draw_curves, draw_map, draw_overlay

SHORT = ["look_back=1", "look_back=3"]
LONG = [f"look_back={number} dataset.horizons=all model.units=[128, 64] stateful=true" for number in range(14)]
BASELINES = {"persistence": 48.0, "seasonal": 41.0, "linear": 47.9}


def cost(names: list[str], factor: float = 1.0, unit: str = "thousand passengers") -> Callable[[Shape], Figure]:
    mean = np.linspace(60, 90, len(names)) * factor ** np.arange(len(names))
    scores = np.stack([mean, mean * 0.9, mean * 1.1], axis=1)
    seconds = np.linspace(1, 40, len(names)).tolist()
    return partial(
        draw_cost, names=names, seconds=seconds, scores=scores, baselines=BASELINES, score=f"test RMSE [{unit}]"
    )


def curves(names: list[str]) -> Callable[[Shape], Figure]:
    losses = {name: np.geomspace(1, 0.02, 20)[None] * [[1], [2]] for name in names[:6]}
    losses[names[0]][0, 10:] = np.nan
    return partial(draw_curves, curves=losses)


def overlay(names: list[str], stamp: str) -> Callable[[Shape], Figure]:
    actual = np.sin(np.arange(200.0)) * 1e5
    baselines = dict.fromkeys(BASELINES, actual + 1)
    forecast = Forecast(names[0], [stamp] * 200, actual, np.stack([actual, actual + 9]), baselines, "load [$ and $]")
    return partial(draw_overlay, forecast=forecast)


def square(rows: list[str], columns: list[str]) -> Callable[[Shape], Figure]:
    scores = np.arange(float(len(rows) * len(columns))).reshape(len(rows), len(columns)) * 1234.5
    scores[0, 0] = np.nan
    return partial(
        draw_map, axes=("model.units", "stateful"), levels=(rows, columns), scores=scores, score="test RMSE [kW]"
    )


FIGURES = {
    "cost": cost(SHORT),
    "cost of many with long names": cost(LONG),
    "cost of one": cost(SHORT[:1]),
    "cost, one diverged": cost(SHORT, factor=1e6),
    "cost, long unit": cost(SHORT, unit="thousand passengers of international airlines, a month, of which " * 2),
    "curves": curves(SHORT),
    "curves of many with long names": curves(LONG),
    "curves of one": curves(SHORT[:1]),
    "forecast": overlay(SHORT, "1957-01-01 00:00:00"),
    "forecast by the minute, long name": overlay(LONG, "2004-01-05 09:30:00+01:00"),
    "map": square(["[4]", "[8]"], ["false", "true"]),
    "large map": square([f"[{number}, {number}]" for number in range(12)], [str(number) for number in range(12)]),
}


def visible_texts(figure: Figure) -> list[Text]:
    found = figure.findobj(lambda artist: isinstance(artist, Text) and bool(artist.get_text().strip()))
    texts = [text for text in found if isinstance(text, Text) and text.get_visible()]
    legends = {text for legend in figure.legends for text in legend.get_texts()}
    drawn = {text for axis in figure.axes for text in (*axis.get_xticklabels(), *axis.get_yticklabels())}
    minor = {text for axis in figure.axes for text in axis.get_xticklabels(minor=True)}
    outside = {
        text
        for axis in figure.axes
        for one, limits in ((axis.xaxis, axis.get_xlim()), (axis.yaxis, axis.get_ylim()))
        for tick, place in zip(one.get_major_ticks(), one.get_majorticklocs(), strict=False)
        if not min(limits) <= place <= max(limits)
        for text in (tick.label1, tick.label2)
    }
    assert legends <= set(texts) and drawn
    return [text for text in texts if text not in minor and text not in outside]


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_cut(name: str, narrow: bool) -> None:
    """A number or a name ends at the edge of the figure, as the last date and the name of a colour bar once did."""
    with matplotlib.rc_context(STYLE):
        figure = FIGURES[name](Shape(narrow, "" if narrow else "airline: a title"))
        figure.canvas.draw()
        width, height = figure.bbox.width, figure.bbox.height
        for text in visible_texts(figure):
            box = text.get_window_extent()
            inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
            assert inside, (text.get_text(), box, width, height)


def test_labels_of_close_points_do_not_lie_on_each_other() -> None:
    """Names of configurations that cost and score the same cannot be read, as when each stood to the right."""
    points = np.array([[1.0, 1.0], [1.02, 1.01], [5.0, 5.0], [5.05, 5.0], [9.0, 2.0]])
    with matplotlib.rc_context(STYLE):
        figure, axis = start(Shape())
        axis.scatter(*points.T)
        finish(figure, axis, Shape(), "y", [])
        place_labels(axis, points, ["1", "2", "3", "4", "5"])
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in axis.texts]
    assert len(boxes) == 5
    assert not any(first.overlaps(second) for first, second in combinations(boxes, 2))


@pytest.mark.parametrize(("values", "scale"), [([1, 5], "linear"), ([1, 500], "log"), ([0, 500], "linear")])
def test_an_axis_is_logarithmic_only_where_values_lie_far_apart(values: list[float], scale: str) -> None:
    """One diverged configuration presses all others into a line, or every axis is in powers of ten."""
    figure, axis = start(Shape())
    axis.plot(values)
    spread_out(axis, "y", np.array(values))
    assert axis.get_yscale() == scale
    figure.canvas.draw()
    assert not any("10^" in text.get_text() for text in axis.get_yticklabels())


def test_a_figure_for_the_page_takes_its_colours_and_brings_no_link(tmp_path: Path) -> None:
    """Black axes cannot be seen in the dark, or a drawing program's addresses are in the page."""
    both = write_figure(tmp_path / "cost.png", cost(SHORT), "a title", "what is <seen>")
    page = "".join(both)
    assert page.count("<svg ") == 2 and "var(--ink)" in page and "#222222" not in page
    assert "metadata" not in page and "<?xml" not in page and "<seen>" not in page
    again = tmp_path / "again"
    again.mkdir()
    assert both == write_figure(again / "cost.png", cost(SHORT), "a title", "what is <seen>")


def test_one_line_far_off_does_not_flatten_the_others() -> None:
    """A baseline that is fifty times off makes a flat line of what happened and of the forecast."""
    axis = Figure().subplots()
    shown, near, far = np.array([1.0, 3.0]), np.array([0.0, 4.5]), np.array([2.0, 150.0])
    before = axis.get_ylim()
    assert keep_scale(axis, shown, [near]) == [""]
    assert keep_scale(axis, shown, [np.array([np.nan])]) == [""]
    assert axis.get_ylim() == before
    assert keep_scale(axis, shown, [near, far]) == ["", " (beyond the axis)"]
    bottom, top = axis.get_ylim()
    assert -1 < bottom < 0 and 5 < top < 5.5  # the near one is seen whole


def test_lines_far_off_on_both_sides_are_both_named() -> None:
    """Of two lines that are cut only the last one is named, and a reader looks for the other."""
    axis = Figure().subplots()
    far = [np.array([150.0]), np.array([-50.0])]
    assert keep_scale(axis, np.array([1.0, 3.0]), [*far, np.array([2.0])]) == [" (beyond the axis)"] * 2 + [""]
    assert axis.get_ylim() == pytest.approx((-1.3, 5.3))


@pytest.mark.parametrize(
    ("scores", "baseline", "told"),
    [
        ([1.0, 2.0], 0.5, "linear fit"),
        ([1.0, 2.0], 0.0, "linear fit"),  # at the foot of a linear axis
        ([1.0, 2.0], 1e-15, "linear fit"),
        ([1.0, 20.0], 0.0, "linear fit: 0.00 (beyond the axis)"),  # a logarithmic axis has no 0
        ([1.0, 20.0], 1e-15, "linear fit: 1.00e-15 (beyond the axis)"),
        ([1.0, 2.0], 1e9, "linear fit: 1.00e+09 (beyond the axis)"),
        ([0.0, 0.0], 1.0, "linear fit: 1.00 (beyond the axis)"),
    ],
)
def test_a_baseline_far_off_does_not_press_the_scores_together(scores: list[float], baseline: float, told: str) -> None:
    """A perfect baseline makes all configurations look alike, or a line that is not drawn has a name in the legend."""
    mean = np.array(scores)
    ends = np.stack([mean, mean * 0.9, mean * 1.1], axis=1)
    with matplotlib.rc_context(STYLE):
        figure = draw_cost(Shape(), SHORT, [1.0, 2.0], ends, {"linear": baseline}, "test RMSE [kW]")
        figure.canvas.draw()
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == told
    (axis,) = figure.axes
    low, high = axis.get_ylim()
    drawn = low <= baseline <= high
    assert drawn == ("beyond" not in told)
    top, bottom = (axis.transData.transform((1, score))[1] for score in (max(scores), min(scores)))
    assert max(scores) == 0 or top - bottom > figure.bbox.height / 10
