"""What a training leaves behind, and what it reports while it goes on."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.config.schema import Engine
from pipeline.data.arrays import FloatArray


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch of one seed. Losses are in scaled units; `job` counts jobs that are trained side by side."""

    seed: int
    epoch: int  # from 1
    loss: float
    val_loss: float
    last: bool = False  # this seed trains no further
    job: int = 0


OnEpoch = Callable[[EpochReport], None]


@dataclass(frozen=True)
class SeedTraining:
    """One seed, trained.

    Attributes:
        seed: The seed.
        weights: As `get_weights` gives them: of the best epoch with early stopping, otherwise of the last.
        losses: Mean training loss of each epoch, scaled units.
        val_losses: Loss of the validation forecasts after each epoch, scaled units.
        kept_epoch: The epoch, from 1, whose weights these are.
        seconds: Wall time of this training; with the fused engine, its share of the time of all seeds.
        failure: Why it failed, with its last loss not a number; empty if it did not.
    """

    seed: int
    weights: list[Any]
    losses: list[float]
    val_losses: list[float]
    kept_epoch: int
    seconds: float
    failure: str = ""


@dataclass(frozen=True)
class Trained:
    """One seed, trained inside XLA, and its scaled outputs at every window, (windows, outputs)."""

    training: SeedTraining
    outputs: FloatArray
    job: int = 0


@dataclass(frozen=True)
class Training:
    """All seeds of a run, trained.

    Attributes:
        engine: Which one trained them: `fused` or `fit`.
        reason: Why, in one line.
        device: On which device, and why.
        seeds: One record per seed.
        forecasts: Scaled outputs of every seed at every window; online, before it learnt from it. Shape (seeds,
            windows, outputs).
        fit_seconds: Wall time of training all seeds, compilation included unless a job before it left its program open;
            with the fused engine, where groups of seeds train and forecast side by side, the forecasts as well. Of jobs
            that were trained side by side, a share of their time: by the number of its seeds.
    """

    engine: Engine
    reason: str
    device: str
    seeds: list[SeedTraining]
    forecasts: FloatArray
    fit_seconds: float


@dataclass(frozen=True)
class Certificate:
    """How far the ways to read one sequence lie apart.

    Attributes:
        differences: By way, the largest difference to the whole sequence read by Keras, in units of `scale`.
        scale: Highest minus lowest target of the training part, scaled units; of a text highest minus lowest logit.
        steps: Time steps that were read, or windows.
    """

    differences: dict[str, float]
    scale: float
    steps: int

    @property
    def largest(self) -> float:
        """The largest difference of all; NaN if any is."""
        return float(np.max(list(self.differences.values())))


Seeds = tuple[list[SeedTraining], FloatArray]  # one record per seed, and its scaled outputs, (seeds, windows, outputs)


def collect_trained(
    events: Iterable[EpochReport | Trained], num_jobs: int, start: float, on_epoch: OnEpoch
) -> list[Seeds]:
    """Take what the workers yield until every seed is trained.

    Args:
        events: Epochs and trained seeds, in any order.
        num_jobs: How many jobs they belong to.
        start: When their training began, by `time.perf_counter`. Each seed has an equal share of the time.
        on_epoch: Told about the epochs.

    Returns:
        For each job one record per seed, ascending, and the scaled outputs of each at every window.
    """
    trained: list[Trained] = []
    for event in events:
        if isinstance(event, EpochReport):
            on_epoch(event)
        else:
            trained.append(event)
    share = (time.perf_counter() - start) / len(trained)
    trained.sort(key=lambda each: each.training.seed)
    by_job = [[each for each in trained if each.job == job] for job in range(num_jobs)]
    return [
        ([replace(each.training, seconds=share) for each in seeds], np.stack([each.outputs for each in seeds]))
        for seeds in by_job
    ]


def describe_divergence(seed: int, epoch: int, loss: float, val_loss: float) -> str:
    """Say which seed diverged, when, and what to do."""
    return (
        f"seed {seed}: in epoch {epoch} the loss is {loss} and the validation loss {val_loss}; lower "
        "training.learning_rate, set training.clip_norm, or check dataset.scaler"
    )
