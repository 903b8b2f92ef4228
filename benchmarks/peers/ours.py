"""Forecast one set with pipeline.search, or with the ridge regression that every run is compared with.

python -m benchmarks.peers.ours search airline 12 FOLDER --budget 120s
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.peers.files import forecast_file, make_parser, read_set, write_forecast
from benchmarks.peers.sets import SETS, TEST_FRACTION, find_test_start

CONTENDERS = ("search", "ridge")


def forecast_search(values: pd.DataFrame, name: str, horizon: int, budget: str, seeds: int) -> np.ndarray:
    """Return what the champion's seeds forecast in the mean. Shape (test, series), in the data's own units.

    The network forecasts every step up to `horizon`, as those of the peers do.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        values.melt(ignore_index=False, var_name="series", value_name="observed").to_csv(folder / "set.csv")
        lanes = ["dataset.lane_column=series"] if values.shape[1] > 1 else []
        subprocess.run(
            [
                *(sys.executable, "-m", "pipeline.search", "dataset=csv", "dataset.path=set.csv"),
                *(f"dataset.name={name}", "dataset.time_column=step", "dataset.features=[observed]", *lanes),
                *(f"dataset.period={SETS[name].period}", f"dataset.test_fraction={TEST_FRACTION}"),
                *("output=result.json", f"horizon={horizon}"),
                *(f"seeds={seeds}", f"budget={budget}"),
            ],
            cwd=folder,
            env={**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"},
            check=True,
        )  # fmt: skip
        run_id = json.loads((folder / "result.json").read_text())["champion"]["run_id"]
        (path,) = folder.rglob(f"{run_id}/**/predictions.csv")
        table = pd.read_csv(path)
    table = table[(table["part"] == "test") & (table["horizon"] == horizon)].assign(
        series=table.get("lane", values.columns[0])
    )
    return table.pivot(index="timestamp", columns="series", values="prediction")[values.columns].to_numpy()


def forecast_ridge(values: np.ndarray, period: int, horizon: int) -> np.ndarray:
    """Fit each series on its lags, the penalty chosen by the last fifth of the training part. Shape (test, series)."""
    start = find_test_start(len(values))
    validation = find_test_start(start)
    return forecast_ridge_since(validation, values, period, horizon)[start - validation :]


def forecast_ridge_since(validation: int, values: np.ndarray, period: int, horizon: int) -> np.ndarray:
    """Do the same with another validation part, and forecast that, too. Shape (validation and test, series)."""
    from pipeline.baselines.ridge import fit_ridge

    start, lags = find_test_start(len(values)), max(12, 2 * period)
    origins = np.arange(lags - 1, len(values) - horizon)
    ends = origins + horizon  # the step that is forecast
    train, choose, later = ends < validation, (ends >= validation) & (ends < start), ends >= validation
    found = []
    for column in values.T:
        inputs = np.stack([column[origins - lag] for lag in range(lags)], axis=-1)  # (windows, lags)
        answers = column[ends, None]  # (windows, 1)
        found.append(fit_ridge(inputs[train], answers[train], inputs[choose], answers[choose], inputs[later])[:, 0])
    return np.stack(found, axis=-1)


def main() -> None:
    parser = make_parser(__doc__, CONTENDERS)
    parser.add_argument("--budget", default="120s", help="of the search, as its own budget=")
    parser.add_argument("--seeds", type=int, default=16, help="of the champion")
    arguments = parser.parse_args()
    name, horizon = arguments.name, arguments.horizon
    values = read_set(arguments.folder, arguments.name)
    if arguments.contender == "ridge":
        found = forecast_ridge(values.to_numpy(), SETS[name].period, horizon)
    else:
        found = forecast_search(values, name, horizon, arguments.budget, arguments.seeds)
    path = forecast_file(arguments.folder, arguments.name, arguments.horizon, arguments.contender)
    write_forecast(path, values, found)


if __name__ == "__main__":
    main()
