"""Heads that say quantiles: the values that a given share of what comes lies below. They are judged by CRPS.

The continuous ranked probability score is twice the integral of the pinball loss over all levels (Gneiting and Raftery,
"Strictly Proper Scoring Rules, Prediction, and Estimation", 2007). Here it is twice the mean over the levels that were
asked for: for a point that is sure of itself, and only then, the absolute error.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from pipeline.base.record import Measure
from pipeline.config.schema import Config
from pipeline.models.answer_rule import AnswerRule
from pipeline.models.heads.families import MEDIAN, Family
from pipeline.models.heads.head import Array, Invert, KeepsAll, TrainingLoss

CRPS = Measure(
    "crps",
    "CRPS",
    has_unit=True,
    cost="pinball losses",
    meaning="twice the mean pinball loss over model.quantiles; forecasts that need no network have those of their "
    "errors in the validation part",
)
SCALED_CRPS = Measure(
    "scaled_crps",
    "scaled CRPS",
    has_unit=False,
    cost="pinball losses",
    meaning="CRPS over the RMSE of repeating the last value in training, mean over the targets",
)

_DRAWS = 512  # of a sum: its quantiles are right to a few hundredths of its spread


@dataclass(frozen=True)
class QuantileHead(KeepsAll):
    """A number for each level, ascending; what each method does: see `Head`.

    Attributes:
        levels: Ascending, with 0.5 among them: the median is the point.
        family: What the network says, of which the quantiles are made.
        exact: How many of the first steps ahead are brought to the data's own units by known values alone; further
            ones add up changes of several steps. None: all.
    """

    levels: tuple[float, ...]
    family: Family
    exact: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """One number for each level."""
        return (len(self.levels),)

    @property
    def numbers(self) -> int:
        """As many as the family needs."""
        return self.rule.numbers

    @property
    def rule(self) -> AnswerRule:
        """That of the family."""
        return self.family.rule

    def training_loss(self, config: Config) -> TrainingLoss:
        """Return the mean of the family's loss over steps and targets."""
        from keras import ops  # imported late: a head is asked where no network is trained

        def loss(targets: Any, outputs: Any) -> Any:
            said = ops.reshape(outputs, (*ops.shape(outputs)[:-1], targets.shape[-1], self.numbers))
            return ops.mean(self.family.loss(targets[..., None], said), axis=-1)  # over horizon_steps x targets

        return loss

    def in_units(self, outputs: Array, invert: Invert) -> Array:
        """Return each quantile by itself: a quantile stays one under every map that keeps the order of values.

        A sum of changes has the quantiles of drawn sums: changes of different steps are drawn independently of each
        other, given the past.
        """
        said = outputs.reshape(len(outputs), -1, self.numbers)  # (windows, horizon_steps x targets, numbers)
        scaled = self.family.quantiles(said, np.array(self.levels))
        answers = np.stack([invert(scaled[..., level]) for level in range(len(self.levels))], axis=-1)
        if self.exact is None:
            return answers
        shares = _spread_shares(said.shape[1])  # the same for every window: what is served has the same bits
        summed = answers[:, self.exact :]  # (windows, further steps, targets, levels)
        drawn = np.empty((len(shares), *summed.shape[:-1]))
        for number, share in enumerate(shares):
            drawn[number] = invert(self.draw(outputs, np.broadcast_to(share, said.shape[:2])))[:, self.exact :]
        for step in range(summed.shape[1]):  # one by one: the quantiles need a copy
            summed[:, step] = np.moveaxis(np.quantile(drawn[:, :, step], self.levels, axis=0), 0, -1)
        return answers

    def draw(self, outputs: Array, shares: Array) -> Array:
        """Return the values that given shares of what comes lie below: with random shares, draws of what may come.

        Args:
            outputs: Scaled. Shape (windows, horizon_steps x targets x numbers).
            shares: Above 0 and below 1. Shape (windows, horizon_steps x targets).

        Returns:
            Scaled. Same shape as shares.
        """
        said = outputs.reshape(*shares.shape, self.numbers)
        return self.family.quantiles(said, shares[..., None])[..., 0]

    def points(self, answers: Array) -> Array:
        """Return the medians."""
        return answers[..., self.levels.index(MEDIAN)]

    def spread(self, values: Array) -> Array:
        """Return every quantile equal to the value."""
        return np.repeat(values[..., None], len(self.levels), axis=-1)

    def errors(self, answers: Array, actual: Array) -> Array:
        """Return quantiles minus what came."""
        return answers - actual[..., None]

    def penalty(self, errors: Array) -> Array:
        """Return twice the mean pinball loss over the levels."""
        levels = np.array(self.levels)
        with np.errstate(invalid="ignore"):
            return np.asarray(2 * np.maximum((1 - levels) * errors, -levels * errors).mean(axis=-1))

    def score(self, mean_penalty: Array) -> Array:
        """Return the mean."""
        return np.asarray(mean_penalty)

    def measure(self, num_targets: int) -> Measure:
        """Return CRPS of one target, scaled CRPS of several: errors in different units are never averaged."""
        return CRPS if num_targets == 1 else SCALED_CRPS


@cache
def _spread_shares(numbers: int) -> Array:
    """Return shares of what comes, for draws of numbers that do not depend on each other. Shape (draws, numbers).

    They fill the space of all numbers evenly (a scrambled Sobol sequence), and each draw has one that mirrors it: of
    symmetric distributions the median of a sum is the sum of the medians.
    """
    from scipy.stats import qmc  # imported late: one second

    shares = np.clip(qmc.Sobol(numbers, seed=1).random(_DRAWS // 2), 1e-6, 1 - 1e-6)
    return np.concatenate([shares, 1 - shares])
