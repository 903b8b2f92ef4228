"""Forecast sets with the network of a fixed recipe, a ridge regression, or the last season; each with its intervals.

python -m benchmarks.peers.intervals.ours network 1 FOLDER airline wine
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.peers.intervals.scores import COVERAGES, LEVELS, join_quantiles
from benchmarks.peers.intervals.work import Forecast, Found, run_worker
from benchmarks.peers.ours import forecast_ridge_since
from benchmarks.peers.sets import SETS, find_test_start

Array = np.ndarray
_FEWEST = 20  # errors in the validation part: a 95 % interval needs 19
_SHORT = 500  # time steps before the test part, up to which a set is learnt in small batches
RECIPE = (
    "model.units=[16]", "model.skip=linear", "dataset.normalise=window_last", "dataset.scaler=standard",
    "training.learning_rate=0.01", "training.epochs=200", "training.patience=20", "seeds=4",
)  # fmt: skip


def find_validation_start(length: int, horizon: int) -> int:
    """Return where the last fifth before the test part begins, or more, so that intervals exist from its first step.

    Example:
        >>> find_validation_start(1000, 1), find_validation_start(107, 1), find_validation_start(107, 12)
        (640, 64, 53)
    """
    start = find_test_start(length)
    return min(find_test_start(start), start - _FEWEST - horizon)


def train_network(values: pd.DataFrame, name: str, horizon: int, head: list[str]) -> pd.DataFrame:
    """Train the recipe and return the predictions of the test part, in the order of time within each series."""
    from pipeline import train

    period, start = SETS[name].period, find_test_start(len(values))
    long = values.melt(ignore_index=False, var_name="series", value_name="observed").reset_index()
    lanes = ["dataset.lane_column=series"] if values.shape[1] > 1 else []
    run = train(
        *(f"dataset.name={name}", "dataset.time_column=step", "dataset.features=[observed]", *lanes),
        *(f"dataset.validation_start={find_validation_start(len(values), horizon)}", f"dataset.test_start={start}"),
        *(f"dataset.period={period}", f"horizon={horizon}", f"look_back={max(12, 2 * period)}"),
        *(f"batch_size={16 if start <= _SHORT else 64}", f"evaluation.coverage={_list(COVERAGES)}", *RECIPE, *head),
        data=long if lanes else long.drop(columns="series"),
    )
    found = run.predictions()
    found = found[found["part"] == "test"]
    return found.assign(series=found["lane"] if lanes else values.columns[0])


def forecast_network(values: pd.DataFrame, name: str, horizon: int) -> Found:
    """The network says a point; conformal intervals around the mean of its seeds."""
    found = train_network(values, name, horizon, ["model.head=point"])
    return {"network": _conformal(found, values, "prediction")}


def forecast_network_quantile(values: pd.DataFrame, name: str, horizon: int) -> Found:
    """The network says quantiles: as they are, and conformalised."""
    found = train_network(values, name, horizon, ["model.head=quantile", f"model.quantiles={_list(LEVELS)}"])
    said = np.stack([_wide(found, values, f"quantile_{level:g}") for level in LEVELS], axis=-1)
    return {
        "network_quantile": said,
        "network_quantile_conformal": _conformal(found, values, "quantile_0.5"),
    }


def forecast_ridge_conformal(values: pd.DataFrame, name: str, horizon: int) -> Found:
    """The linear fit, with the intervals that every run puts around it."""
    from pipeline.evaluation.conformal import follow_series

    actual, start = values.to_numpy(), find_test_start(len(values))
    validation = find_validation_start(len(values), horizon)
    points = np.full(actual.shape, np.nan)
    points[validation:] = forecast_ridge_since(validation, actual, SETS[name].period, horizon)
    whole = [slice(0, len(actual))]
    radii, _ = follow_series(actual, points[:, None], whole, [validation], [start], COVERAGES, [horizon])
    reach = np.moveaxis(radii[start:, 0], -1, 0)  # (coverages, test, series)
    return {"ridge_conformal": join_quantiles(points[start:] - reach, points[start:], points[start:] + reach)}


def forecast_seasonal_naive(values: pd.DataFrame, name: str, horizon: int) -> Found:
    """The newest known value of the season, plus the quantiles of the errors of that before the test part."""
    actual, start, period = values.to_numpy(), find_test_start(len(values)), SETS[name].period
    back = period * -(-horizon // period)
    errors = actual[back:start] - actual[: start - back]
    quantiles = np.quantile(errors, LEVELS, axis=0).T  # (series, levels)
    return {"seasonal_naive": actual[start - back : len(actual) - back, :, None] + quantiles}


CONTENDERS: dict[str, Forecast] = {
    "network": forecast_network,
    "network_quantile": forecast_network_quantile,
    "ridge_conformal": forecast_ridge_conformal,
    "seasonal_naive": forecast_seasonal_naive,
}
ALSO = ("network_quantile_conformal",)  # comes with the network of quantiles


def _conformal(found: pd.DataFrame, values: pd.DataFrame, median: str) -> Array:
    lows, highs = (
        np.stack([_wide(found, values, f"{side}_{100 * share:g}") for share in COVERAGES]) for side in ("low", "high")
    )
    return join_quantiles(lows, _wide(found, values, median), highs)


def _wide(found: pd.DataFrame, values: pd.DataFrame, column: str) -> Array:
    """Return a column of the predictions. Shape (test, series)."""
    table = found.pivot(index="timestamp", columns="series", values=column)
    return table[values.columns].sort_index().to_numpy()


def _list(numbers: tuple[float, ...]) -> str:
    return f"[{','.join(f'{each:g}' for each in numbers)}]"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:  # of MLflow's database and files
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{Path(folder) / 'mlflow.db'}"
        run_worker(__doc__, CONTENDERS)


if __name__ == "__main__":
    main()
