"""What a head must say. Everything that depends on it asks: windows, layers, engines, scores, serving, reports.

An answer is what a head says about one target at one step ahead, in the data's own units: a number, or an array of the
head's own `shape`. With H horizon steps, T targets, N numbers that the network says about each, and a shape of (2,):

    outputs of the network    (windows, H x T x N)    ordered by step, then target, then number; scaled
    answers                   (windows, H, T, 2)      the data's own units
    points                    (windows, H, T)         the data's own units
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from pipeline.base.record import Measure
from pipeline.config.schema import Config
from pipeline.models.answer_rule import AnswerRule

Array = np.ndarray
TrainingLoss = Callable[[Any, Any], Any]
Invert = Callable[[Array], Array]


class Head(Protocol):
    """One kind of forecast.

    Attributes:
        shape: Of an answer; () for a single number.
        levels: Of the quantiles that an answer is made of, ascending; () if it is made of none.
        numbers: That the network says about each target at each step ahead.
        rule: What the network makes of them; None: they stay what the last dense layer says.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an answer, () for a single number."""

    @property
    def levels(self) -> tuple[float, ...]:
        """Levels of the quantiles of an answer, () for none."""

    @property
    def numbers(self) -> int:
        """Numbers that the network says about each target at each step ahead."""

    @property
    def rule(self) -> AnswerRule | None:
        """What the network makes of them."""

    def training_loss(self, config: Config) -> TrainingLoss:
        """Return what is minimized, in scaled units.

        Returns:
            A pure function of targets, shape (..., horizon_steps x targets), and outputs of the network, shape (...,
            horizon_steps x targets x numbers of an answer), that Keras and XLA can run. It gives one number per row,
            shape (...).
        """

    def kept(self, num_outputs: int) -> int:
        """Return how many numbers of a row's outputs are kept; of very many only what a score needs."""

    def keep(self, targets: Any, outputs: Any) -> Any:
        """Return what is kept of outputs; a pure function that TensorFlow and XLA can run.

        Args:
            targets: Scaled, what came. Shape (..., horizon_steps x targets).
            outputs: Of the network. Shape (..., outputs).

        Returns:
            Shape (..., kept).
        """

    def kept_loss(self, config: Config) -> TrainingLoss:
        """Return the training loss as a function of targets and of what was kept."""

    def in_units(self, outputs: Array, invert: Invert) -> Array:
        """Turn outputs into answers.

        Args:
            outputs: What was kept of them, scaled. Shape (windows, kept).
            invert: Brings one number for each step and target back to the data's own units: shape (windows,
                horizon_steps x targets) to (windows, horizon_steps, targets).

        Returns:
            Shape (windows, horizon_steps, targets, *shape).
        """

    def points(self, answers: Array) -> Array:
        """Return the one number that tables and figures show: shape (..., targets, *shape) to (..., targets)."""

    def spread(self, values: Array) -> Array:
        """Write values as answers that are sure of them: shape (..., targets) to (..., targets, *shape)."""

    def errors(self, answers: Array, actual: Array) -> Array:
        """Return how far answers are from what came.

        Args:
            answers: Shape (..., targets, *shape).
            actual: Shape (..., targets).

        Returns:
            Shape (..., targets, *shape).
        """

    def penalty(self, errors: Array) -> Array:
        """Return what an error costs.

        Args:
            errors: As `errors` gives them. Shape (..., targets, *shape).

        Returns:
            Shape (..., targets), never negative. Errors twice as large give twice the score: see `score`.
        """

    def score(self, mean_penalty: Array) -> Array:
        """Return the score of a mean penalty, in the unit of the errors."""

    def measure(self, num_targets: int) -> Measure:
        """Return what runs are chosen and judged by: the score, of several targets each over its scale and averaged."""


class KeepsAll(ABC):
    """What a head says of its outputs when all of them are kept: it has few."""

    @abstractmethod
    def training_loss(self, config: Config) -> TrainingLoss:
        """See `Head`."""

    def kept(self, num_outputs: int) -> int:
        """Return all of them."""
        return num_outputs

    def keep(self, targets: Any, outputs: Any) -> Any:
        """Return the outputs."""
        return outputs

    def kept_loss(self, config: Config) -> TrainingLoss:
        """Return the training loss."""
        return self.training_loss(config)
