"""Settings and helpers that every test shares."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# The product sets these before it imports TensorFlow and MLflow; tests import rooms directly.
from pipeline.environment import prepare_environment

prepare_environment()

ROOT = Path(__file__).resolve().parent.parent
Command = Callable[..., subprocess.CompletedProcess[str]]


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

    def run(*arguments: str, timeout: float = 300, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipeline.run", *arguments],
            cwd=tmp_path,
            env={**os.environ, "MLFLOW_TRACKING_URI": store_uri, **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-combination", action="store_true", help="compare the engines on all 192 combinations (ten minutes)"
    )
