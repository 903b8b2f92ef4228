"""Successive halving: many configurations are tried cheaply, the best third of them again with more.

Every rung trains anew, with seeds and epochs of its own. So what a configuration scores on a rung depends on nothing
that was tried beside it, and only scores of one rung are compared.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

Name = TypeVar("Name")
KEPT = 3  # one of so many goes on
BRACKET = KEPT**2  # configurations that start together


@dataclass(frozen=True)
class Rung:
    """What a configuration is tried with.

    Attributes:
        folds: The newest so many folds.
        seeds: Trainings on each fold.
        epochs: Share of training.epochs.
    """

    folds: int
    seeds: int
    epochs: float

    @property
    def trainings(self) -> int:
        """Networks that are trained."""
        return self.folds * self.seeds


RUNGS = (Rung(folds=3, seeds=1, epochs=0.5), Rung(folds=3, seeds=3, epochs=1.0), Rung(folds=3, seeds=8, epochs=1.0))
LAST = len(RUNGS) - 1


def choose_best(scores: Mapping[Name, float]) -> list[Name]:
    """Return which go on to the next rung, the best first: a third of them, at least one.

    Args:
        scores: Of one rung; lower is better.

    Example:
        >>> choose_best({"a": 3.0, "b": 1.0, "c": 2.0, "d": 5.0})
        ['b', 'c']
    """
    ranked = sorted(scores, key=lambda name: scores[name])
    return ranked[: math.ceil(len(ranked) / KEPT)]
