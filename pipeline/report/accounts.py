"""What an epoch is made of, and what is left over: rows, windows, chunks, batches, padding."""

from dataclasses import dataclass

import numpy as np

from pipeline.config import Config
from pipeline.data.prepare import PreparedData
from pipeline.data.series import IntArray
from pipeline.data.split import PARTS
from pipeline.report.labels import Labels


@dataclass(frozen=True)
class Part:
    """Train, validation or test.

    Attributes:
        name: The part.
        num_rows: Its time steps.
        first: Label of its first time step.
        last: Label of its last time step.
        num_windows: Windows that are trained on; that choose the epoch; in the test part all that forecast a row of it.
    """

    name: str
    num_rows: int
    first: str
    last: str
    num_windows: int


@dataclass(frozen=True)
class LeftOver:
    """Rows of the training part at which no training window begins, and why."""

    reason: str
    rows: tuple[int, ...]
    first: str
    last: str


@dataclass(frozen=True)
class Counts:
    """One epoch.

    Attributes:
        num_windows: Windows that count in the loss.
        num_batches: Weight updates.
        batch_size: Places of a batch.
        num_padded: Places of all batches without a window that counts.
        last_batch: Windows in the last batch.
        lane_lengths: Chunks of the shortest and the longest lane; (1, 1) when stateless.
        num_lanes: Lanes of an epoch, 0 when stateless.
        num_resets: How often every state is set to zero.
    """

    num_windows: int
    num_batches: int
    batch_size: int
    num_padded: int
    last_batch: int
    lane_lengths: tuple[int, int]
    num_lanes: int
    num_resets: int


def count_epoch(config: Config, data: PreparedData) -> Counts:
    """Count what one epoch holds, from its real batches."""
    windows, size = data.windows.train.size, config.batch_size
    if data.lanes is None:
        batches = -(-windows // size)
        return Counts(windows, batches, size, 0, windows - (batches - 1) * size, (1, 1), 0, batches)
    weights, resets = data.lanes.weights, data.lanes.resets
    groups = np.split(weights > 0, np.flatnonzero(resets)[1:])  # each (batches of a group of lanes, batch_size)
    lengths = np.concatenate([_lengths(group) for group in groups])
    return Counts(
        num_windows=data.lanes.num_windows,
        num_batches=len(weights),
        batch_size=size,
        num_padded=data.lanes.num_padded,
        last_batch=int(np.count_nonzero(weights[-1])),
        lane_lengths=(int(lengths.min()), int(lengths.max())),
        num_lanes=lengths.size,
        num_resets=int(resets.sum()),
    )


def _lengths(counts: np.ndarray) -> IntArray:
    """Return the batches up to the last window that counts, of each row that has any."""
    ends = len(counts) - np.argmax(counts[::-1], axis=0)  # (batch_size,)
    return ends[counts.any(axis=0)]


def list_parts(data: PreparedData, labels: Labels) -> tuple[Part, ...]:
    """Describe the three parts."""
    windows, split = data.windows, data.split
    origins, steps = windows.origins(windows.starts), windows.horizon_steps  # every step from the first to the last
    in_test = (origins + steps[-1] >= split.validation_end) & (origins + steps[0] < split.length)  # (windows,)
    sizes = dict(zip(PARTS, (windows.train.size, windows.validation.size, int(in_test.sum())), strict=True))
    return tuple(
        Part(name, rows.stop - rows.start, labels[rows.start], labels[rows.stop - 1], sizes[name])
        for name, rows in ((name, split.rows(name)) for name in PARTS)
    )


def list_left_over(data: PreparedData, labels: Labels) -> tuple[LeftOver, ...]:
    """Say at which rows of the training part no training window begins: every row less the real training windows."""
    windows, split = data.windows, data.split
    begins = np.zeros(split.train_end, dtype=bool)  # (train rows,)
    begins[windows.train] = True
    unused = np.flatnonzero(~begins)
    lost = unused < data.transformed.first_defined
    beyond = windows.origins(unused) + max(windows.horizon_steps) >= split.train_end
    reasons = {
        "before them dataset.transforms has nothing to subtract": lost,
        "the target would lie after the training part": beyond & ~lost,
        "a target was missing in the file and filled in": ~lost & ~beyond,
    }
    return tuple(
        LeftOver(reason, tuple(rows.tolist()), labels[rows[0]], labels[rows[-1]])
        for reason, rows in ((reason, unused[chosen]) for reason, chosen in reasons.items())
        if rows.size
    )
