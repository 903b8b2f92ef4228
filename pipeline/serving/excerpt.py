"""What of a series or a text is looked at, and what is found there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.report.page.shown import SeriesShown, TextShown


@dataclass(frozen=True)
class Excerpt:
    """Which time steps are looked at.

    Attributes:
        member: Number of the series, of several.
        first_row: Row of the data with which it begins.
        steps: Time steps, at most.
    """

    member: int
    first_row: int
    steps: int


@dataclass(frozen=True)
class Reading:
    """The steps of an excerpt, and those that its state comes from.

    Attributes:
        before: First row of each step that is read before the excerpt. Shape (steps before,).
        first_rows: First row of each step of the excerpt. Shape (steps,).
        rows: Last row that each step reads. Shape (steps,).
        resets: Whether each step begins with a state of zero. Shape (steps,).
    """

    before: IntArray
    first_rows: IntArray
    rows: IntArray
    resets: BoolArray

    def count_since_zero(self) -> IntArray:
        """Return how many steps lie between each step and the last one that began with a state of zero."""
        steps = np.arange(len(self.rows))
        return steps - np.maximum.accumulate(np.where(self.resets, steps, -len(self.before)))


@dataclass(frozen=True)
class Study:
    """What is found along a reading.

    Attributes:
        shown: The data, and what the network said of them.
        gradients: As `Look` holds them.
        follow: Tells what signals, (steps, units), follow: by name, each (units,).
    """

    shown: SeriesShown | TextShown
    gradients: FloatArray
    follow: Callable[[FloatArray], Mapping[str, FloatArray]]
