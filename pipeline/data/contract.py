"""The contract of a carried state, checked on the arrays that training really reads, before it starts."""

import numpy as np

from pipeline.base.errors import UserError
from pipeline.config.schema import Order
from pipeline.data.arrays import IntArray
from pipeline.data.lanes import Batches

_ADVICE = (
    "A stateful network takes the state it had after one batch into the next, row by row, so each row must go on where "
    "it stopped, and the state must be zero wherever a row begins another sequence; training would learn from a past "
    "that never happened. Nothing was trained."
)


def check_contract(batches: Batches, series: list[IntArray], counted: IntArray, order: Order, stride: int) -> None:
    """Check that every row of the batches is one unbroken sequence from reset to reset.

    What is checked: a reset before the first batch; from reset to reset the windows of a row are contiguous, in order
    and without overlap (`stride` rows apart), and of one series; padding comes after the last window of a row; every
    window that counts is used exactly once per epoch.

    Args:
        batches: The batches of an epoch.
        series: Starts of all windows of each series, consecutive. Each of shape (windows,).
        counted: Starts of the windows that count in the loss.
        order: With `overlapping`, windows one row apart are what was asked for.
        stride: Rows from one window of a lane to the next.

    Raises:
        UserError: In one paragraph: what is broken, where, and why it matters.
    """
    for complaint in (
        _missing_reset(batches),
        _wrong_use(batches, counted),
        _broken_sequence(batches, series, 1 if order is Order.overlapping else stride),
    ):
        if complaint:
            raise UserError(f"the state contract is broken: {complaint}. {_ADVICE}")


def _missing_reset(batches: Batches) -> str:
    return "" if batches.resets[0] else "the state is not reset before the first batch of an epoch"


def _wrong_use(batches: Batches, counted: IntArray) -> str:
    used, times = np.unique(batches.starts[batches.weights > 0], return_counts=True)
    if (times > 1).any():
        number = int(np.argmax(times))
        return f"the window at row {used[number]} is used {times[number]} times in an epoch instead of once"
    missing = np.setdiff1d(counted, used)
    if missing.size:
        return f"{missing.size} training windows are never used, the first at row {missing[0]}"
    surplus = np.setdiff1d(used, counted)
    return f"the window at row {surplus[0]} is no training window" if surplus.size else ""


def _broken_sequence(batches: Batches, series: list[IntArray], stride: int) -> str:
    """Look at each pair of neighbouring batches that no reset divides."""
    ends = np.array([starts[-1] for starts in series if starts.size])
    before, after = batches.starts[:-1], batches.starts[1:]  # each (batches - 1, batch_size)
    carried = ~batches.resets[1:, None]
    # Where a row has ended, its last window is repeated as padding until the reset: it must not count.
    ended = _ended(batches)
    wrong = carried & ~ended[1:] & (after - before != stride)
    wrong |= carried & ended[1:] & (batches.weights[1:] > 0)
    crossed = carried & ~ended[1:] & (np.searchsorted(ends, before) != np.searchsorted(ends, after))
    bad = np.argwhere(wrong | crossed)
    if not bad.size:
        return ""
    batch, row = (int(position) for position in bad[0])
    return (
        f"in row {row}, batch {batch + 1} holds the window at row {before[batch, row]} of the data and batch "
        f"{batch + 2} the one at row {after[batch, row]}, but no reset lies between them and the next window must "
        f"start {stride} rows later in the same series"
    )


def _ended(batches: Batches) -> np.ndarray:
    """Return True from the batch on in which a row repeats its window, until the next reset. (batches, batch_size)."""
    repeats = np.zeros(batches.starts.shape, dtype=bool)
    repeats[1:] = (batches.starts[1:] == batches.starts[:-1]) & ~batches.resets[1:, None]
    ended = np.zeros_like(repeats)
    for first, last in zip(*_groups(batches), strict=True):
        ended[first:last] = np.logical_or.accumulate(repeats[first:last], axis=0)
    return ended


def _groups(batches: Batches) -> tuple[IntArray, IntArray]:
    """Return the first batch of each group between two resets, and the one after its last."""
    first = np.flatnonzero(batches.resets)
    return first, np.append(first[1:], len(batches.resets))
