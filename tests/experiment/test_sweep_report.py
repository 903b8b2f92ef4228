"""What the report of a sweep reads from the files of its runs."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artifacts.errors_file import NAME, write_test_errors
from pipeline.artifacts.tables import write_predictions
from pipeline.experiment.sweep_report import _read_forecast
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
    facts = ["price"], [1], test, actual, forecasts, baselines, [1, 2], [1.0, 1.0], np.ones(1)
    write_test_errors(tmp_path / NAME, days, *facts)
    drawn = _read_forecast(tmp_path, where, "look_back=3", "euro", POINT)
    assert (drawn.label, drawn.times) == ("small: price [euro], 1 ahead", ["0", "1", "2", "3", "4"])
    np.testing.assert_allclose(drawn.actual, 1)
    np.testing.assert_allclose(drawn.seeds, [[2] * ROWS, [3] * ROWS])
    np.testing.assert_allclose(drawn.baselines["linear"], 4)
