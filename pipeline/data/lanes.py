"""Batches for training: shuffled windows for a stateless network, lanes for a stateful one.

A lane is one row position of every batch: the network carries that row's state from batch to batch, so the next batch
must continue the same sequence. Windows of one phase touch but do not overlap. look_back=3, series a..j:

    phase 0   [a b c] [d e f] [g h i]      batch 1 row 0, batch 2 row 0, batch 3 row 0
    phase 1     [b c d] [e f g]            batch 1 row 1, batch 2 row 1, then padding of weight 0
    phase 2       [c d e] [f g h]          ...

Over all phases every window is used exactly once per epoch. Many series (400 stocks) make as many lanes per phase.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.config.schema import Order
from pipeline.data.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Batches:
    """The batches of one epoch.

    Attributes:
        starts: First row of the window in each place. Shape (batches, batch_size); padding repeats a real window.
        weights: 1 for a window that counts, 0 for padding and for windows with a filled target. Where no window of a
            batch counts, the gradient is zero and only an optimizer's momentum moves. Shape (batches, batch_size).
        resets: True where every state is set to zero before the batch. Shape (batches,).
    """

    starts: IntArray
    weights: FloatArray
    resets: BoolArray

    @property
    def num_windows(self) -> int:
        """Windows that count in one epoch."""
        return int(self.weights.sum())

    @property
    def num_padded(self) -> int:
        """Places that hold no window that counts."""
        return self.weights.size - self.num_windows


def cut_lanes(series: Sequence[IntArray], order: Order, stride: int, segments: int) -> list[IntArray]:
    """Arrange contiguous windows as lanes.

    Args:
        series: First rows of all training windows of each series, consecutive. Each of shape (windows,).
        order: `phases` or `overlapping` (one lane with every window of a series, the tutorial's literal order).
        stride: Rows from one window of a lane to the next: the time steps of a sample.
        segments: Contiguous pieces each series is cut into, each with lanes of its own.

    Returns:
        Window starts of each lane, all series of one phase before the next phase; lanes that would be empty are left
        out.

    Example:
        >>> [lane.tolist() for lane in cut_lanes([np.arange(5)], Order.phases, stride=3, segments=1)]
        [[0, 3], [1, 4], [2]]
    """
    if order is Order.overlapping:
        return [starts for starts in series if starts.size]
    pieces = [piece for starts in series for piece in np.array_split(starts, segments)]
    lanes = [piece[phase::stride] for phase in range(stride) for piece in pieces]
    return [lane for lane in lanes if lane.size]


def batch_lanes(lanes: list[IntArray], batch_size: int, counted: IntArray) -> Batches:
    """Lay `batch_size` lanes side by side; the state is reset where a group of lanes ends.

    Args:
        lanes: Window starts of each lane.
        batch_size: Lanes side by side.
        counted: Starts of the windows that count in the loss; others only move the state on.

    Returns:
        The batches of every epoch, in order.
    """
    starts, weights, resets = [], [], []
    for first in range(0, len(lanes), batch_size):
        group = lanes[first : first + batch_size]
        length = max(lane.size for lane in group)
        group_starts = np.full((length, batch_size), group[0][0])
        group_weights = np.zeros((length, batch_size), dtype=np.float32)
        for row, lane in enumerate(group):
            group_starts[: lane.size, row] = lane
            group_starts[lane.size :, row] = lane[-1]
            group_weights[: lane.size, row] = np.isin(lane, counted)
        starts.append(group_starts)
        weights.append(group_weights)
        resets.append(np.arange(length) == 0)
    return Batches(np.concatenate(starts), np.concatenate(weights), np.concatenate(resets))


def shuffle_windows(num_windows: int, seed: int, epoch: int) -> IntArray:
    """Return the order in which a stateless network sees the training windows.

    Args:
        num_windows: Number of training windows.
        seed: The seed of this training.
        epoch: Epoch number, from 0.

    Returns:
        A permutation of 0..num_windows-1 that depends on the arguments only. Shape (num_windows,).
    """
    return np.random.default_rng((seed, epoch)).permutation(num_windows)
