"""What a run leaves in its folder: the figure shows the last horizon step, each lane in a panel of its own."""

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from pipeline.artifacts import run_files
from pipeline.artifacts.recipe_files import describe_scaling
from pipeline.artifacts.run_files import Results, draw_run_figures, write_run_files
from pipeline.config.schema import Config, DatasetConfig, Horizons, Source
from pipeline.data.prepare import prepare_data
from pipeline.report.figures import run as figures
from pipeline.report.figures.run import MAX_PANELS, ForecastPanel

LENGTH = 40


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch) -> list[ForecastPanel]:
    """What would be drawn is kept."""
    kept: list[ForecastPanel] = []
    monkeypatch.setattr(run_files, "draw_forecast", lambda path, title, panels: kept.extend(panels))
    monkeypatch.setattr(run_files, "draw_learning_curve", lambda *arguments: None)
    return kept


def write(folder: Path, series, per_lane: bool = False) -> Config:
    dataset = DatasetConfig(
        name="test", source=Source.sine, horizons=Horizons.all, unit="kg", scaler_per_lane=per_lane, lane_column="stock"
    )
    config = Config(look_back=2, horizon=2, dataset=dataset)
    data = prepare_data(config, series)
    time = np.arange(len(series), dtype=float)
    each = np.stack([time + 1, time + 3])[:, :, None, None]  # (seeds, time, horizon_steps, targets)
    forecasts = np.concatenate([each + 100, each], axis=2)
    results = Results(
        answers=forecasts,
        forecasts=forecasts,  # the last horizon step is the one without 100
        baselines={"linear": np.stack([time + 200, time + 7], axis=1)[:, :, None]},
        metrics={"test_rmse": 1.0, "baseline_linear_rmse": 2.0},
        seeds=[{"seed": 7, "validation_rmse": 1.0}, {"seed": 8, "validation_rmse": 2.0}],
        lanes=[{"test_rows": 1.0}] * len(series.slices()),
        origins=[],
        best=0,
        losses={7: ([1.0, 0.5], [1.5, 0.75]), 8: ([2.0], [3.0])},
        scale=np.ones(1),
    )
    write_run_files(folder, config, data, results)
    for name, draw in draw_run_figures("a run", config, data, results).items():
        draw(folder / name)
    return config


def noise(lanes: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(size=LENGTH) for _ in range(lanes)]


def test_last_horizon_step_of_each_lane(tmp_path: Path, panels, make_panel) -> None:
    """The figure would show another horizon, lane or part than its axis says."""
    series = make_panel(noise(3))
    write(tmp_path, series)
    assert [panel.name for panel in panels] == ["lane0: a [kg]", "lane1: a [kg]", "lane2: a [kg]"]
    for number, panel in enumerate(panels):
        first = number * LENGTH
        rows = slice(first, first + LENGTH)
        np.testing.assert_array_equal(panel.actual, series.values[rows, 0])
        np.testing.assert_array_equal(panel.forecasts[:, 0], [first + 1, first + 3])
        np.testing.assert_array_equal(panel.linear[0], first + 7)
        assert panel.forecasts.shape == (2, LENGTH)
        assert panel.test_start == int(LENGTH * 0.67)
        assert panel.timestamps.tolist() == list(range(LENGTH))


def test_only_the_first_lanes_are_drawn(tmp_path: Path, panels, make_panel) -> None:
    """A figure of 400 stocks could not be read, or would take minutes."""
    write(tmp_path, make_panel(noise(9)))
    assert len(panels) == MAX_PANELS


def test_both_figures_show_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_panel) -> None:
    """A run has an empty figure, one without its score, or one in another unit."""
    drawn: dict[str, Figure] = {}
    monkeypatch.setattr(figures, "save_figure", lambda figure, path: drawn.update({path.name: figure}))
    write(tmp_path, make_panel(noise(2)))
    assert set(drawn) == {"forecast.png", "learning_curve.png"}
    forecast = drawn["forecast.png"].axes
    assert [axis.get_ylabel() for axis in forecast] == ["lane0: a [kg]", "lane1: a [kg]"]
    assert forecast[0].get_title() == "test: a run\ntest RMSE 1.000, linear fit 2.000 kg"
    for number, axis in enumerate(forecast):
        means = {str(line.get_label()).split(" (")[0]: line.get_ydata()[-1] for line in axis.lines}
        assert means["network, mean of seeds"] == (number + 1) * LENGTH + 1  # the last row of the lane, and 1 and 3
    (curves,) = drawn["learning_curve.png"].axes
    assert [list(line.get_ydata()) for line in curves.lines] == [[1.0, 0.5], [1.5, 0.75], [2.0], [3.0]]
    assert curves.get_title() == "test: a run\none line per seed"


@pytest.mark.parametrize("per_lane", [True, False])
def test_scaling_has_the_columns_of_each_lane(tmp_path: Path, panels, make_panel, per_lane: bool) -> None:
    """A client of the served model would scale with the numbers of another stock."""
    series = make_panel(noise(2))
    config = write(tmp_path, series, per_lane)
    scaling = json.loads((tmp_path / "scaling.json").read_text())
    assert scaling == describe_scaling(config, prepare_data(config, series))
    assert ("lanes" in scaling, "columns" in scaling) == (per_lane, not per_lane)
    train = [series.values[rows][: int(LENGTH * 0.67) - int(LENGTH * 0.17)] for rows in series.slices()]
    each = train if per_lane else [np.concatenate(train)]
    for lane, columns in enumerate(scaling["lanes"].values() if per_lane else [scaling["columns"]]):
        assert columns["a"] == pytest.approx({"offset": each[lane].min(), "scale": np.ptp(each[lane])})
