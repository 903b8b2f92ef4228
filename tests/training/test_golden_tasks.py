"""Tasks with a known answer: what a window cannot hold, only a carried state can know. The presets, as committed."""

from dataclasses import dataclass

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore

from pipeline.base.paths import conf_dir
from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, typed_config
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.evaluation.alignment import align_forecasts
from pipeline.evaluation.metrics import rmse
from pipeline.evaluation.scores import Truth
from pipeline.training.train import train_seeds


@dataclass(frozen=True)
class Outcome:
    """Test RMSE of each seed, and the standard deviation of the target: the error of who knows only the mean."""

    errors: list[float]
    deviation: float


def train_preset(preset: str, *overrides: str) -> Outcome:
    """Train a preset with four seeds, which cost what one does."""
    ConfigStore.instance().store(name="base_config", node=Config)
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        composed = compose("config", [f"experiment={preset}", "seeds=4", *overrides])
    config = typed_config(composed)
    check_ranges(config)
    data = prepare_data(config)
    training = train_seeds(config, data, lambda report: None)
    return Outcome([score(data, outputs) for outputs in training.forecasts], deviation_of(data))


def score(data: PreparedData, outputs: np.ndarray) -> float:
    windows, actual = data.windows, data.series.actual()
    forecasts = data.in_units(outputs, windows.starts)
    aligned = align_forecasts(forecasts, windows.spec.origins(windows.starts), windows.spec.horizon_steps, len(actual))
    truth = Truth(actual, data.series.scorable(), {"test": data.split.rows("test")}, data.series.targets)
    return rmse(actual, aligned, truth.scored("test"))


def deviation_of(data: PreparedData) -> float:
    return float(data.series.actual()[data.split.rows("test")].std())


@pytest.mark.thorough
def test_a_window_below_the_delay_cannot_know_the_copy() -> None:
    """A stateless network would be given rows from outside of its window: it knows what it cannot know."""
    outcome = train_preset("delayed_copy", "look_back=3", "stateful=false", "training.epochs=10")
    assert all(0.95 * outcome.deviation < error < 1.1 * outcome.deviation for error in outcome.errors)


def test_a_carried_state_knows_the_copy() -> None:
    """The state would not be carried from batch to batch in training, or not into the test part."""
    outcome = train_preset("delayed_copy", "look_back=3", "stateful=true")
    assert max(outcome.errors) < 0.5 * outcome.deviation
    assert np.mean(outcome.errors) < 0.25 * outcome.deviation


@pytest.mark.thorough
@pytest.mark.parametrize(("preset", "share"), [("adding", 0.5), ("seasonal_phase", 0.5)])
def test_a_carried_state_is_clearly_better(preset: str, share: float) -> None:
    """The lesson of the preset would not show: a window that is too short does as well as a carried state."""
    carried = train_preset(preset, "stateful=true", "training.epochs=15")
    windows = train_preset(preset, "stateful=false", "training.epochs=10")
    assert max(carried.errors) < share * min(windows.errors)
    assert min(windows.errors) > 0.5 * windows.deviation


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("without", "least"),
    [
        pytest.param("dataset.future=[]", 1.5, id="known ahead"),
        pytest.param("dataset.static=[]", 3.5, id="of a lane"),
    ],
)
def test_what_is_known_explains_what_the_past_cannot(without: str, least: float) -> None:
    """The lesson of the preset would not show: a promotion, or the size of a shop, is not read where it belongs."""
    known = train_preset("shops", "training.epochs=12", "training.learning_rate=0.02")
    unknown = train_preset("shops", "training.epochs=3", without)
    assert max(known.errors) < 0.6  # nothing explains 0.3
    assert min(unknown.errors) > least
