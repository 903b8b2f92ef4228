"""Forecast sets with a peer's own intervals, in the environment that make peers installs.

python -m benchmarks.peers.intervals.theirs auto_ets 1 FOLDER airline wine

Each is fitted once, on what lies before the first origin of the test part, as in benchmarks/peers/theirs.py.
"""

import logging
import os
import warnings

import numpy as np
import pandas as pd

from benchmarks.peers.intervals.scores import COVERAGES, join_quantiles
from benchmarks.peers.intervals.work import Forecast, Found, run_worker
from benchmarks.peers.sets import SETS, find_test_start
from benchmarks.peers.theirs import as_long, network_options, num_lags

Array = np.ndarray
PERCENT = [round(100 * each) for each in COVERAGES]
DEFAULT_STEPS, FEWER_STEPS = 1000, 300


def forecast_auto_ets(values: pd.DataFrame, name: str, horizon: int) -> Found:
    """Its own intervals, which suppose normal errors; its forecast, the mean, is the median of these."""
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    model = AutoETS(season_length=SETS[name].period, alias="model")
    found = StatsForecast(models=[model], freq=1, n_jobs=1).cross_validation(
        df=as_long(values.to_numpy()), h=horizon, n_windows=_windows(values), step_size=1, refit=False, level=PERCENT
    )
    return {"auto_ets": _read_quantiles(found.rename(columns={"model": "model-mean"}), horizon, "-mean")}


def forecast_lstm(values: pd.DataFrame, name: str, horizon: int, steps: int = DEFAULT_STEPS) -> Found:
    """NeuralForecast's LSTM with Student's t, and all else as it comes: two layers of 128, batches of 128 windows."""
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import DistributionLoss
    from neuralforecast.models import LSTM

    loss = DistributionLoss("StudentT", level=PERCENT)
    lags = num_lags(SETS[name].period)
    model = LSTM(h=horizon, input_size=lags, max_steps=steps, loss=loss, random_seed=1, **network_options())
    found = NeuralForecast(models=[model], freq=1).cross_validation(
        as_long(values.to_numpy()), n_windows=_windows(values), step_size=1
    )
    return {"lstm_student_t" if steps == DEFAULT_STEPS else f"lstm_{steps}": _read_quantiles(found, horizon, "-median")}


def forecast_lstm_shortly(values: pd.DataFrame, name: str, horizon: int) -> Found:
    """The same with fewer steps, which is so much faster that it has all sets."""
    return forecast_lstm(values, name, horizon, FEWER_STEPS)


CONTENDERS: dict[str, Forecast] = {
    "auto_ets": forecast_auto_ets,
    "lstm_student_t": forecast_lstm,
    f"lstm_{FEWER_STEPS}": forecast_lstm_shortly,
}


def _windows(values: pd.DataFrame) -> int:
    return len(values) - find_test_start(len(values))


def _read_quantiles(found: pd.DataFrame, horizon: int, median: str) -> Array:
    """Return the quantiles of what is `horizon` steps ahead. Shape (test, series, levels)."""
    chosen = found[found["ds"] - found["cutoff"] == horizon]

    def read(ending: str) -> Array:
        (column,) = [name for name in found.columns if name.endswith(ending)]
        return chosen.pivot(index="ds", columns="unique_id", values=column).to_numpy()

    lows, highs = (np.stack([read(f"-{side}-{each}") for each in PERCENT]) for side in ("lo", "hi"))
    return join_quantiles(lows, read(median), highs)


def main() -> None:
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    os.environ["NIXTLA_ID_AS_COL"] = "1"
    run_worker(__doc__, CONTENDERS)


if __name__ == "__main__":
    main()
