"""What rows are answered: numbers, or why nothing of a request was taken."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from pipeline.data.arrays import FloatArray
from pipeline.serving.rows import Row

_NONE: FloatArray = np.empty(0)


@dataclass(slots=True)
class Answered:
    """A row and what it is answered.

    Attributes:
        row: As it was read.
        key: Of its timestamp.
        numbers: As `LaneBook.output_names` has them; NaN while its lane warms up.
        repeated: Whether it was answered before.
    """

    row: Row
    key: float
    numbers: FloatArray = field(default_factory=lambda: _NONE)
    repeated: bool = False


class AnsweredBlock(NamedTuple):
    """Rows of different lanes that came together, none of them before, and what they are answered.

    Attributes:
        names: Of their lanes. Length n.
        timestamps: Length n.
        keys: Of the timestamps. Length n.
        numbers: As `LaneBook.output_names` has them. Shape (n, outputs).
    """

    names: Sequence[str]
    timestamps: Sequence[str]
    keys: Sequence[float]
    numbers: FloatArray


def count_rows(answers: Sequence[Answered] | AnsweredBlock) -> tuple[int, int]:
    """Return how many rows there are, and how many of them were answered before."""
    if isinstance(answers, AnsweredBlock):
        return len(answers.names), 0
    return len(answers), sum(each.repeated for each in answers)


class Reason(StrEnum):
    """Why rows are refused, as metrics count them."""

    malformed = "malformed"
    late = "late"
    conflict = "conflict"
    lanes = "lanes"


@dataclass(frozen=True)
class Refusal:
    """Why nothing of a request was taken.

    Attributes:
        reason: As metrics count it.
        text: What is said to the client.
    """

    reason: Reason
    text: str


Reply = list[Answered] | AnsweredBlock | Refusal
