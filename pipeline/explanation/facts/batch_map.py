"""Which window sits where in the first batches, where its state comes from, and where it is set to zero."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from pipeline.config.schema import Config
from pipeline.data.lanes import Batches, shuffle_windows
from pipeline.data.prepared import PreparedData
from pipeline.explanation.facts.accounts import find_padding

_BATCHES_SHOWN = 3


class Filling(Enum):
    """What a place of a batch holds."""

    window = "window"  # trained on
    unscored = "unscored"  # a window whose target was filled in: it only moves the state on
    padding = "padding"  # nothing: a real window is repeated with weight 0


@dataclass(frozen=True)
class Place:
    """One row of one batch.

    Attributes:
        filling: What it holds.
        rows: First and last row of the series that go in.
        lane: Number of its lane, from 1; None when stateless.
    """

    filling: Filling
    rows: tuple[int, int]
    lane: int | None


@dataclass(frozen=True)
class BatchMap:
    """Some batches of an epoch, all their rows.

    Attributes:
        numbers: The batches, from 1: the first three, and when stateful the next one that starts from zero.
        from_zero: Of each of those batches, whether every state is zero before it.
        starts: First row of the window in each place. Shape (batches shown, rows of a batch).
        fillings: What each place holds, by position in `Filling`. Shape (batches shown, rows of a batch).
        lanes: Number of the lane in each place, from 1; empty when stateless. Shape (batches shown, rows of a batch).
        origin: Offset of a window's last row from its first.
        is_shuffled: Whether this is the order of epoch 1 of the first seed only; otherwise of every epoch.
    """

    numbers: tuple[int, ...]
    from_zero: tuple[bool, ...]
    starts: tuple[tuple[int, ...], ...]
    fillings: tuple[tuple[Filling, ...], ...]
    lanes: tuple[tuple[int, ...], ...]
    origin: int
    is_shuffled: bool

    @property
    def num_rows(self) -> int:
        """Rows of the largest batch shown."""
        return max(map(len, self.starts))

    def place(self, row: int, column: int) -> Place | None:
        """Return what a row of a shown batch holds, or None below the end of a smaller last batch."""
        if row >= len(self.starts[column]):
            return None
        start = self.starts[column][row]
        lane = self.lanes[column][row] if self.lanes else None
        return Place(self.fillings[column][row], (start, start + self.origin), lane)


def map_batches(config: Config, data: PreparedData) -> BatchMap:
    """Read the first batches off the real order of training."""
    if data.lanes is None:
        return _map_shuffled(config, data)
    lanes = data.lanes
    counts, padded = lanes.weights > 0, find_padding(lanes, data.windows.train)  # (batches, batch_size)
    later = np.flatnonzero(lanes.resets[_BATCHES_SHOWN:])[:1] + _BATCHES_SHOWN
    shown = [*range(min(_BATCHES_SHOWN, len(lanes.starts))), *map(int, later)]
    return BatchMap(
        numbers=tuple(number + 1 for number in shown),
        from_zero=tuple(bool(lanes.resets[number]) for number in shown),
        starts=tuple(tuple(lanes.starts[number].tolist()) for number in shown),
        fillings=tuple(_fillings(counts[number].tolist(), padded[number].tolist()) for number in shown),
        lanes=tuple(_number_lanes(lanes, number) for number in shown),
        origin=data.windows.spec.origin,
        is_shuffled=False,
    )


def _map_shuffled(config: Config, data: PreparedData) -> BatchMap:
    train, size = data.windows.train, config.batch_size
    order = train[shuffle_windows(train.size, config.seed, epoch=0)]
    batches = [order[first : first + size] for first in range(0, min(_BATCHES_SHOWN * size, train.size), size)]
    return BatchMap(
        numbers=tuple(range(1, len(batches) + 1)),
        from_zero=(True,) * len(batches),
        starts=tuple(tuple(batch.tolist()) for batch in batches),
        fillings=tuple((Filling.window,) * len(batch) for batch in batches),
        lanes=(),
        origin=data.windows.spec.origin,
        is_shuffled=True,
    )


def _fillings(counts: list[bool], padded: list[bool]) -> tuple[Filling, ...]:
    return tuple(
        Filling.window if count else Filling.padding if pad else Filling.unscored
        for count, pad in zip(counts, padded, strict=True)
    )


def _number_lanes(lanes: Batches, number: int) -> tuple[int, ...]:
    """Number the rows of a batch through: a group of lanes that ends is full, only the last one may be smaller."""
    groups_before = int(lanes.resets[: number + 1].sum()) - 1
    size = lanes.starts.shape[1]
    return tuple(range(groups_before * size + 1, (groups_before + 1) * size + 1))
