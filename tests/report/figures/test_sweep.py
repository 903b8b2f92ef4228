"""The figures of a sweep show the numbers that they were given, under names and units that say what they are."""

from collections.abc import Callable, Iterator

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.figure import Figure

from pipeline.report.figures.drawing import COLOURS, GREY, STYLE, Shape
from pipeline.report.figures.sweep import Forecast, draw_cost, draw_curves, draw_map, draw_overlay

TIMES = [f"1957-{month:02}-01 00:00:00" for month in range(1, 7)]
ACTUAL = np.array([1.0, 4.0, 2.0, 5.0, 3.0, 6.0])
SEEDS = np.stack([ACTUAL + 1, ACTUAL + 3])  # (seeds, time)
BASELINES = {"persistence": ACTUAL - 1, "linear": ACTUAL + 0.5}
ReadLines = Callable[[Axes], dict[str, tuple[list[float], list[float]]]]
ReadBand = Callable[[Axes], dict[float, tuple[float, float]]]


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with matplotlib.rc_context(STYLE):
        yield


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text().replace("\n", " ") for legend in figure.legends for text in legend.get_texts()]


def overlay(seeds: np.ndarray = SEEDS, baselines: dict[str, np.ndarray] = BASELINES) -> Figure:
    return draw_overlay(Shape(), Forecast("look_back=3", TIMES, ACTUAL, seeds, baselines, "load [kW]"))


def test_cost_has_a_point_for_every_configuration(read_lines: ReadLines) -> None:
    """A configuration, its interval or a baseline is missing from the figure, or stands at another score or cost."""
    scores = np.array([[50.0, 48.0, 53.0], [60.0, np.nan, np.nan], [55.0, 54.0, 56.0]])
    seconds = [3.0, 5.0, 7.0]
    baselines = {"persistence": 70.0, "seasonal": 45.0}
    figure = draw_cost(Shape(), ["a=1", "a=2", "a=3"], seconds, scores, baselines, "test RMSE [kW]")
    (axis,) = figure.axes
    clouds = [np.asarray(each.get_offsets()) for each in axis.collections if isinstance(each, PathCollection)]
    assert sorted(np.concatenate(clouds).tolist()) == [[3.0, 50.0], [5.0, 60.0], [7.0, 55.0]]
    (star,) = (cloud for cloud in clouds if len(cloud) == 1)
    assert star.tolist() == [[3.0, 50.0]]  # the best by validation stands first
    (bars,) = (each for each in axis.collections if isinstance(each, LineCollection))
    assert [segment.tolist() for segment in bars.get_segments()] == [
        [[3.0, 48.0], [3.0, 53.0]],
        [[5.0, 60.0], [5.0, 60.0]],  # one seed has no interval
        [[7.0, 54.0], [7.0, 56.0]],
    ]
    levels = {label: y for label, (_, y) in read_lines(axis).items() if not label.startswith("_")}
    assert levels == {"persistence": [70.0, 70.0], "seasonal naive": [45.0, 45.0]}
    assert {text.get_text(): tuple(text.xy) for text in axis.texts} == {
        "1": (3.0, 50.0),
        "2": (5.0, 60.0),
        "3": (7.0, 55.0),
    }
    assert legend_of(figure) == ["1  a=1", "2  a=2", "3  a=3", "persistence", "seasonal naive"]
    assert axis.get_xlabel() == "training of all seeds [s]"
    assert axis.get_title(loc="left").startswith("test RMSE [kW]")


def test_curves_show_the_mean_the_range_and_where_a_seed_has_stopped(read_band: ReadBand) -> None:
    """A panel shows no losses, those of another configuration, or a seed that stopped goes on."""
    curves = {"a=1": np.array([[3.0, 2.0, np.nan], [5.0, 4.0, 1.0]]), "a=2": np.array([[9.0, 8.0]])}
    figure = draw_curves(Shape(), curves)
    first, second = figure.axes
    drawn = {
        axis: [(line.get_color(), line.get_xdata().tolist(), line.get_ydata().tolist()) for line in axis.lines]
        for axis in figure.axes
    }
    assert drawn[first] == [
        (GREY, [1, 2], [9.0, 8.0]),
        (COLOURS[0], [1, 2, 3], [4.0, 3.0, 1.0]),
        (COLOURS[1], [2, 3], [2.0, 1.0]),  # dots
    ]
    assert drawn[second] == [
        (GREY, [1, 2, 3], [4.0, 3.0, 1.0]),
        (COLOURS[0], [1, 2], [9.0, 8.0]),
        (COLOURS[1], [2], [8.0]),
    ]
    assert read_band(first) == {1: (3.0, 5.0), 2: (2.0, 4.0), 3: (1.0, 1.0)}
    assert not second.collections  # one seed has no range
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["1  a=1", "2  a=2"]
    assert [axis.get_xlabel() for axis in figure.axes] == ["epoch", "epoch"]
    four = draw_curves(Shape(), {f"a={number}": curves["a=2"] for number in range(4)})
    assert len(four.axes) == 4  # no empty panel beside the last one


def test_the_overlay_shows_forecasts_truth_and_baselines(read_lines: ReadLines, read_band: ReadBand) -> None:
    """A line is missing, or is not what the legend calls it; dates or the unit are not those of the test part."""
    figure = overlay()
    (axis,) = figure.axes
    expected = {
        "actual": ACTUAL,
        "look_back=3, mean of seeds": ACTUAL + 2,
        "persistence": ACTUAL - 1,
        "linear fit": ACTUAL + 0.5,
    }
    assert read_lines(axis) == {name: ([*range(6)], values.tolist()) for name, values in expected.items()}
    assert read_band(axis) == {step: (value + 1, value + 3) for step, value in enumerate(ACTUAL)}
    assert sorted(legend_of(figure)) == sorted([*expected, "lowest to highest seed"])
    shown = dict(zip(axis.get_xticks().tolist(), (text.get_text() for text in axis.get_xticklabels()), strict=True))
    assert shown == {step: TIMES[step].removesuffix(" 00:00:00") for step in shown}
    assert {0, 5} <= set(shown)
    assert axis.get_title(loc="left") == "load [kW]"


def test_one_seed_has_no_range_in_the_overlay() -> None:
    """A band of no width stands in the legend."""
    figure = overlay(SEEDS[:1], {})
    assert not figure.axes[0].collections
    assert legend_of(figure) == ["actual", "look_back=3, mean of seeds"]


def test_the_fan_lies_where_the_intervals_end() -> None:
    """The fan is that of other steps, the wide interval covers the narrow one, or a legend calls one the other."""
    bands = {"80": np.stack([ACTUAL - 1, ACTUAL + 2]), "95": np.stack([ACTUAL - 3, ACTUAL + 5])}
    bands["95"][:, :2] = np.nan  # too few errors were known
    forecast = Forecast("look_back=3", TIMES, ACTUAL, SEEDS, {}, "load [kW]", bands)
    figure = draw_overlay(Shape(), forecast)
    (axis,) = figure.axes
    ends = []
    for each in axis.collections:
        corners = np.concatenate([path.vertices for path in each.get_paths()])
        at = corners[corners[:, 0] == 3, 1]  # the truth is 5 there
        ends.append((float(at.min()), float(at.max())))
    assert ends == [(4.0, 7.0), (2.0, 4.0), (7.0, 10.0)]
    assert legend_of(figure) == ["actual", "look_back=3, mean of seeds", "80 % interval", "95 % interval"]
    bottom, top = axis.get_ylim()
    assert bottom <= 0.0 and top >= 8.0  # the narrower one is always in sight


def test_the_map_has_every_score_in_its_cell() -> None:
    """A score stands in another cell than its levels, has no colour, or a cell that was not trained has one."""
    scores = np.array([[1.5, 2.5], [np.nan, 4.5], [5.5, 6.5]])
    figure = draw_map(
        Shape(), ("look_back", "stateful"), (["1", "3", "6"], ["false", "true"]), scores, "test RMSE [kW]"
    )
    (axis,) = figure.axes
    (mesh,) = (each for each in axis.collections if isinstance(each, QuadMesh))
    np.testing.assert_array_equal(np.ma.filled(mesh.get_array(), np.nan), scores)
    rows = dict(zip(axis.get_yticks().tolist(), (text.get_text() for text in axis.get_yticklabels()), strict=True))
    columns = dict(zip(axis.get_xticks().tolist(), (text.get_text() for text in axis.get_xticklabels()), strict=True))
    told = {(rows[text.get_position()[1]], columns[text.get_position()[0]]): text.get_text() for text in axis.texts}
    assert told == {
        ("look_back=1", "false"): "1.50",
        ("look_back=1", "true"): "2.50",
        ("look_back=3", "true"): "4.50",
        ("look_back=6", "false"): "5.50",
        ("look_back=6", "true"): "6.50",
    }
    bottom, top = axis.get_ylim()
    assert top < bottom  # the first level is on top
    assert (axis.get_xlabel(), axis.get_title(loc="left")) == ("stateful", "test RMSE [kW]")
