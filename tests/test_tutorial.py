"""The presets of the airline tutorial follow its protocol to the row, and `make tutorial` places its numbers."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore

from pipeline.base.paths import conf_dir
from pipeline.baselines.ridge import fit_ridge
from pipeline.command import tutorial
from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, typed_config
from pipeline.data.notes import describe_data
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.reading import read_in_order
from pipeline.evaluation.alignment import align_outputs, take_truth
from pipeline.evaluation.metrics import rmse
from pipeline.evaluation.scores import score_run, score_seed
from pipeline.experiment.scoring import forecast_baselines
from pipeline.models.numpy_network import build_numpy_network
from pipeline.models.plan import plan_layers
from pipeline.studies.published import PUBLISHED
from pipeline.training.record import Training
from pipeline.training.train import train_seeds
from tests.commands import run_command

TEST_START = 96
# Shape of a sample, computed once from the tutorial's own lines, see conf/experiment/.
SAMPLES = {
    "tutorial_regression": (1, 1),
    "tutorial_window": (1, 3),
    "tutorial_time_steps": (3, 1),
    "tutorial_stateful": (3, 1),
    "tutorial_stacked": (3, 1),
}
STATEFUL = ["tutorial_stateful", pytest.param("tutorial_stacked", marks=pytest.mark.thorough)]


@dataclass(frozen=True)
class Executed:
    """A preset, to be trained for one epoch."""

    config: Config
    data: PreparedData

    @cached_property
    def training(self) -> Training:
        return train_seeds(self.config, self.data, lambda report: None)


@pytest.fixture(scope="module")
def executed() -> dict[str, Executed]:
    ConfigStore.instance().store(name="base_config", node=Config)
    found = {}
    for preset in PUBLISHED:
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            overrides = [f"experiment={preset}", "training.epochs=1", "seeds=1"]
            config = typed_config(compose("config", overrides=overrides))
        check_ranges(config)
        found[preset] = Executed(config, prepare_data(config))
    return found


@pytest.mark.parametrize("preset", PUBLISHED)
def test_samples_rows_and_scaler_are_the_tutorials(preset: str, executed: dict[str, Executed]) -> None:
    """A published number would be compared with a score on other samples, other rows or another scale."""
    config, data = executed[preset].config, executed[preset].data
    windows, look_back = data.windows, config.look_back
    test = windows.starts[windows.starts >= TEST_START]
    assert (len(windows.train), len(test)) == ((94, 46) if look_back == 1 else (92, 44))
    assert windows.gather_inputs(test).shape[1:] == SAMPLES[preset]
    assert (data.scaling.offset.item(), data.scaling.scale.item()) == (104, 622 - 104)
    assert np.flatnonzero(data.scored_rows("test")).tolist() == list(range(TEST_START + look_back, 143))
    assert windows.spec.origins(windows.train).max() + 1 == 94  # the last row before the test is predicted by no window
    assert (config.training.epochs, config.batch_size, config.model.units[0]) == (1, 1, 4)
    assert any("protocol=tutorial" in note for note in describe_data(config, data))


@pytest.mark.parametrize(
    "preset",
    [pytest.param(each, marks=pytest.mark.thorough) for each in PUBLISHED],  # the command trains all five, too
)
def test_a_few_epochs_give_scores(preset: str, executed: dict[str, Executed]) -> None:
    """A preset cannot be trained, or some row that the tutorial scores has no forecast."""
    data, training = executed[preset].data, executed[preset].training
    score = score_seed(take_truth(data), align_outputs(data, training.forecasts[0]))
    assert 20 < score["test_rmse"] < 500
    assert score["validation_rmse"] == pytest.approx(
        score["train_rmse"], rel=1e-12
    )  # the tutorial has no validation part


@pytest.mark.parametrize("preset", STATEFUL)
def test_the_state_is_carried_over_overlapping_windows_and_cold_at_the_test(
    preset: str, executed: dict[str, Executed]
) -> None:
    """The stateful variants would read the series properly: another experiment than the published one."""
    config, data, training = executed[preset].config, executed[preset].data, executed[preset].training
    windows, batches = data.windows, data.lanes
    assert batches is not None
    assert batches.starts.ravel().tolist() == list(range(92))
    assert np.flatnonzero(batches.resets).tolist() == [0]  # once an epoch
    read, _, lanes = read_in_order(config, windows, windows.starts)
    assert read[:6, 0].tolist() == [0, 1, 2, 1, 2, 3]
    assert read[:6, 1].tolist() == [96, 97, 98, 97, 98, 99]
    assert np.unique(lanes).tolist() == [0, 1]
    network = build_numpy_network(plan_layers(config, 1, 1), training.seeds[0].weights)
    first_test = int(np.searchsorted(windows.starts, TEST_START))
    state = network.zero_states(1)
    for position in (first_test, first_test + 1):
        outputs, state = network.read(windows.gather_inputs(windows.starts[[position]]), state)
        np.testing.assert_allclose(outputs[0], training.forecasts[0][position], atol=1e-5)


# persistence, seasonal naive; least squares as the tutorial's samples allow, and with the sample that it drops.
BASELINES = {"tutorial_regression": (48.66, 42.32, 48.76, 48.54), "tutorial_window": (49.02, 42.72, 44.43, 44.39)}


@pytest.mark.parametrize("preset", BASELINES)
def test_baselines_on_the_tutorials_points(preset: str, executed: dict[str, Executed]) -> None:
    """What a published number is worth would be told by a baseline on other points."""
    config, data = executed[preset].config, executed[preset].data
    truth, baselines = take_truth(data), forecast_baselines(config, data)
    of_a_network = np.zeros((len(data.windows.starts), 1))
    seeds = [score_seed(truth, align_outputs(data, of_a_network))]
    metrics = score_run(truth, seeds, baselines)
    logged = [metrics[f"baseline_{name}_rmse"] for name in ("persistence", "seasonal", "linear")]
    *expected, with_dropped = BASELINES[preset]
    assert logged == pytest.approx(expected, abs=0.005)
    windows = data.windows
    train = np.append(windows.train, windows.train[-1] + 1)
    inputs, targets = windows.gather_inputs(train), windows.gather_last_targets(train)
    every = windows.gather_inputs(windows.starts)
    fitted = fit_ridge(inputs, targets, inputs[:0], targets[:0], every, np.zeros(1))
    score = rmse(truth.actual, align_outputs(data, fitted), truth.scored("test"))
    assert score == pytest.approx(with_dropped, abs=0.005)


def start_tutorial(folder: Path, uri: str, *words: str) -> subprocess.CompletedProcess[str]:
    return run_command("pipeline.tutorial", *words, cwd=folder, env={**os.environ, "MLFLOW_TRACKING_URI": uri})


def test_the_command_trains_all_five_and_places_the_published_numbers(
    tmp_path: Path, make_store: Callable[[Path], str]
) -> None:
    """`make tutorial` does not end, leaves a variant out, or compares an altered recipe with the tutorial."""
    uri, words = make_store(tmp_path), ("seeds=2", "training.epochs=1", "tracking.log_model=false")
    done = start_tutorial(tmp_path, uri, *words)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("│ tutorial_")]
    assert [row.split()[1] for row in rows] == list(PUBLISHED)
    for row, published in zip(rows, PUBLISHED.values(), strict=True):
        assert f"{published.train:.2f}" in row and f"{published.test:.2f}" in row
    assert "Our runs do not follow the recipes (training.epochs=1)" in done.stdout
    assert re.search(r"\d+ of the 10 published numbers lie outside our 2 seeds; 6\.7 would by chance", done.stdout)
    assert "repeating the last value (48.66 and 49.02) by 1 of the published numbers" in done.stdout
    again = start_tutorial(tmp_path, uri, *words, "resume=true")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("already trained") == 5
    assert again.stdout == done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["seeds=1,2"], "seeds=1,2 gives several values; the five variants are the sweep"),
        (["experiment=many_to_many"], "the presets are chosen already"),
        (["seeds"], "seeds"),
    ],
)
def test_wrong_input_is_told_before_anything_is_trained(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A word that makes another sweep ends in a table that is not the tutorial's."""
    assert tutorial.main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and message in shown.err and shown.err.startswith("error: ")


def test_help_trains_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A newcomer who asks for help starts 160 trainings."""
    assert tutorial.main(["--help"]) == 0
    assert "usage: python -m pipeline.tutorial [key=value ...]" in capsys.readouterr().out
