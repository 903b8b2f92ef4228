"""A run with dataset.transforms=auto and dataset.calendar, from its training to everything that serves it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from pipeline import forecast, load, train
from pipeline.api.forecasting import open_model
from pipeline.api.records import Run
from pipeline.base.paths import data_dir
from pipeline.config.schema import TrackingConfig
from pipeline.serving.stream import Stream

SETTINGS = ("dataset.transforms=auto", "dataset.calendar=[month]", "training.epochs=1", "seeds=1", "look_back=2")
CHOSEN = '["log", "difference", "seasonal_difference"]'
FILE = data_dir() / "airline.csv"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> str:
    return make_store(tmp_path_factory.mktemp("auto"))


@pytest.fixture(autouse=True)
def here(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)


@pytest.fixture(scope="module")
def run(store: str) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        return train(*SETTINGS)


def scored(run: Run) -> np.ndarray:
    return run.predictions().query("part == 'test'")["prediction"].to_numpy()


def test_the_run_keeps_what_was_chosen_and_why(run: Run, store: str) -> None:
    """Serving a run would choose again, or nobody could tell by what it was trained."""
    logged = MlflowClient(store).get_run(run.run_id).data
    assert logged.params["dataset.transforms"] == CHOSEN
    assert logged.tags["transforms_auto"].startswith("dataset.transforms=auto chose [log,difference,")


def test_auto_finds_its_finished_run(run: Run, store: str) -> None:
    """The same command with resume=true trains again, or the same list given by hand does."""
    by_hand = f"dataset.transforms={CHOSEN.replace(chr(34), '').replace(' ', '')}"
    for transforms in (SETTINGS[0], by_hand):
        assert train(transforms, *SETTINGS[1:], "resume=true").run_id == run.run_id


def test_a_table_and_a_stream_give_the_predictions_of_the_run(run: Run, store: str) -> None:
    """What is served is not what was scored: transforms or calendar of a row are others."""
    rows = pd.read_csv(FILE, parse_dates=["month"])
    answer = load(run.run_id).predict(rows)["forecast"].to_numpy()
    np.testing.assert_allclose(answer[-len(scored(run)) - 1 : -1], scored(run), rtol=1e-4)
    stream = Stream(open_model(run.run_id, TrackingConfig(uri=store)), warm=False, complain=pytest.fail)
    streamed = np.array([values[0] for _, values in stream.answer(FILE.read_text().splitlines())])
    np.testing.assert_allclose(streamed[-len(scored(run)) - 1 : -1], scored(run), rtol=1e-4)


def test_it_goes_on_after_the_end(run: Run) -> None:
    """A forecast of the next year has no months, or none of the transforms."""
    table = forecast(run.run_id, steps=14)
    assert np.isfinite(table["free_run"]).all()
    assert table["free_run"].between(200, 1500).all()
