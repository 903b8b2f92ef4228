"""The hidden-seed audit: if anything of the test part leaked into a forecast, one of these tests would show it.

Shuffles, noise and replaced values are drawn from a seed that nobody knows in advance (a failure prints it), so that no
code can fit them. Each check has its counterpart, a leak on purpose that it must find.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.gates import check_ranges
from pipeline.config.schema import (
    Config,
    Cycle,
    DatasetConfig,
    Engine,
    LagsAs,
    ModelConfig,
    Normalise,
    Order,
    Protocol,
    Scaler,
    Source,
    TrainingConfig,
    Transform,
)
from pipeline.data.auto_transforms import resolve_transforms
from pipeline.data.cycles import add_cycles
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series
from pipeline.evaluation.alignment import align_outputs, take_truth
from pipeline.evaluation.metrics import rmse, skill
from pipeline.experiment.scoring import forecast_baselines
from pipeline.models.numpy_network import build_numpy_network
from pipeline.models.plan import plan_layers
from pipeline.serving.windows import forecast_windows
from pipeline.training.groups import Job
from pipeline.training.programs import Programs
from pipeline.training.record import Training
from pipeline.training.train import train_side_by_side

HIDDEN = int(np.random.SeedSequence().generate_state(1)[0])
LENGTH, TEST_START = 320, 160  # 128 train, 32 validation, 160 test rows
DATASET: dict[str, Any] = {
    "name": "audit", "source": Source.sine, "period": 12, "test_fraction": 0.5, "validation_fraction": 0.1,
    "scaler": Scaler.standard,
}  # fmt: skip
MODES: dict[str, dict[str, Any]] = {
    "stateless": {"batch_size": 4},
    "stateful": {"stateful": True, "batch_size": 3},
    "lags as features": {"batch_size": 4, "dataset": {"lags_as": LagsAs.features}},
    "normalised": {"batch_size": 4, "dataset": {"normalise": Normalise.window_standard}},
    "chosen transforms and calendar": {
        "batch_size": 4, "dataset": {"transforms": [Transform.auto], "calendar": [Cycle.day_of_week]}
    },
    "many-to-many": {"batch_size": 4, "return_sequences": True},
    "stateful many-to-many": {"batch_size": 3, "stateful": True, "return_sequences": True},
    "overlapping": {"stateful": True, "dataset": {"order": Order.overlapping}},
    "calendar ahead": {
        "batch_size": 4, "dataset": {"calendar": [Cycle.day_of_week], "future": [Cycle.day_of_week]}
    },
    "known ahead": {"batch_size": 4, "dataset": {"future": ["b"]}},
    "known ahead, stateful": {"batch_size": 3, "stateful": True, "dataset": {"future": ["b"]}},
}  # fmt: skip


THOROUGH = (
    "lags as features",
    "chosen transforms and calendar",
    "calendar ahead",
    "stateful many-to-many",
    "overlapping",
    "normalised",
)  # the others read the same windows
AHEAD = ("known ahead", "known ahead, stateful")
NORMALISED = pytest.param("normalised", marks=pytest.mark.thorough)
MANY = pytest.param("many-to-many", marks=pytest.mark.thorough)
BY_MODE = [pytest.param(mode, marks=pytest.mark.thorough) if mode in THOROUGH else mode for mode in MODES]


def configure(mode: str, epochs: int = 12, engine: Engine = Engine.auto, **changes: Any) -> Config:
    keys = MODES[mode] | changes
    dataset = DatasetConfig(**DATASET | keys.pop("dataset", {}))
    training = TrainingConfig(epochs=epochs, learning_rate=0.02, engine=engine, patience=None)
    config = Config(look_back=3, seeds=2, dataset=dataset, model=ModelConfig(units=[4]), training=training, **keys)
    check_ranges(config)
    return config


def as_series(values: np.ndarray, future: tuple[str, ...] = ()) -> Series:
    """One target, the first column; every column is seen."""
    columns = np.reshape(values, (len(values), -1))
    names = tuple("ab"[: columns.shape[1]])
    filled = np.zeros(columns.shape, dtype=bool)
    days = pd.date_range("2024-01-01", periods=len(columns))
    return Series(days, columns, names, names, names[:1], filled, "test", future=future)


@dataclass(frozen=True)
class Trained:
    """What a training on some values left."""

    config: Config
    data: PreparedData
    training: Training

    def forecasts(self) -> list[np.ndarray]:
        """Of each seed, in the data's own units. Each (time, 1, 1)."""
        return [align_outputs(self.data, each) for each in self.training.forecasts]

    def skill(self, actual: np.ndarray, baseline: np.ndarray) -> float:
        """Mean over seeds on the test part, against a baseline that broadcasts to (time, 1, 1)."""
        test = take_truth(self.data).scored("test")
        error = np.mean([rmse(actual, each, test) for each in self.forecasts()])
        return skill(float(error), rmse(actual, np.broadcast_to(baseline, (len(actual), 1, 1)), test))


def prepare(config: Config, values: np.ndarray) -> tuple[Config, PreparedData]:
    """Return the configuration with what was chosen for these values, and the data."""
    series = add_cycles(as_series(values, tuple(config.dataset.future_columns)), config.dataset)
    chosen, _ = resolve_transforms(config, series)
    return chosen, prepare_data(chosen, series)


PROGRAMS = Programs()  # what a mode has compiled serves its other values


@pytest.fixture(scope="module", autouse=True)
def close_programs() -> Iterator[None]:
    yield
    PROGRAMS.close()


def train(config: Config, values: np.ndarray) -> Trained:
    config, data = prepare(config, values)
    return Trained(config, data, train_side_by_side([Job(config, data)], PROGRAMS, lambda report: None)[0])


def wave() -> np.ndarray:
    noise = 0.1 * np.random.default_rng(1).normal(size=LENGTH)
    return np.sin(np.arange(LENGTH) * 2 * np.pi / 12) + noise


def white_noise() -> np.ndarray:
    return np.random.default_rng(HIDDEN).normal(size=LENGTH)


def change_from(values: np.ndarray, row: int) -> np.ndarray:
    """Replace all values from a row on, by others of another size."""
    changed = values.copy()
    changed[row:] = 5 + 3 * np.random.default_rng(HIDDEN + 1).normal(size=LENGTH - row)
    return changed


def train_once(values: np.ndarray) -> Callable[[str], Trained]:
    """Train each mode when it is first asked for: always as long, so that XLA compiles it once."""
    return cache(lambda mode: train(configure(mode), values))


@pytest.fixture(scope="module")
def on_wave() -> Callable[[str], Trained]:
    """On a noisy wave, which every mode can learn."""
    return train_once(wave())


@pytest.fixture(scope="module")
def on_noise() -> Callable[[str], Trained]:
    """On white noise, of which nothing can be learnt."""
    return train_once(white_noise())


@pytest.mark.parametrize("mode", ["stateless", "stateful", BY_MODE[2], NORMALISED, MANY])
def test_skill_vanishes_when_the_test_targets_are_shuffled(mode: str, on_wave: Callable[[str], Trained]) -> None:
    """A score would not come from the values of the test part: it stays when they are shuffled."""
    trained = on_wave(mode)
    actual = trained.data.series.actual()
    assert trained.skill(actual, actual[TEST_START:].mean()) > 0.3  # there is something to lose
    random = np.random.default_rng(HIDDEN)
    skills = []
    for _ in range(20):
        shuffled = actual.copy()
        shuffled[TEST_START:] = random.permutation(shuffled[TEST_START:])
        skills.append(trained.skill(shuffled, shuffled[TEST_START:].mean()))
    assert np.mean(skills) < 0, f"hidden seed {HIDDEN}"


@pytest.mark.parametrize("mode", [mode for mode in BY_MODE if mode not in AHEAD])
def test_nothing_forecasts_white_noise(mode: str, on_noise: Callable[[str], Trained]) -> None:
    """A target would be among the inputs: white noise is forecast better than by its mean."""
    trained = on_noise(mode)
    actual = trained.data.series.actual()
    assert trained.skill(actual, actual[:TEST_START].mean()) < 0.1, f"hidden seed {HIDDEN}"


def test_the_noise_audit_finds_a_leak() -> None:
    """The audit would be blind: a feature that holds the next target passes for no leak."""
    values = np.random.default_rng(HIDDEN).normal(size=LENGTH + 1)
    trained = train(configure("stateless"), np.stack([values[:-1], values[1:]], axis=1))
    assert trained.skill(trained.data.series.actual(), np.array(0.0)) > 0.4, f"hidden seed {HIDDEN}"


def assert_untouched(before: Trained, after: Trained, row: int) -> None:
    """Weights, and every forecast of a row up to `row`, are equal to the bit; later ones are not."""
    for one, other in zip(before.training.seeds, after.training.seeds, strict=True):
        assert one.losses == other.losses and one.val_losses == other.val_losses
        for weight, same in zip(one.weights, other.weights, strict=True):
            np.testing.assert_array_equal(weight, same)
    networks = [plain_forecasts(each) for each in (before, after)]
    pairs = [(before.training.forecasts[0], after.training.forecasts[0]), (networks[0], networks[1])]
    known = before.data.windows.spec.origins(before.data.windows.starts) < row
    for one, other in pairs:
        np.testing.assert_array_equal(one[known], other[known])
        assert (one[~known] != other[~known]).any()
    baselines = [forecast_baselines(each.config, each.data) for each in (before, after)]
    for name in baselines[0]:
        np.testing.assert_array_equal(baselines[0][name][: row + 1], baselines[1][name][: row + 1])


def plain_forecasts(trained: Trained) -> np.ndarray:
    """The first seed's outputs in NumPy, as they are re-scored and served. Shape (windows, 1)."""
    windows = trained.data.windows
    layers = plan_layers(trained.config, *windows.interface)
    return forecast_windows(trained.config, windows, build_numpy_network(layers, trained.training.seeds[0].weights))


@pytest.mark.parametrize("row", [TEST_START, TEST_START + 50])
@pytest.mark.parametrize("mode", [mode for mode in BY_MODE if mode not in AHEAD])
def test_no_forecast_and_no_weight_knows_what_comes_later(
    mode: str, row: int, on_noise: Callable[[str], Trained]
) -> None:
    """The scaler, the training, or a forecast would have seen the test part: another future changes them."""
    before = on_noise(mode)
    if row == TEST_START:
        assert_untouched(before, train(configure(mode), change_from(white_noise(), row)), row)
        return
    _, data = prepare(configure(mode), change_from(white_noise(), row))  # the weights were compared above
    known = data.windows.spec.origins(data.windows.starts) < row
    assert data.scaling.scale.tolist() == before.data.scaling.scale.tolist()
    changed = plain_forecasts(replace(before, data=data))
    np.testing.assert_array_equal(changed[known], plain_forecasts(before)[known])
    assert (changed[~known] != plain_forecasts(before)[~known]).any()


@pytest.mark.parametrize("mode", [AHEAD[0], pytest.param(AHEAD[1], marks=pytest.mark.thorough)])
def test_what_is_known_ahead_is_read_at_its_row_and_nothing_else_is(mode: str) -> None:
    """A past input would be read from the future, or a holiday at another row than its own: a forecast too late."""
    values = np.random.default_rng(HIDDEN).normal(size=(LENGTH, 2))
    before = train(configure(mode, epochs=2), values)
    row, windows = TEST_START + 50, before.data.windows
    assert windows.spec.columns == ("a", "b", "b+1")
    for column, first_to_know in ((0, row), (1, row - 1)):  # the origin at which a change of this row may show
        changed = values.copy()
        changed[row:, column] += 5.0
        _, data = prepare(configure(mode), changed)
        one, other = plain_forecasts(before), plain_forecasts(replace(before, data=data))
        known = windows.spec.origins(windows.starts) < first_to_know
        np.testing.assert_array_equal(one[known], other[known])
        assert one[~known][0] != other[~known][0], f"hidden seed {HIDDEN}"
    np.testing.assert_allclose(before.training.forecasts[0], plain_forecasts(before), atol=1e-5)


def test_the_audit_finds_a_past_input_that_is_read_ahead() -> None:
    """The audit would be blind: a column that nobody knows ahead, said to be known, passes for a past one."""
    values = np.random.default_rng(HIDDEN).normal(size=(LENGTH, 2))
    before = train(configure("known ahead", epochs=2), values)
    changed = values.copy()
    changed[TEST_START:, 1] += 5.0
    _, data = prepare(configure("known ahead"), changed)
    known = before.data.windows.spec.origins(before.data.windows.starts) < TEST_START
    assert (plain_forecasts(before)[known] != plain_forecasts(replace(before, data=data))[known]).any()


@pytest.mark.thorough  # the engines are held to agree elsewhere
def test_the_reference_engine_knows_no_more() -> None:
    """keras.Model.fit would be given what the fused engine is not."""
    config = replace(configure("stateful", epochs=1, engine=Engine.fit), seeds=1)
    pair = [train(config, values) for values in (white_noise(), change_from(white_noise(), TEST_START))]
    assert_untouched(pair[0], pair[1], TEST_START)


def test_the_audit_finds_the_leak_of_the_tutorials_scaler() -> None:
    """The audit would be blind: a scaler fitted on all values, as the tutorial does it, passes for honest."""
    config = configure("stateless", epochs=1, protocol=Protocol.tutorial)
    before, after = (train(config, values) for values in (white_noise(), change_from(white_noise(), TEST_START)))
    assert before.data.scaling.scale.item() != after.data.scaling.scale.item()
    assert differ(before.training.seeds[0].weights, after.training.seeds[0].weights)
    known = before.data.windows.spec.origins(before.data.windows.starts) < TEST_START
    assert (before.training.forecasts[0][known] != after.training.forecasts[0][known]).any()
    with pytest.raises(AssertionError):
        assert_untouched(before, after, TEST_START)


def differ(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    return any((first != second).any() for first, second in zip(one, other, strict=True))
