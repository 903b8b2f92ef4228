"""What a training leaves behind, and what it reports while it goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch of one seed. Losses are in scaled units."""

    seed: int
    epoch: int  # from 1
    loss: float
    val_loss: float
    last: bool = False  # this seed trains no further


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


def describe_divergence(seed: int, epoch: int, loss: float, val_loss: float) -> str:
    """Say which seed diverged, when, and what to do."""
    return (
        f"seed {seed}: in epoch {epoch} the loss is {loss} and the validation loss {val_loss}; lower "
        "training.learning_rate, set training.clip_norm, or check dataset.scaler"
    )
