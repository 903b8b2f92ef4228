"""What an epoch is made of, and what is left over: rows, windows, chunks, batches, padding."""

from dataclasses import dataclass

import numpy as np

from pipeline.config.schema import Config, Protocol
from pipeline.data.arrays import BoolArray, IntArray
from pipeline.data.lanes import Batches
from pipeline.data.prepared import PreparedData
from pipeline.data.split import PARTS
from pipeline.data.text import chunk_stride
from pipeline.explanation.facts.labels import Labels


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
    """Rows of the training part at which no training window begins, and why.

    Attributes:
        reason: Why.
        rows: Which. Shape (rows,), ascending.
        first: Label of the first one.
        last: Label of the last one.
    """

    reason: str
    rows: IntArray
    first: str
    last: str


@dataclass(frozen=True)
class Counts:
    """One epoch.

    Attributes:
        num_windows: Windows that count in the loss.
        num_batches: Weight updates.
        batch_size: Places of a batch.
        num_padded: Places of all batches that hold no window.
        num_unscored: Windows that only move the state on, because a target was filled in.
        last_batch: Windows in the last batch.
        lane_lengths: Chunks of the shortest and the longest lane; (1, 1) when stateless.
        num_lanes: Lanes of an epoch, 0 when stateless.
        num_resets: How often every state is set to zero.
    """

    num_windows: int
    num_batches: int
    batch_size: int
    num_padded: int
    num_unscored: int
    last_batch: int
    lane_lengths: tuple[int, int]
    num_lanes: int
    num_resets: int


def count_epoch(config: Config, data: PreparedData) -> Counts:
    """Count what one epoch holds, from its real batches."""
    windows, size = data.windows.train.size, config.batch_size
    if data.lanes is None:
        batches = -(-windows // size)
        return Counts(windows, batches, size, 0, 0, windows - (batches - 1) * size, (1, 1), 0, batches)
    lanes = data.lanes
    padded = find_padding(lanes, data.windows.train)
    groups = np.split(~padded, np.flatnonzero(lanes.resets)[1:])  # each (batches of a group of lanes, batch_size)
    lengths = np.concatenate([group.sum(axis=0) for group in groups])
    lengths = lengths[lengths > 0]  # (lanes,)
    return Counts(
        num_windows=lanes.num_windows,
        num_batches=len(lanes.starts),
        batch_size=size,
        num_padded=int(padded.sum()),
        num_unscored=lanes.num_padded - int(padded.sum()),
        last_batch=int(np.count_nonzero(lanes.weights[-1])),
        lane_lengths=(int(lengths.min()), int(lengths.max())),
        num_lanes=lengths.size,
        num_resets=int(lanes.resets.sum()),
    )


def find_padding(lanes: Batches, trained: IntArray) -> BoolArray:
    """Tell padding from windows: it has weight 0 and repeats a window.

    Args:
        lanes: The batches.
        trained: Starts of the windows that count: each of them stands in one place with weight 1.

    Returns:
        True where a place holds no window. Shape (batches, batch_size).
    """
    starts = lanes.starts
    repeats = np.isin(starts, trained)
    repeats[1:] |= (starts[1:] == starts[:-1]) & ~lanes.resets[1:, None]  # the last window of a lane that ended
    repeats[:, 1:] |= starts[:, 1:] == starts[:, :1]  # a row without a lane
    return repeats & (lanes.weights == 0)


def list_parts(data: PreparedData, labels: Labels) -> tuple[Part, ...]:
    """Describe the three parts; several lanes together."""
    windows, timestamps = data.windows, data.series.timestamps
    sizes = dict(zip(PARTS, (windows.train.size, windows.validation.size, _count_test(data)), strict=True))
    parts = []
    for name in PARTS:
        rows = np.flatnonzero(data.split.rows(name))
        if rows.size:
            first, last = rows[timestamps[rows].argmin()], rows[timestamps[rows].argmax()]
            parts.append(Part(name, rows.size, labels[first], labels[last], sizes[name]))
    return tuple(parts)


def _count_test(data: PreparedData) -> int:
    """Count the windows that forecast a row of the test part."""
    windows = data.windows
    rows = windows.spec.forecast_rows(windows.starts)  # (windows, horizon_steps)
    if data.vocabulary is not None:
        return data.split.count("test")
    ends = _series_ends(data)[windows.starts][:, None]
    in_test = data.split.rows("test")[np.minimum(rows, ends - 1)] & (rows < ends)
    return int(in_test.any(axis=1).sum())


def list_left_over(config: Config, data: PreparedData, labels: Labels) -> tuple[LeftOver, ...]:
    """Say at which rows of the training part no training window begins: every row less the real training windows."""
    in_train = data.split.rows("train")
    begins = np.zeros(len(in_train), bool)
    begins[data.windows.train] = True
    unused = np.flatnonzero(in_train & ~begins)
    reasons = _explain_series(data, unused) if data.vocabulary is None else _explain_text(config, data, unused)
    return tuple(
        LeftOver(reason, rows, labels[rows[0]], labels[rows[-1]])
        for reason, rows in ((reason, unused[chosen]) for reason, chosen in reasons.items())
        if rows.size
    )


def _explain_text(config: Config, data: PreparedData, unused: IntArray) -> dict[str, BoolArray]:
    """Tell tokens inside a chunk, or stepped over, from those that fill no chunk. By reason, each (unused,)."""
    train, stride = data.windows.train, chunk_stride(config)
    inside = unused - train[np.searchsorted(train, unused) - 1] < stride
    in_chunks = config.stateful or config.dataset.stride is None
    why = f"they lie inside a chunk of {stride} tokens" if in_chunks else f"dataset.stride={stride} steps over them"
    return {why: inside, "too few tokens of the training part, or of its lane, follow to fill a chunk": ~inside}


def _explain_series(data: PreparedData, unused: IntArray) -> dict[str, BoolArray]:
    """Tell the rows of a series apart. By reason, each (unused,)."""
    windows, in_train = data.windows, data.split.rows("train")
    ends = _series_ends(data)[unused]
    first_rows = np.concatenate([np.full(rows.stop - rows.start, rows.start) for rows in data.series.slices()])
    lost = unused - first_rows[unused] < data.transformed.lost
    last_targets = windows.spec.last_targets(unused)
    beyond = (last_targets >= ends) | ~in_train[np.minimum(last_targets, ends - 1)]
    dropped = ~lost & ~beyond & (data.protocol is Protocol.tutorial)
    return {
        "before them dataset.transforms has nothing to subtract": lost,
        "the target would lie after the training part": beyond & ~lost,
        "protocol=tutorial drops the last sample of a part": dropped,
        "a target was missing in the file and filled in": ~lost & ~beyond & ~dropped,
    }


def _series_ends(data: PreparedData) -> IntArray:
    """Return the row after the end of each row's lane. Shape (time,)."""
    return np.array([rows.stop for rows in data.series.slices()])[data.series.series_of_rows()]
