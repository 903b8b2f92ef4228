"""Golden series: what a recurrent network must learn within seconds, in every mode."""

import numpy as np
import pytest

from pipeline.baselines.persistence import forecast_persistence
from pipeline.baselines.task import Task
from pipeline.data.prepared import PreparedData
from pipeline.evaluation.alignment import align_forecasts
from pipeline.evaluation.metrics import rmse, skill
from pipeline.training.record import Training
from pipeline.training.train import train_seeds

SINE = np.sin(2 * np.pi * np.arange(150) / 25)[:, None]  # 25 steps per wave, no noise


def skill_on_test(data: PreparedData, training: Training) -> float:
    """Skill against persistence on the test part."""
    windows, actual = data.windows, data.series.actual()
    forecasts = data.in_units(training.forecasts[0], windows.starts)
    aligned = align_forecasts(forecasts, windows.spec.origins(windows.starts), windows.spec.horizon_steps, len(actual))
    scored = np.zeros(actual.shape, dtype=bool)
    scored[data.split.rows("test")] = True
    repeated = forecast_persistence(Task(actual, windows.spec.horizon_steps, data.series.slices(), period=1))
    return skill(rmse(actual, aligned, scored), rmse(actual, repeated, scored))


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param({"batch_size": 16}, marks=pytest.mark.thorough),
        pytest.param({"batch_size": 8, "return_sequences": True}, marks=pytest.mark.thorough),
        {"batch_size": 3, "stateful": True},
    ],
    ids=["many to one", "many to many", "stateful"],
)
def test_a_sine_is_learnt(mode, make_config, make_data, ignore_epoch) -> None:
    """Something between windows, training and inversion is wrong: a noise-free sine is not learnt."""
    config = make_config(look_back=6, model={"units": [8]}, training={"epochs": 20, "learning_rate": 0.05}, **mode)
    data = make_data(config, SINE)
    training = train_seeds(config, data, ignore_epoch)
    losses = training.seeds[0].losses
    assert losses[-1] < losses[0] / 10
    assert skill_on_test(data, training) > 0.5
