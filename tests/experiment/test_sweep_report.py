"""What the report of a sweep reads from the files of its runs."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artifacts.errors_file import NAME, measure_test_errors, write_test_errors
from pipeline.artifacts.tables import write_calibration, write_predictions
from pipeline.evaluation.calibration import Calibration
from pipeline.experiment.sweep_report import _read_forecast, _read_reliability
from pipeline.models.heads.point import POINT

LANES, ROWS = ("small", "large"), 5  # all of them in the test part


def test_many_lanes_are_not_joined_into_one_curve(tmp_path: Path) -> None:
    """The forecast of a panel would jump from the last day of one stock to the first day of the next."""
    names = np.repeat(LANES, ROWS)
    days = pd.Index(np.tile(np.arange(ROWS), len(LANES)))
    actual = np.repeat([1.0, 100.0], ROWS)[:, None]  # (time, targets)
    forecasts = np.stack([actual + 1, actual + 2])[:, :, None]  # (seeds, time, horizon_steps, targets)
    baselines = {"linear": (actual + 3)[:, None]}
    test = np.full(len(days), True)
    where = tmp_path / "predictions.csv"
    write_predictions(where, days, ["price"], [1], np.repeat("test", len(days)), actual, forecasts, [1, 2], names)
    table = pd.read_csv(where)
    table.assign(low_80=table["actual"] - 1, high_80=table["actual"] + 2).to_csv(where, index=False)
    facts = ["price"], [1], test, actual, forecasts, baselines, [1, 2], [1.0, 1.0], np.ones(1)
    write_test_errors(tmp_path / NAME, measure_test_errors(days, *facts))
    drawn = _read_forecast(tmp_path, where, "look_back=3", "euro", POINT)
    assert (drawn.label, drawn.times) == ("small: price [euro], 1 ahead", ["0", "1", "2", "3", "4"])
    np.testing.assert_allclose(drawn.actual, 1)
    np.testing.assert_allclose(drawn.seeds, [[2] * ROWS, [3] * ROWS])
    np.testing.assert_allclose(drawn.baselines["linear"], 4)
    np.testing.assert_allclose(drawn.bands["80"], [[0] * ROWS, [3] * ROWS])


def test_only_what_is_scored_is_drawn(tmp_path: Path) -> None:
    """The report of a sweep with dataset.future and several steps ahead is left out: its last rows are not scored."""
    days, actual = pd.Index(np.arange(ROWS)), np.arange(float(ROWS))[:, None]
    forecasts = np.tile(actual[None, :, None], (1, 1, 2, 1))  # (seeds, time, horizon_steps, targets)
    forecasts[:, -1, 0] = np.nan  # one step ahead of the last row nobody knew what comes after it
    where, test = tmp_path / "predictions.csv", np.arange(ROWS) < ROWS - 1
    write_predictions(where, days, ["price"], [1, 2], np.repeat("test", ROWS), actual, forecasts, [1], None)
    facts = ["price"], [1, 2], test, actual, forecasts, {"linear": forecasts[0] + 3}, [1], [1.0], np.ones(1)
    write_test_errors(tmp_path / NAME, measure_test_errors(days, *facts))
    drawn = _read_forecast(tmp_path, where, "look_back=3", "euro", POINT)
    assert drawn.times == ["0", "1", "2", "3"]
    np.testing.assert_allclose(drawn.baselines["linear"], [3, 4, 5, 6])


def test_the_quantiles_that_are_drawn_are_those_of_the_file(tmp_path: Path) -> None:
    """The reliability diagram would show the baseline's shares under the name of the network."""
    calibrations = {
        name: Calibration((0.1, 0.5, 0.9), np.array(below), 40, 0.5, 0.1)
        for name, below in (("network", [0.05, 0.5, 0.95]), ("linear", [0.2, 0.4, 0.8]), ("drift", [0.0, 0.0, 0.1]))
    }
    write_calibration(tmp_path / "calibration.csv", calibrations)
    drawn = _read_reliability(tmp_path / "calibration.csv")
    assert list(drawn.levels) == [0.1, 0.5, 0.9]
    network, linear = drawn.found.values()
    assert network.below.tolist() == [0.05, 0.5, 0.95] and linear.below.tolist() == [0.2, 0.4, 0.8]
    assert (network.lows < network.below).all() and (network.below < network.highs).all()
