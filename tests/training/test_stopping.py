"""Early stopping keeps the weights of the best epoch; without it the last epoch's weights are kept."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.config.schema import Cell
from pipeline.training.fit import train_seed
from pipeline.training.forecaster import Forecaster
from pipeline.training.record import SeedTraining

EPOCHS = 15


@pytest.fixture(scope="module")
def train(make_config, make_data) -> Callable[[int | None], tuple[SeedTraining, list[int], float]]:
    def run(patience: int | None) -> tuple[SeedTraining, list[int], float]:
        """Return the training, the epochs it reported and the validation loss of the weights it kept."""
        config = make_config(
            batch_size=8,
            model={"cell": Cell.simple_rnn, "units": [8]},
            training={"epochs": EPOCHS, "learning_rate": 0.1, "patience": patience},
        )
        data = make_data(config)
        forecaster = Forecaster(config, data.windows)
        reported: list[int] = []
        training = train_seed(config, data, forecaster, 1, lambda report: reported.append(report.epoch))
        forecasts = forecaster.forecast(training.weights, data.windows.validation)
        errors = forecasts - data.windows.gather_targets(data.windows.validation)
        return training, reported, float((errors**2).mean())

    return run


def test_training_stops_and_keeps_the_best_weights(train) -> None:
    """training.patience would stop at another epoch, or the scores would be those of an overfitted network."""
    training, reported, kept_loss = train(2)
    best = int(np.argmin(training.val_losses))
    assert len(training.val_losses) < EPOCHS
    assert training.kept_epoch == best + 1 == len(training.val_losses) - 2
    assert kept_loss == pytest.approx(min(training.val_losses), rel=1e-5)
    assert reported == list(range(1, len(training.losses) + 1))


@pytest.mark.parametrize("patience", [None, pytest.param(EPOCHS + 1, marks=pytest.mark.thorough)])
def test_what_is_kept_when_nothing_stops_the_training(patience, train) -> None:
    """patience=null would not keep the last epoch, or a training that ran to its end would forget its best epoch."""
    training, _, kept_loss = train(patience)
    best = int(np.argmin(training.val_losses)) + 1
    assert len(training.val_losses) == EPOCHS
    assert best < EPOCHS  # otherwise best and last are the same
    assert training.kept_epoch == (EPOCHS if patience is None else best)
    assert kept_loss == pytest.approx(training.val_losses[training.kept_epoch - 1], rel=1e-5)
