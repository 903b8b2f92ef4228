"""All seeds of a run: equal seeds give equal bits, in any order and company; different seeds differ."""

from typing import Any

import numpy as np
import pytest

from pipeline.models.keras_network import build_serving_network
from pipeline.training.record import Training
from pipeline.training.train import train_seeds

SETTINGS: dict[str, dict[str, Any]] = {
    "stateless with dropout": {"batch_size": 4, "model": {"dropout": 0.3, "recurrent_dropout": 0.3}},
    "stateful": {"batch_size": 2, "stateful": True},
}


BY_NAME = ["stateless with dropout", pytest.param("stateful", marks=pytest.mark.thorough)]


@pytest.fixture(scope="module", params=BY_NAME)
def trainings(request, make_config, make_data, ignore_epoch) -> tuple[Training, Training, object, object]:
    """Seeds 1 and 2 together, then seed 2 alone."""

    def train(seed: int, seeds: int) -> tuple[Training, object, object]:
        config = make_config(seed=seed, seeds=seeds, **SETTINGS[request.param])
        data = make_data(config)
        return train_seeds(config, data, ignore_epoch), config, data

    together, config, data = train(1, 2)
    alone, _, _ = train(2, 1)
    return together, alone, config, data


def test_equal_seeds_give_equal_bits(trainings) -> None:
    """A run could not be repeated: a seed gives other numbers the second time, or depends on seeds before it."""
    together, alone, _, _ = trainings
    second, only = together.seeds[1], alone.seeds[0]
    assert second.seed == only.seed == 2
    assert second.losses == only.losses
    assert second.val_losses == only.val_losses
    for one, other in zip(second.weights, only.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(together.forecasts[1], alone.forecasts[0])


def test_different_seeds_differ(trainings) -> None:
    """The spread over seeds would be zero: every seed trains the same network."""
    together, _, _, _ = trainings
    first, second = together.seeds
    assert first.losses != second.losses
    assert np.abs(together.forecasts[0] - together.forecasts[1]).max() > 1e-3


def test_forecasts_of_every_seed_and_window(trainings) -> None:
    """Scores would belong to another seed or window than the one they are written beside."""
    together, _, config, data = trainings
    assert together.forecasts.shape == (2, len(data.windows.starts), 1)
    assert together.fit_seconds >= sum(seed.seconds for seed in together.seeds)
    for seed, forecasts in zip(together.seeds, together.forecasts, strict=True):
        served = build_serving_network(config, data.windows.num_features, data.windows.num_outputs)
        served.set_weights(seed.weights)
        past = data.windows.inputs[None, :13] if config.stateful else data.windows.gather_inputs(np.array([10]))
        np.testing.assert_allclose(served(past).numpy()[0], forecasts[10], atol=1e-5)
