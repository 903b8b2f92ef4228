"""The refit: what it is trained on, and that the test part decides nothing of it."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.base.record import RunRecord, Status
from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, DatasetConfig, Horizons, Source, TrainingConfig, Transform
from pipeline.data.auto_transforms import resolve_transforms
from pipeline.data.prepare import prepare_data
from pipeline.data.sources import load_series
from pipeline.evaluation.alignment import align_outputs, take_truth
from pipeline.evaluation.scores import score_seed
from pipeline.models.heads.point import RMSE
from pipeline.searching.budget import Budget
from pipeline.searching.champion import Champion
from pipeline.searching.refit import Refit, refit_config, refit_job, train_refit
from pipeline.searching.result import Result
from pipeline.searching.trials import State, Trial

AIRLINE = Config(
    dataset=DatasetConfig(
        name="airline", source=Source.packaged, path="airline.csv", time_column="month", period=12,
        transforms=[Transform.auto],
    ), training=TrainingConfig(patience=10),
)  # fmt: skip
DATES = replace(
    AIRLINE, dataset=replace(AIRLINE.dataset, validation_start="1955-01-01", test_start="1957-03-01", test_fraction=0.1)
)


def prepare(config: Config, series: Any) -> Any:
    check_ranges(config)
    return prepare_data(resolve_transforms(config, series)[0], series)


@pytest.mark.parametrize("config", [AIRLINE, DATES])
def test_a_refit_is_trained_on_all_before_the_same_test_part(config: Config) -> None:
    """The refit leaves out what the validation part holds, or is scored on other rows than the champion."""
    config, series = replace(config, dataset=replace(config.dataset, transforms=[])), load_series(config.dataset)
    before, after = prepare(config, series), prepare(refit_config(config, series, 7), series)
    assert (after.split.rows("test") == before.split.rows("test")).all()
    assert (after.split.rows("train") == ~before.split.rows("test")).all()
    assert len(after.windows.train) == len(before.windows.train) + before.split.count("validation")
    refitted = refit_config(config, series, 7).training
    assert (refitted.epochs, refitted.patience) == (7, None)


def test_the_test_part_decides_nothing_of_a_refit() -> None:
    """A scaler, a transform or a window that is trained on has seen the test part, which then praises the refit."""
    series = load_series(AIRLINE.dataset)
    values = series.values.copy()
    values[96:] = np.random.default_rng(1).uniform(900, 9000, values[96:].shape)
    found = []
    for each in (series, replace(series, values=values)):
        data = prepare(refit_config(AIRLINE, each, 7), each)
        windows = data.windows
        rows = windows.inputs[: int(windows.train.max()) + 1]
        found.append((data.transformed.steps, data.scaling, windows.train.tolist(), rows.tolist()))
    assert repr(found[0]) == repr(found[1])


@pytest.mark.parametrize("horizon", [1, 3])
def test_the_training_part_stands_in_for_the_validation_part(horizon: int) -> None:
    """A run without a validation part ends in a traceback where it is scored, or is scored on rows of the test part."""
    config = replace(AIRLINE, horizon=horizon, dataset=replace(AIRLINE.dataset, horizons=Horizons.all, transforms=[]))
    series = load_series(config.dataset)
    data = prepare(refit_config(config, series, 7), series)
    assert data.windows.validation.tolist() == data.windows.train.tolist()
    answers = align_outputs(data, np.zeros((len(data.windows.starts), horizon)))
    scores = score_seed(take_truth(data), answers)
    assert scores["validation_rmse"] == scores["train_rmse"] != scores["test_rmse"]


def test_a_refit_lasts_as_long_as_the_champions_seeds_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stops a training without a validation part: with the search's epochs the refit is overfitted."""
    trained: list[Config] = []

    def fetch_files(store: Any, run_id: str, names: list[str], folder: Any) -> None:
        (folder / names[0]).write_text("seed,epochs,kept_epoch\n1,30,12\n2,40,200\n3,20,14\n")

    def train(config: Config, epochs: int) -> Any:
        trained.append(refit_job(config, load_series(config.dataset), epochs)[0])
        return SimpleNamespace(run_id="new")

    tagged: list[str] = []
    monkeypatch.setattr("pipeline.tracking.past.fetch_files", fetch_files)
    monkeypatch.setattr("pipeline.tracking.search.tag_refit", lambda store, *ids: tagged.extend(ids))
    record: Any = SimpleNamespace(run_id="old")
    champion = Champion(Trial(0, {}), {}, record, replace(AIRLINE, seed=1001, seeds=3))
    store: Any = None
    found = train_refit(champion, store, train)
    assert found.epochs == trained[0].training.epochs == 14
    assert (trained[0].seed, trained[0].seeds) == (1001, 3)
    assert tagged == ["new", "old"]


@pytest.mark.parametrize(
    ("training", "dataset", "message"),
    [
        ({"patience": 5}, {}, r"training\.patience=null: there is no validation part to stop by"),
        ({}, {"validation_start": "1955-01-01", "test_start": "1957-01-01"}, r"dataset\.test_start=null"),
    ],
)
def test_what_needs_a_validation_part_is_refused(
    training: dict[str, Any], dataset: dict[str, Any], message: str
) -> None:
    """A training stops by its own training loss, or a fraction of nothing is overruled by dates without a word."""
    config = replace(
        AIRLINE,
        training=TrainingConfig(**{"patience": None, **training}),
        dataset=replace(AIRLINE.dataset, validation_fraction=0, **dataset),
    )
    with pytest.raises(UserError, match=f"dataset.validation_fraction=0 needs .*{message}"):
        check_ranges(config)


def test_a_refit_keeps_time_for_two_runs() -> None:
    """With refit=true the search ends late: its time was kept for one run at the end, and there are two."""
    now = 0.0
    one, two = (Budget(seconds=100, clock=lambda: now, reserved=20, finals=finals) for finals in (1, 2))
    now = 60.0
    assert (one.is_over, two.is_over) == (False, True)


def test_the_refit_stands_beside_the_champion() -> None:
    """The refit's score, of a network that nothing judged, takes the place of what was chosen honestly."""

    def run(name: str, score: float) -> Any:
        names = ("test_rmse", "mean_forecast_rmse", "baseline_persistence_rmse")
        return RunRecord(name, Status.finished, {"seeds": "16"}, dict.fromkeys(names, score), RMSE)

    trial = Trial(3, {"look_back": "6"}, (9.0,), State.complete)
    champion = Champion(trial, {"look_back": "6"}, run("old", 8.0), AIRLINE)
    counts = {"complete": 1, "pruned": 8, "failed": 0}
    alone = Result(champion, 10.0, math.nan, 9, counts, 1.0, "models:/a@champion")
    both = replace(alone, refit=Refit(run("new", 7.0), 14))
    document = both.as_document()
    assert document["refit"] == {"run_id": "new", "test_rmse": 7.0, "ensemble_rmse": 7.0}
    assert {**alone.as_document(), "refit": document["refit"]} == document
    assert (both.metrics()["test_rmse"], both.metrics()["refit_test_rmse"]) == (8.0, 7.0)
    told = " ".join(both.sentences())
    assert "for 14 epochs, the median" in told and "8.000" in told and "7.000" in told
    assert "Refit" not in " ".join(alone.sentences())
