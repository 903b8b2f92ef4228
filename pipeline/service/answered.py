"""A row that a lane has read, with its answer."""

from dataclasses import dataclass, field

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
