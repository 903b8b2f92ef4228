"""Forecast one set with one of the peers, in the environment that make peers installs.

python -m benchmarks.peers.theirs auto_ets airline 12 FOLDER [--quick]

A forecast of step t, `horizon` steps ahead, knows the values up to step t - horizon; the network or model was fitted
once, on what lies before the first such origin of the test part, and is not fitted again as the origin moves on.
"""

import logging
import os
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.peers.files import forecast_file, make_parser, read_set, write_forecast
from benchmarks.peers.sets import SETS, find_test_start

Array = np.ndarray


def forecast_seasonal_naive(values: Array, period: int, horizon: int, quick: bool) -> Array:
    """Repeat the newest known value of the same season. Here and below: (time, series) to (test, series)."""
    back = period * -(-horizon // period)
    steps = np.arange(find_test_start(len(values)), len(values))
    return values[steps - back]


def forecast_auto_ets(values: Array, period: int, horizon: int, quick: bool) -> Array:
    from statsforecast.models import AutoETS

    return _forecast_classical(AutoETS(season_length=period, alias="model"), values, horizon)


def forecast_auto_arima(values: Array, period: int, horizon: int, quick: bool) -> Array:
    from statsforecast.models import AutoARIMA

    return _forecast_classical(AutoARIMA(season_length=period, alias="model"), values, horizon)


def forecast_auto_theta(values: Array, period: int, horizon: int, quick: bool) -> Array:
    from statsforecast.models import AutoTheta

    return _forecast_classical(AutoTheta(season_length=period, alias="model"), values, horizon)


def forecast_lstm(values: Array, period: int, horizon: int, quick: bool) -> Array:
    from neuralforecast.models import LSTM

    steps = 20 if quick else 1000
    model = LSTM(
        h=horizon, input_size=num_lags(period), max_steps=steps, random_seed=1, alias="model", **network_options()
    )
    return _forecast_neural(model, values, horizon)


def forecast_auto_lstm(values: Array, period: int, horizon: int, quick: bool) -> Array:
    """Optuna chooses among the library's own space by its validation part, which is as long as the test part."""
    from neuralforecast.auto import AutoLSTM

    space = AutoLSTM.get_default_config(h=horizon, backend="optuna")

    def choose(trial: object) -> dict[str, object]:
        return {**space(trial), **({"max_steps": 20} if quick else {}), **network_options()}

    model = AutoLSTM(h=horizon, config=choose, num_samples=2 if quick else 10, backend="optuna", alias="model")
    return _forecast_neural(model, values, horizon, len(values) - find_test_start(len(values)))


def forecast_darts_rnn(values: Array, period: int, horizon: int, quick: bool) -> Array:
    """Darts' LSTM with its own defaults, each series scaled to 0..1 by what lies before the test part.

    One network for all series of a panel. Further steps are its own forecasts, fed back.
    """
    from darts import TimeSeries
    from darts.dataprocessing.transformers import Scaler
    from darts.models import RNNModel

    start, lags = find_test_start(len(values)), num_lags(period)
    model = RNNModel(
        input_chunk_length=lags, training_length=lags + horizon, model="LSTM", n_epochs=5 if quick else 100,
        random_state=1, pl_trainer_kwargs=_trainer(),
    )  # fmt: skip
    series = [TimeSeries.from_values(column) for column in values.astype(np.float32).T]
    scaler = Scaler(global_fit=False).fit([each[:start] for each in series])
    scaled = scaler.transform(series)
    model.fit([each[: start - horizon + 1] for each in scaled], verbose=False)
    found = model.historical_forecasts(
        scaled, start=start - horizon + 1, start_format="position", forecast_horizon=horizon, retrain=False,
        last_points_only=True, verbose=False,
    )  # fmt: skip
    return np.concatenate([each.values() for each in scaler.inverse_transform(found)], axis=1)


def forecast_boosted_trees(values: Array, period: int, horizon: int, quick: bool) -> Array:
    """One model for all series: the change until `horizon` later, from lagged differences, in units of their spread."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    start, lags = find_test_start(len(values)), num_lags(period)
    spread = np.diff(values[:start], axis=0).std(axis=0)  # (series,)
    scaled = values / np.where(spread > 0, spread, 1)
    changes = np.diff(scaled, axis=0, prepend=scaled[:1])
    origins = np.arange(lags, len(values) - horizon)
    inputs = np.stack([changes[origins - lag] for lag in range(lags)], axis=-1)  # (origins, series, lags)
    answers = scaled[origins + horizon] - scaled[origins]  # (origins, series)
    train, test = origins + horizon < start, origins + horizon >= start
    model = HistGradientBoostingRegressor(random_state=1).fit(inputs[train].reshape(-1, lags), answers[train].ravel())
    found = model.predict(inputs[test].reshape(-1, lags)).reshape(-1, values.shape[1])
    return (scaled[origins[test]] + found) * np.where(spread > 0, spread, 1)


CONTENDERS: dict[str, Callable[[Array, int, int, bool], Array]] = {
    "seasonal_naive": forecast_seasonal_naive,
    "auto_ets": forecast_auto_ets,
    "auto_arima": forecast_auto_arima,
    "auto_theta": forecast_auto_theta,
    "lstm": forecast_lstm,
    "auto_lstm": forecast_auto_lstm,
    "darts_rnn": forecast_darts_rnn,
    "boosted_trees": forecast_boosted_trees,
}


def _forecast_classical(model: object, values: Array, horizon: int) -> Array:
    """Parameters are estimated once; `forward` of the library runs them over each longer past."""
    from statsforecast import StatsForecast

    windows = len(values) - find_test_start(len(values))
    forecaster = StatsForecast(models=[model], freq=1, n_jobs=1)
    found = forecaster.cross_validation(df=as_long(values), h=horizon, n_windows=windows, step_size=1, refit=False)
    return _as_wide(found, horizon)


def _forecast_neural(model: object, values: Array, horizon: int, validation: int = 0) -> Array:
    from neuralforecast import NeuralForecast

    windows = len(values) - find_test_start(len(values))
    forecaster = NeuralForecast(models=[model], freq=1)
    found = forecaster.cross_validation(as_long(values), n_windows=windows, step_size=1, val_size=validation)
    return _as_wide(found, horizon)


def network_options() -> dict[str, object]:
    """Return what every network is given: zeros before a short series, so that none is refused; and a quiet trainer."""
    return {"start_padding_enabled": True, **_trainer()}


def _trainer() -> dict[str, object]:
    return {"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}


def num_lags(period: int) -> int:
    return max(12, 2 * period)


def as_long(values: Array) -> pd.DataFrame:
    steps = np.arange(len(values))
    parts = [pd.DataFrame({"unique_id": number, "ds": steps, "y": column}) for number, column in enumerate(values.T)]
    return pd.concat(parts, ignore_index=True)


def _as_wide(found: pd.DataFrame, horizon: int) -> Array:
    chosen = found[found["ds"] - found["cutoff"] == horizon]
    (forecast,) = set(found.columns) - {"unique_id", "ds", "cutoff", "y"}  # its name differs between the libraries
    return chosen.pivot(index="ds", columns="unique_id", values=forecast).to_numpy()


def main() -> None:
    parser = make_parser(__doc__, CONTENDERS)
    parser.add_argument("--quick", action="store_true", help="a few steps and samples, to see that it works")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    os.environ["NIXTLA_ID_AS_COL"] = "1"
    values = read_set(arguments.folder, arguments.name)
    found = CONTENDERS[arguments.contender](
        values.to_numpy(), SETS[arguments.name].period, arguments.horizon, arguments.quick
    )
    path = forecast_file(arguments.folder, arguments.name, arguments.horizon, arguments.contender)
    write_forecast(path, values, found)


if __name__ == "__main__":
    main()
