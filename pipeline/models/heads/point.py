"""The head that says one number: the forecast. It is judged by RMSE."""

from dataclasses import dataclass

import numpy as np

from pipeline.base.record import Measure
from pipeline.config.schema import Config, Loss
from pipeline.models.heads.head import Array, Invert, KeepsAll, TrainingLoss

RMSE = Measure("rmse", "RMSE", has_unit=True, cost="squared errors")
RMSSE = Measure(
    "rmsse",
    "RMSSE",
    has_unit=False,
    cost="squared errors",
    meaning="RMSE over that of repeating the last value in training, mean over the targets",
)


@dataclass(frozen=True)
class PointHead(KeepsAll):
    """One number for each step ahead and target, learnt with `training.loss`; what each method does: see `Head`."""

    shape: tuple[int, ...] = ()
    levels: tuple[float, ...] = ()
    numbers: int = 1
    rule: None = None

    def training_loss(self, config: Config) -> TrainingLoss:
        """Return the loss of the configuration, as Keras defines it: the mean over the outputs of a row."""
        import keras  # imported late: a head is asked where no network is trained

        return {
            Loss.mse: keras.losses.mean_squared_error,
            Loss.mae: keras.losses.mean_absolute_error,
            Loss.huber: keras.losses.huber,
            Loss.log_cosh: keras.losses.log_cosh,
        }[config.training.loss]

    def in_units(self, outputs: Array, invert: Invert) -> Array:
        """Return shape (windows, horizon_steps, targets)."""
        return invert(outputs)

    def points(self, answers: Array) -> Array:
        """Return the answers: they are points."""
        return answers

    def spread(self, values: Array) -> Array:
        """Return the values: they are answers."""
        return values

    def errors(self, answers: Array, actual: Array) -> Array:
        """Return answers minus what came."""
        return answers - actual

    def penalty(self, errors: Array) -> Array:
        """Return the squared errors."""
        return errors**2

    def score(self, mean_penalty: Array) -> Array:
        """Return the root."""
        return np.sqrt(mean_penalty)

    def measure(self, num_targets: int) -> Measure:
        """Return RMSE of one target, RMSSE of several: errors in different units are never averaged."""
        return RMSE if num_targets == 1 else RMSSE


POINT = PointHead()
