"""A run of a notebook is put to work: on raw rows, and beyond the end of its table."""

import numpy as np
import pandas as pd
import pytest

from pipeline import forecast, load
from pipeline.api.records import Runs
from pipeline.base.errors import UserError


@pytest.fixture(autouse=True)
def store(store_of_runs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_of_runs)


def test_a_loaded_run_forecasts_what_it_was_scored_with(runs: Runs, frame: pd.DataFrame) -> None:
    """What a notebook puts to work is another network, or another scale, than the one in the table."""
    for run in runs.trained():
        answer = load(run.run_id).predict(frame)
        assert list(answer)[:5] == ["time", "forecast_1", "forecast_2", "low_80_1", "low_80_2"]
        assert (answer["low_95_2"] < answer["low_80_2"]).all() and (answer["high_80_2"] < answer["high_95_2"]).all()
        assert answer["time"].iloc[-1] == frame.index[-1]
        seeds = run.seeds()
        best = f"seed_{seeds.loc[seeds['validation_rmse'].idxmin(), 'seed']}"
        predicted = run.predictions().query("horizon == 2 and part == 'test'")[best].to_numpy()
        np.testing.assert_allclose(answer["forecast_2"].to_numpy()[-len(predicted) - 2 : -2], predicted, rtol=1e-4)


def test_a_run_goes_on_after_the_end_of_its_table(runs: Runs, frame: pd.DataFrame) -> None:
    """A forecast of tomorrow needs a file, although the table is there."""
    run = runs.trained()[0]
    table = forecast(run, steps=3)
    assert table["timestamp"].iloc[-1] == frame.index[-1] + pd.DateOffset(months=3)
    pd.testing.assert_frame_equal(forecast(run.run_id, steps=3, data=frame), table)
    with pytest.raises(UserError, match="only Python has; give it again"):
        forecast(run.run_id, steps=3)
    with pytest.raises(UserError, match="no longer holds the values"):
        forecast(run.run_id, steps=3, data=frame + 1)
