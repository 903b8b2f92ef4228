"""One small sweep of a table, trained once for all tests of the Python door."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.api.records import Runs

SETTINGS = ("look_back=2", "horizon=2", "dataset.horizons=all", "training.epochs=1", "seeds=2", "dataset.name=sales")


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    months = np.arange(80)
    noise = np.random.default_rng(3).normal(scale=0.2, size=80)
    dates = pd.date_range("2018-01-01", periods=80, freq="MS")
    return pd.DataFrame({"sales": 10 + 3 * np.sin(months / 2) + noise}, index=dates)


@pytest.fixture(scope="session")
def store_of_runs(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> str:
    return make_store(tmp_path_factory.mktemp("door"))


@pytest.fixture(scope="session")
def runs(frame: pd.DataFrame, store_of_runs: str) -> Runs:
    """A stateless and a stateful run."""
    from pipeline import sweep

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store_of_runs)
        return sweep("stateful=false,true", *SETTINGS, data=frame)
