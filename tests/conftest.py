"""Settings and helpers that every test shares."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

from pipeline.data.series import Series

# The product sets these before it imports TensorFlow and MLflow; tests import rooms directly.
from pipeline.environment import prepare_environment

prepare_environment()

# No test may fail because the machine is busy, and a run of the suite tries the same examples as the one before.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")

ROOT = Path(__file__).resolve().parent.parent
Command = Callable[..., subprocess.CompletedProcess[str]]
MakePanel = Callable[..., Series]


@pytest.fixture(autouse=True)
def no_foreign_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of the person who runs the tests out of them."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "HYDRA_FULL_ERROR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store_uri(tmp_path: Path) -> str:
    """URI of an MLflow store of this test's own."""
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def command(tmp_path: Path, store_uri: str) -> Command:
    """Run `python -m pipeline.run ARGUMENTS` as a user does, in a folder and with an MLflow store of its own."""

    def run(*arguments: str, timeout: float = 1200, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipeline.run", *arguments],
            cwd=tmp_path,
            env={**os.environ, "MLFLOW_TRACKING_URI": store_uri, **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


@pytest.fixture(scope="session")
def make_panel() -> MakePanel:
    def make(lanes: Sequence[np.ndarray], starts: Sequence[int] | None = None, filled: Sequence[int] = ()) -> Series:
        """Lay lanes of values, each (time, columns) or (time,), one after another.

        `starts` is the first timestamp of each lane, by default 0; `filled` are rows of the whole, filled in.
        """
        columns = [np.reshape(lane, (len(lane), -1)).astype(float) for lane in lanes]
        values = np.concatenate(columns)
        first = starts or [0] * len(lanes)
        names = tuple("abc"[: values.shape[1]])
        where = np.zeros(values.shape, dtype=bool)
        where[list(filled)] = True
        return Series(
            timestamps=pd.Index(np.concatenate([np.arange(len(x)) + at for x, at in zip(columns, first, strict=True)])),
            values=values,
            columns=names,
            features=names,
            targets=names[:1],
            filled=where,
            origin="test",
            lane_names=tuple(f"lane{number}" for number in range(len(lanes))),
            lane_ends=tuple(np.cumsum([len(lane) for lane in columns]).tolist()),
        )

    return make


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-combination", action="store_true", help="compare the engines on all 192 combinations (ten minutes)"
    )
