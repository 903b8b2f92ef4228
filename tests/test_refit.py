"""`python -m pipeline.refit`: a recipe on all rows of today, and only rows that neither was trained on compare them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.errors_file import NAME, measure_test_errors, write_test_errors
from pipeline.artifacts.recipe_files import write_config
from pipeline.artifacts.weights import save_weights
from pipeline.base.errors import UserError
from pipeline.base.record import DIGEST_TAG, HASH_TAG, LENGTH_TAG, LoggedRun, RunRecord, Status
from pipeline.command.refit import main
from pipeline.config.schema import (
    Config,
    DatasetConfig,
    EvaluationConfig,
    ModelConfig,
    Source,
    TrackingConfig,
    TrainingConfig,
    Transform,
    flat_config,
)
from pipeline.data.prepare import prepare_data
from pipeline.evaluation.alignment import align_outputs
from pipeline.experiment.run import run_experiment
from pipeline.models.heads.registry import measure_of_run
from pipeline.models.plan import plan_layers
from pipeline.serving.frames import FrameForecaster
from pipeline.serving.model import make_model, make_network
from pipeline.serving.windows import forecast_windows
from pipeline.studies.refit import Refit, plan_refit
from pipeline.studies.refit_judgement import judge_refit
from pipeline.tracking.live import track_run
from pipeline.tracking.past import named_runs
from pipeline.tracking.search import PROMOTED_TAG, REFIT_FOUND_TAG, REFIT_OF_TAG, find_alias, promote_run
from pipeline.tracking.store import Store

OLD, NOW = 80, 120  # rows
SEEDS = (1, 2, 3)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file as it was when the champion was trained; `grow` adds what came later."""
    path = tmp_path / "rows.csv"
    days, random = np.arange(NOW), np.random.default_rng(3)
    values = 9 + 3 * np.sin(days / 3) + random.normal(size=NOW)
    table = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=NOW), "value": values})
    table.to_csv(tmp_path / "now.csv", index=False)
    table[:OLD].to_csv(path, index=False)
    return path


def grow(rows: Path, count: int = NOW) -> None:
    pd.read_csv(rows.with_name("now.csv"))[:count].to_csv(rows, index=False)


def configure(rows: Path, **changes: Any) -> Config:
    named = {"name": "rows", "source": Source.file, "path": str(rows), "time_column": "day", "period": 7}
    dataset = DatasetConfig(**named | {"transforms": [Transform.difference]} | changes.pop("dataset", {}))
    return Config(
        **{"look_back": 3, "stateful": True, "seeds": 3} | changes, dataset=dataset, model=ModelConfig(units=[3])
    )


def weights_of(config: Config, seed: int, size: float = 0.7) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    layers = plan_layers(config, *prepare_data(config).windows.interface)
    return [random.normal(scale=size, size=shape) for layer in layers for shape in layer.weight_shapes]


@pytest.fixture
def log(store: Store, tmp_path: Path) -> Callable[..., str]:
    """Logs a run of random networks as if it had been trained; errors of `noise` in place of their own."""

    def log(config: Config, size: float = 0.7, noise: float | None = None) -> str:
        folder = tmp_path / "logged"
        folder.mkdir(exist_ok=True)
        data, each = prepare_data(config), [weights_of(config, seed, size) for seed in SEEDS]
        outputs = [forecast_windows(config, data.windows, make_network(config, data, weights)) for weights in each]
        answers = np.stack([align_outputs(data, some) for some in outputs])
        actual = data.series.actual()
        if noise is not None:
            errors = np.random.default_rng(0).normal(scale=noise, size=answers.shape)
            answers = actual[:, None] + errors
        write_config(folder, config)
        save_weights(folder, SEEDS, 1, each)
        write_test_errors(
            folder / NAME,
            measure_test_errors(
                data.series.timestamps,
                data.series.targets,
                [1],
                data.scored_rows("test"),
                actual,
                answers,
                {"persistence": np.zeros((len(actual), 1, 1))},
                SEEDS,
                [1.0] * 3,
                np.ones(1),
            ),
        )
        digest = data.series.digest()
        tags = {HASH_TAG: digest[:9], DIGEST_TAG: digest, LENGTH_TAG: str(len(data.series))}
        with track_run(store, "a run", flat_config(config), tags, None) as run:
            run.log_metrics({"test_rmse": 1.0, "validation_rmse": 1.0}, {})
            run.log_folder(folder)
        return str(run.run_id)

    return log


def plan(store: Store, run_id: str, given: Path | None = None) -> Refit:
    return plan_refit(store, run_id, given, TrackingConfig(store.uri))


def logged(store: Store, run_id: str) -> LoggedRun:
    return named_runs(store, [run_id])[0]


# -------------------------------------------------------------------------------------------------- what is trained


def test_all_rows_of_today_are_trained_on(store: Store, rows: Path, log: Callable[..., str]) -> None:
    """The newest rows stay unread, another recipe is trained, or the file of before is needed to read a new one."""
    before = configure(rows, resume=True)
    run_id = log(before)
    same = plan(store, run_id)
    assert (len(same.series), same.newer, same.is_same, same.is_done) == (OLD, 0, True, False)
    grow(rows)
    for found in (plan(store, run_id), plan(store, run_id, rows.with_name("now.csv"))):
        assert (len(found.series), found.newer, found.is_same) == (NOW, NOW - OLD, False)
        assert found.config.training == replace(before.training, all_rows=True) and not found.config.resume
        assert (found.config.model.units, found.config.seeds) == ([3], 3)
        assert found.config.tracking.uri == store.uri
    rows.unlink()
    assert plan(store, run_id, rows.with_name("now.csv")).newer == NOW - OLD


def test_dates_of_the_parts_move_on_with_the_rows(store: Store, rows: Path, log: Callable[..., str]) -> None:
    """The scored training stays where it was, so that newer rows are never learnt from before they are scored."""
    dates = {"validation_start": "2020-02-10", "test_start": "2020-03-01"}  # 40, 20 and 20 of 80 rows
    run_id = log(configure(rows, dataset=dates))
    assert plan(store, run_id).config.dataset.test_start == "2020-03-01"
    grow(rows)
    found = plan(store, run_id)
    split = prepare_data(found.config, found.series).split
    assert [split.count(part) for part in ("train", "validation", "test")] == [60, 30, 30]


def test_what_cannot_be_trained_again_is_said(
    store: Store, rows: Path, log: Callable[..., str], tmp_path: Path
) -> None:
    """A person learns nothing of what to do, or a run is trained on less than before."""
    run_id = log(configure(rows))
    with pytest.raises(UserError, match=r"data=nowhere.csv does not exist; give a file with all rows"):
        plan(store, run_id, Path("nowhere.csv"))
    pd.read_csv(rows)[:70].to_csv(tmp_path / "less.csv", index=False)
    pd.read_csv(rows.with_name("now.csv"))[OLD:].to_csv(tmp_path / "new.csv", index=False)
    for name, found in (("less", "2020-01-01 to 2020-03-10"), ("new", "2020-03-21 to 2020-04-29")):
        known = "but the data of run .* go from 2020-01-01 to 2020-03-20; give a file with all rows"
        with pytest.raises(UserError, match=f"{name}.csv holds rows from {found}, {known}"):
            plan(store, run_id, tmp_path / f"{name}.csv")
    rows.write_text(rows.read_text().replace("2020-01-05,", "2020-01-05,1"))
    with pytest.raises(UserError, match="no longer holds the values that the run was trained on"):
        plan(store, run_id)
    sine = configure(rows, dataset={"source": Source.sine, "path": None, "time_column": None, "features": ["value"]})
    with pytest.raises(UserError, match=r"data=.* is a file, but the run was trained on dataset=rows; leave data= out"):
        plan(store, log(sine), tmp_path / "less.csv")
    table = replace(sine, dataset=replace(sine.dataset, source=Source.frame))
    with track_run(store, "a run", {}, {}, None) as run:
        write_config(tmp_path / "logged", table)
        run.log_folder(tmp_path / "logged")
    with pytest.raises(
        UserError, match=r"a table that only Python has; train it again there: train\(\.\.\., data=frame"
    ):
        plan(store, run.run_id)


# ------------------------------------------------------------------------------------------------ what is compared


def test_the_run_is_scored_as_it_would_have_forecast(store: Store, rows: Path, log: Callable[..., str]) -> None:
    """The run is compared with a scaler, a state or rows that it never had: newer rows make it better or worse."""
    before = configure(rows)
    data = prepare_data(before)
    old = log(before)
    grow(rows)
    found = plan(store, old)
    new = log(found.config, size=0.2)
    judged = judge_refit(store, found, logged(store, new)).found
    assert judged is not None
    table = pd.read_csv(rows)
    first = prepare_data(found.config, found.series).split.rows("test").argmax()
    rmse = []
    for seed in SEEDS:
        model = make_model(before, data, seed, weights_of(before, seed))
        answers = FrameForecaster(model).predict(table)["forecast"].to_numpy()  # after each row but the first few
        actual = table["value"].to_numpy()
        errors = actual[first:] - answers[-(NOW - first) - 1 : -1]
        rmse.append(np.sqrt(np.mean(errors**2)))
    assert judged.other == pytest.approx(np.mean(rmse), rel=1e-6)
    assert f"on the same {NOW - first} timestamps" in judge_refit(store, found, logged(store, new)).told


def test_a_run_is_not_praised_for_rows_it_has_seen(store: Store, rows: Path, log: Callable[..., str]) -> None:
    """The last network of a rolling origin has learnt from rows of the new test part, and looks better than it is."""
    old = log(configure(rows, evaluation=EvaluationConfig(origins=3)))
    grow(rows, OLD + 5)
    found = plan(store, old)
    judged = judge_refit(store, found, logged(store, log(found.config)))
    assert judged.found is None and not judged.is_better
    assert "cannot be compared with run" in judged.told and "was trained and chosen by rows up to" in judged.told


# ---------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def refit(
    store: Store, rows: Path, log: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """Refits the champion, by a training that leaves errors of a size; returns the exit code and the new run's id."""
    made: list[str] = []

    def refit(*words: str, noise: float = 1.0, size: float = 0.7) -> tuple[int, str]:
        def train(config: Config, series: Any) -> RunRecord:
            made.append(log(config, size, noise))
            metrics = {"test_rmse": 1.0, "validation_rmse": 1.0}
            params = flat_config(config)
            return RunRecord(made[-1], Status.finished, params, metrics, measure_of_run(params, metrics))

        monkeypatch.setattr("pipeline.experiment.job.train_job", train)
        experiment = store.client.get_experiment(store.experiment_id).name
        made.clear()
        code = main(["run=champion", f"tracking.uri={store.uri}", f"tracking.experiment_name={experiment}", *words])
        return code, made[0] if made else ""

    return refit


def test_a_recipe_that_is_better_becomes_the_champion(
    store: Store, rows: Path, log: Callable[..., str], refit: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worse run replaces the champion, a better one does not, or nobody is told which rows said so."""
    old = log(configure(rows), size=0.05)  # all seeds about as good
    promote_run(store, old, "champion", "the first", None)
    grow(rows)
    code, worse = refit("promote=true", noise=50.0)
    told = capsys.readouterr()
    assert code == 2 and find_alias(store, "champion") == old
    assert f"run {worse}: the recipe of run {old}, on 120 rows, 40 of which arrived since." in told.out
    assert "Not shown to be better: test RMSE" in told.out and "its score is not the better one." in told.out
    assert f"run {worse} is trained, but not shown to be better, so run {old} stays the champion" in told.err
    assert refit(noise=0.01)[0] == 0 and find_alias(store, "champion") == old  # nobody asked
    capsys.readouterr()
    code, better = refit("promote=true", noise=0.01)
    told = capsys.readouterr()
    assert code == 0 and find_alias(store, "champion") == better
    assert f"of run {old}, on the same 40 timestamps" in told.out and "which neither was trained on: p=" in told.out
    assert "each trained once more on all 120 rows: no row is left that could score them." in told.out
    tags = store.client.get_run(better).data.tags
    assert tags[REFIT_OF_TAG] == old and tags[REFIT_FOUND_TAG].startswith("Better: test RMSE 0.0")
    assert tags[PROMOTED_TAG].startswith("champion: Better: test RMSE")


def test_without_newer_rows_nothing_is_claimed(
    store: Store, rows: Path, log: Callable[..., str], refit: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same training counts as an improvement, or a job that runs every night trains the same run every night."""
    old = log(configure(rows))
    promote_run(store, old, "champion", "the first", None)
    code, new = refit("promote=true")
    told = capsys.readouterr()
    assert code == 2 and find_alias(store, "champion") == old
    assert "on 80 rows, none of which arrived since.\nNothing can say whether it is better: no row arrived" in told.out
    assert f"is, to the bit, that of run {old}" in told.out
    assert refit(size=0.8)[0] == 0
    assert "repeats, on this machine not to the bit, that of" in capsys.readouterr().out
    promote_run(store, new, "champion", "by force", "the newest rows")
    assert refit() == (0, "")
    assert f"run {new} was trained on all 80 rows that there are: nothing to train." in capsys.readouterr().out


def test_only_the_champion_is_replaced_by_its_recipe(
    store: Store, rows: Path, log: Callable[..., str], refit: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """After hours of training it turns out that the run could not become the champion."""
    one, other = log(configure(rows)), log(configure(rows))
    promote_run(store, one, "champion", "the first", None)
    experiment = store.client.get_experiment(store.experiment_id).name
    words = [f"tracking.uri={store.uri}", f"tracking.experiment_name={experiment}", "promote=true"]
    assert main([f"run={other}", *words]) == 2
    assert f"run {other} is not the champion, run {one} is; choose run=champion" in capsys.readouterr().err
    assert main([]) == 2
    assert "run is required" in capsys.readouterr().err


@pytest.mark.thorough
def test_the_whole_story_with_a_training(
    store: Store, rows: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is planned, trained and compared does not go together; or the same rows give another training."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    experiment = store.client.get_experiment(store.experiment_id).name
    config = configure(rows, seeds=2, training=TrainingConfig(epochs=3))
    config.tracking = TrackingConfig(store.uri, experiment, log_model=False)
    old = run_experiment(config, "a run", print).run_id
    words = [f"run={old}", f"tracking.uri={store.uri}", f"tracking.experiment_name={experiment}"]
    assert main(words) == 0
    assert f"the training that was scored is, to the bit, that of run {old}" in capsys.readouterr().out
    grow(rows)
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "on 120 rows, 40 of which arrived since." in told and f"of run {old}, on the same 40 timestamps" in told
    new = told.split()[1].rstrip(":")
    files = {file.path for file in store.client.list_artifacts(new)}
    assert {"weights.npz", "weights_all_rows.npz", "scaling_all_rows.json", "predictions.csv"} <= files
