"""training.all_rows: what is scored stays as it is, and what forecasts was trained on every row."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from pipeline.api.forecasting import load, open_model
from pipeline.artifacts.recipe_files import describe_scaling
from pipeline.artifacts.weights import SavedWeights, load_weights
from pipeline.base.errors import TrainingError, UserError
from pipeline.config.schema import Config, DatasetConfig, Scaler, Source, TrackingConfig, TrainingConfig, Transform
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.sources import load_series
from pipeline.experiment.all_rows import Kept, train_on_all_rows
from pipeline.experiment.resumed import essential_files
from pipeline.experiment.run import run_experiment
from pipeline.experiment.trainer import Trainer
from pipeline.serving.drift_start import find_start
from pipeline.serving.free_run import forecast_steps
from pipeline.serving.model import ServedModel, load_model
from pipeline.serving.packed import pack_model, unpack_model
from pipeline.serving.sample_paths import _list_errors
from pipeline.studies.newer import follow_since
from pipeline.tracking.store import find_store

EXPERIMENT = "all rows"


def configure(**changes: Any) -> Config:
    dataset = {"name": "sine", "source": Source.sine, "length": 60, "period": 6, "noise": 0.3, "features": ["value"]}
    training = TrainingConfig(epochs=4, patience=1, all_rows=True, **changes.pop("training", {}))
    named = DatasetConfig(**dataset | changes.pop("dataset", {}))
    return Config(**{"look_back": 3, "seeds": 2, "batch_size": 8} | changes, dataset=named, training=training)


@dataclass(frozen=True)
class Trained:
    """A run with both networks, and what it was trained by."""

    config: Config
    run_id: str
    client: MlflowClient
    trainer: Trainer
    told: Sequence[str]

    def file(self, name: str) -> Path:
        return Path(self.client.download_artifacts(self.run_id, name))

    def weights(self, name: str) -> SavedWeights:
        return load_weights(self.file(name))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> Iterator[Trained]:
    config, told = configure(), []
    config.tracking = TrackingConfig(make_store(tmp_path_factory.mktemp("all_rows")), EXPERIMENT, log_model=False)
    with Trainer() as trainer:
        record = run_experiment(config, "a run", told.append, trainer=trainer)
        yield Trained(config, record.run_id, MlflowClient(config.tracking.uri), trainer, told)


@pytest.fixture
def served(trained: Trained) -> ServedModel:
    return open_model(trained.run_id, trained.config.tracking)


# ------------------------------------------------------------------------------------------------ what is trained on


def longer(config: Config, rows: int) -> Config:
    """The same with more rows, all of which are tested: those of before are the whole training part."""
    test = rows / (config.dataset.length + rows)
    dataset = replace(config.dataset, length=config.dataset.length + rows, test_fraction=test, validation_fraction=0.0)
    return replace(config, dataset=dataset, training=replace(config.training, patience=None, all_rows=False))


@pytest.mark.parametrize(
    "changes",
    [{}, {"stateful": True, "dataset": {"transforms": [Transform.seasonal_difference], "scaler": Scaler.standard}}],
    ids=["windows", "carried state"],
)
def test_nothing_is_held_out(changes: dict[str, Any]) -> None:
    """A row is left out, or scaler and windows are those of a part: the newest rows teach nothing."""
    config = configure(**{"batch_size": 3} | changes)
    mine = prepare_data(config, origin=None)
    whole = prepare_data(longer(config, 20))
    series = whole.series.values[: config.dataset.length]
    np.testing.assert_array_equal(mine.series.values, series)  # a sine with noise goes on as it began
    for one, other in ((mine.scaling.offset, whole.scaling.offset), (mine.scaling.scale, whole.scaling.scale)):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(mine.windows.train, whole.windows.train)
    np.testing.assert_array_equal(
        mine.windows.gather_inputs(mine.windows.train), whole.windows.gather_inputs(whole.windows.train)
    )
    assert mine.windows.train[-1] == config.dataset.length - config.look_back - 1  # its target is the last row
    if mine.lanes is not None and whole.lanes is not None:
        assert mine.lanes.num_windows == whole.lanes.num_windows


def test_each_seed_is_trained_as_long_as_it_kept(tmp_path: Path) -> None:
    """Without a validation part nothing stops a training: with all its epochs a seed is overfitted."""
    config, asked = configure(), []

    def train(configs: Sequence[Config], data: PreparedData) -> Any:
        asked.extend((each.seed, each.seeds, each.training.epochs, each.training.patience) for each in configs)
        assert data.split.rows("train").all()
        raise TrainingError("seed 5: diverged")

    with pytest.raises(
        TrainingError, match=r"training on all rows \(training.all_rows=true\) failed: seed 5: diverged"
    ):
        train_on_all_rows(config, load_series(config.dataset), [Kept(4, 7), Kept(5, 2)], None, tmp_path, train)  # type: ignore[arg-type]
    assert asked == [(4, 1, 7, None), (5, 1, 2, None)]


@pytest.mark.thorough
def test_it_is_the_training_on_a_series_of_which_nothing_is_held_out(trained: Trained) -> None:
    """The second training is another one than that of the recipe: other batches, other seeds, other rows."""
    kept = pd.read_csv(trained.file("seeds.csv"))["kept_epoch"].tolist()
    found, reference = trained.weights("weights_all_rows.npz"), longer(trained.config, 20)
    for place, (seed, epochs) in enumerate(zip(found.seeds.tolist(), kept, strict=True)):
        config = replace(
            reference, seed=seed, seeds=1, training=replace(reference.training, epochs=epochs, patience=None)
        )
        (training,) = trained.trainer.train_again([config], prepare_data(config), "reference", print)
        for mine, theirs in zip(found.arrays, training.seeds[0].weights, strict=True):
            np.testing.assert_allclose(mine[place], theirs, atol=1e-6)


# -------------------------------------------------------------------------------------------------- what a run keeps


def test_what_is_scored_is_as_without_it(trained: Trained) -> None:
    """The scores of a run that is trained again are those of rows that its network has seen."""
    config = replace(trained.config, training=replace(trained.config.training, all_rows=False))
    training = trained.trainer.train(config, config, prepare_data(config), "without", print)
    saved = trained.weights("weights.npz")
    for place, seed in enumerate(training.seeds):
        for mine, theirs in zip(saved.arrays, seed.weights, strict=True):
            np.testing.assert_array_equal(mine[place], theirs)
    table = pd.read_csv(trained.file("predictions.csv"))
    assert set(table["part"]) == {"train", "validation", "test"}


def test_both_networks_are_kept(trained: Trained) -> None:
    """What a run says it was trained on is not what forecasts, or nobody is told which of the two it is."""
    scored, again = trained.weights("weights.npz"), trained.weights("weights_all_rows.npz")
    assert (again.best, again.seeds.tolist()) == (scored.best, scored.seeds.tolist())
    assert all((one != other).any() for one, other in zip(scored.of_best(), again.of_best(), strict=True))
    assert trained.file("scaling_all_rows.json").read_text() != trained.file("scaling.json").read_text()
    run = trained.client.get_run(trained.run_id)
    assert run.data.tags["all_rows"].startswith("trained again on all 60 rows, each seed for the ")
    assert run.data.metrics["all_rows_fit_seconds"] > 0
    assert f"a run: {run.data.tags['all_rows']}" in trained.told
    assert "weights_all_rows.npz" in essential_files(trained.config)


# ---------------------------------------------------------------------------------------------------- what is served


def test_forecasts_come_from_the_network_of_all_rows(
    trained: Trained, served: ServedModel, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A run that was trained again forecasts with the old network, or judges itself by rows it has seen."""
    again, scored = trained.weights("weights_all_rows.npz"), trained.weights("weights.npz")
    assert served.scored is not None and served.measured is served.scored
    for model, weights in ((served, again), (served.scored, scored)):
        for mine, theirs in zip(model.weights, weights.of_best(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert served.digest != served.scored.digest
    assert describe_scaling(served.config, served.data) != describe_scaling(served.config, served.scored.data)
    assert served.conformal is not None and served.conformal is served.scored.conformal

    bare = replace(served, scored=None, conformal=None)
    table, old, new = (forecast_steps(model, 3) for model in (served, served.scored, bare))
    back, future = table["part"] == "backtest", table["part"] == "future"
    pd.testing.assert_frame_equal(table[back], old[back])
    points = ["free_run", "one_step_ahead"]
    pd.testing.assert_frame_equal(table.loc[future, points], new.loc[future, points])
    assert table.loc[future, "free_run"].ne(old.loc[future, "free_run"]).all()

    start, known = find_start(served), find_start(served.scored)
    np.testing.assert_array_equal(start.rmse, known.rmse)  # of the rows that were held out
    assert (start.low.tolist(), start.high.tolist()) == ([0.0], [1.0])  # of all rows, as they are scaled now

    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(trained.config.tracking.uri))
    packed = load(trained.run_id).model
    pack_model(tmp_path, served)
    for model in (packed, unpack_model(tmp_path)):
        np.testing.assert_array_equal(model.data.scaling.scale, served.data.scaling.scale)
        np.testing.assert_array_equal(model.weights[0], served.weights[0])


def test_a_seed_is_served_by_its_own_network_of_all_rows(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    """seed=2 forecasts with the network of another seed, or with the one that was scored."""
    (other,) = {1, 2} - {trained.weights("weights.npz").seeds[trained.weights("weights.npz").best]}
    model = open_model(trained.run_id, trained.config.tracking, seed=other)
    expected = trained.weights("weights_all_rows.npz").of_seed(other).of_best()
    np.testing.assert_array_equal(model.weights[0], expected[0])
    assert model.seed == other and model.scored is not None and model.scored.seed == other
    assert f"its seed {other} was trained again on all 60 rows: that network forecasts" in capsys.readouterr().err


def test_a_training_that_diverges_fails_the_run(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of NaN is served, because the one before it was fine."""
    config = replace(trained.config, tracking=replace(trained.config.tracking, experiment_name="diverged"))
    original = Trainer.train_again

    def spoil(self: Trainer, *arguments: Any) -> Any:
        first, *others = original(self, *arguments)
        seeds = [replace(first.seeds[0], failure="seed 1: in epoch 2 the loss is nan")]
        return [replace(first, seeds=seeds), *others]

    monkeypatch.setattr(Trainer, "train_again", spoil)
    with pytest.raises(TrainingError, match=r"training on all rows .* failed: seed 1: in epoch 2 the loss is nan"):
        run_experiment(config, "a run", print, trainer=trained.trainer)
    experiment = trained.client.get_experiment_by_name("diverged")
    (run,) = trained.client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED" and "test_rmse" not in run.data.metrics
    files = {file.path for file in trained.client.list_artifacts(run.info.run_id)}
    assert "predictions.csv" in files and "weights_all_rows.npz" not in files


def test_errors_of_sample_paths_are_those_of_rows_held_out(served: ServedModel) -> None:
    """Sample paths spread by errors on rows that the network was trained on, or by errors in another unit."""
    assert served.scored is not None
    (mine,), (theirs,) = _list_errors(served), _list_errors(served.scored)
    scales = [model.data.scaling.scale[0, 0] for model in (served, served.scored)]
    assert scales[0] != scales[1]
    np.testing.assert_allclose(mine * scales[0], theirs * scales[1])


def test_weights_that_are_lost_are_told(trained: Trained, tmp_path: Path) -> None:
    """The network that was scored is served in place of the one that is gone, and nobody knows."""
    for name in ("config.yaml", "weights.npz"):
        (tmp_path / name).write_bytes(trained.file(name).read_bytes())
    tags = trained.client.get_run(trained.run_id).data.tags
    with pytest.raises(UserError, match=r"weights_all_rows\.npz of the run cannot be read: .*; train the run again"):
        load_model(tmp_path, tags)


def test_rows_that_arrived_since_are_forecast_by_the_network_of_all_rows(trained: Trained) -> None:
    """What is judged on new rows is not what is served: the network that was scored has another scaler."""
    store = find_store(trained.config.tracking, EXPERIMENT)
    values = load_series(replace(trained.config.dataset, length=66)).values
    found = follow_since(store, trained.run_id, pd.DataFrame(values, columns=["value"]))
    model = open_model(trained.run_id, trained.config.tracking)
    place = found.seeds.index(model.seed)
    one_ahead = forecast_steps(replace(model, scored=None, conformal=None), 1)["one_step_ahead"].iloc[-1]
    assert found.answers[place, 60, 0, 0] == pytest.approx(one_ahead, abs=1e-9)
