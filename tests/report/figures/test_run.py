"""The figures of a run are pictures of the right size, for every kind of run, and show what they claim to show."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from pipeline.report.figures import run as figures
from pipeline.report.figures.run import ForecastPanel, draw_forecast, draw_learning_curve, draw_memory

DATES = pd.date_range("1949-01-01", periods=30, freq="MS")


def draw(path: Path, timestamps: pd.Index = DATES, targets: int = 1, seeds: int = 2, test_start: int = 20) -> None:
    random, time = np.random.default_rng(0), len(timestamps)
    actual = random.normal(size=(time, targets))
    actual[5] = np.nan  # a filled value
    forecasts = random.normal(size=(seeds, time, targets))
    forecasts[:, :3] = np.nan  # the first window ends later
    panels = [
        ForecastPanel(
            f"target {number} [units]",
            timestamps,
            test_start,
            actual[:, number],
            forecasts[:, :, number],
            forecasts[0, :, number],
        )
        for number in range(targets)
    ]
    draw_forecast(path, "a title\nof two lines", panels)


@pytest.mark.parametrize(
    ("changes", "panels"),
    [
        ({}, 1),
        ({"seeds": 1}, 1),
        ({"targets": 2}, 2),
        ({"targets": 6}, 4),  # more panels than four cannot be read
        ({"timestamps": pd.RangeIndex(30)}, 1),
        ({"timestamps": pd.Index(np.arange(30) / 2)}, 1),
        ({"timestamps": DATES.as_unit("s")}, 1),
        ({"test_start": 29}, 1),
        ({"test_start": 2}, 1),
        ({"timestamps": pd.RangeIndex(2000), "test_start": 1000}, 1),
    ],
    ids=lambda value: str(value)[:40],
)
def test_forecast_is_a_picture(changes, panels, tmp_path: Path) -> None:
    """A run would fail after its training because its figure cannot be drawn, or the picture would be unreadable."""
    draw(tmp_path / "forecast.png", **changes)
    picture = matplotlib.image.imread(tmp_path / "forecast.png")
    assert picture.shape == (220 + 180 * panels, 900, 4)
    assert picture[..., :3].std() > 0.05  # not a blank page


@pytest.mark.parametrize(
    "losses",
    [
        {1: ([0.5], [0.4])},
        {1: ([0.5, 0.25], [0.4, 0.3]), 2: ([0.6], [0.5])},
        {1: ([0.5, 0.0], [0.4, 0.3])},  # no logarithm of zero
    ],
    ids=["one epoch", "seeds of different length", "a loss of zero"],
)
def test_learning_curve_is_a_picture(losses, tmp_path: Path) -> None:
    """A run of one epoch, or one that stopped early, would fail when its learning curve is drawn."""
    draw_learning_curve(tmp_path / "curve.png", "a title", losses)
    picture = matplotlib.image.imread(tmp_path / "curve.png")
    assert picture.shape == (400, 900, 4)
    assert picture[..., :3].std() > 0.05


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures are kept instead of written."""
    kept: list[Figure] = []
    monkeypatch.setattr(figures, "save_figure", lambda figure, path: kept.append(figure))
    return kept


def test_forecast_shows_what_its_legend_says(drawn, read_lines, read_band) -> None:
    """The figure would show another curve, seed or part than its legend says, or none at all."""
    time = np.arange(30.0)
    each = np.stack([time + 1, time + 3])  # (seeds, time)
    draw_forecast(
        Path("unused.png"), "a title", [ForecastPanel("weight [kg]", pd.RangeIndex(30), 24, time, each, time + 7)]
    )
    (axis,) = drawn[0].axes
    shown = time[18:]  # as many rows before the test part as in it
    expected = {"actual": shown, "linear fit, same lags": shown + 7, "network, mean of seeds": shown + 2}
    assert read_lines(axis) == {name: (shown.tolist(), values.tolist()) for name, values in expected.items()}
    assert read_band(axis) == {row: (row + 1, row + 3) for row in shown}
    (test_part,) = (patch for patch in axis.patches if patch.get_label() == "test part")
    assert (test_part.get_x(), test_part.get_x() + test_part.get_width()) == (24, 29)
    legend = [text.get_text() for text in axis.figure.legends[0].get_texts()]
    assert legend == [*expected, "lowest to highest seed", "test part"]
    assert (axis.get_ylabel(), axis.get_title()) == ("weight [kg]", "a title")


def test_memory_shows_both_curves_and_the_score(drawn, read_lines) -> None:
    """A reader would see no curve, swap the two, or not know in which unit they are."""
    warm_up, zeroed = np.array([9.0, 7.0, 6.5]), np.array([9.0, 8.0, 7.5])
    draw_memory(Path("unused.png"), "It remembers 3 steps.", "validation RMSE [kW]", "step", warm_up, zeroed, whole=6.0)
    (axis,) = drawn[0].axes
    lines = read_lines(axis)
    assert lines.pop("as it was scored")[1] == [6.0, 6.0]
    assert lines == {
        "after so many steps from a zero state": ([1, 2, 3], [9.0, 7.0, 6.5]),
        "state zeroed every so many steps": ([1, 2, 3], [9.0, 8.0, 7.5]),
    }
    assert [text.get_text() for text in axis.get_legend().get_texts()] == [*lines, "as it was scored"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("steps read, or between two zeros", "validation RMSE [kW]")
    assert axis.get_title() == "It remembers 3 steps."


def test_learning_curve_counts_epochs_from_one(drawn) -> None:
    """The best epoch would be read off one too early; or training and validation would be swapped."""
    draw_learning_curve(Path("unused.png"), "t", {1: ([0.5, 0.25], [0.75, 0.6]), 2: ([0.9], [0.8])})
    (axis,) = drawn[0].axes
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in axis.lines] == [
        ([1, 2], [0.5, 0.25]),
        ([1, 2], [0.75, 0.6]),
        ([1], [0.9]),
        ([1], [0.8]),
    ]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["training", "validation"]
    assert axis.get_yscale() == "log"
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("epoch", "loss, scaled units")
    assert axis.get_title() == "t\none line per seed"
