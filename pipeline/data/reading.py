"""The order in which a stateful network reads a series when it forecasts: every row once, or as the tutorial does.

    phases         a b c d e f ...              one step per row, the state carried
    overlapping    a b c, b c d, c d e, ...     all steps of every window, the state carried
    as features    [a b c] [b c d] [c d e] ...  one step per window, the state carried

With protocol=tutorial the training and the test part are lanes of their own, so each is read from a zero state.

A stateless network has no such order; to be looked at, its windows are laid end to end, each from a zero state:

    look_back=3    a b c | d e f | g h i ...
"""

import numpy as np

from pipeline.config.schema import Config, LagsAs, Order
from pipeline.data.arrays import BoolArray, IntArray
from pipeline.data.windows import Windows


def read_in_order(config: Config, windows: Windows, starts: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the steps a stateful network reads in each lane of the series, up to the last of some windows.

    Args:
        config: Decides the order: each row once, or the tutorial's overlapping windows one after another.
        windows: The windows of the series.
        starts: First row of each window, ascending. Shape (windows,).

    Returns:
        The first row of each step, shape (steps, lanes), the last one repeated where a lane has ended; and for each
        window the step at which it ends, shape (windows,), and the lane it lies in, shape (windows,).
    """
    firsts, series_of_starts = np.unique(
        windows.first_of_series[np.searchsorted(windows.starts, starts)], return_inverse=True
    )
    lasts = starts[np.append(np.flatnonzero(np.diff(series_of_starts)), len(starts) - 1)]
    read, positions = [], np.empty(len(starts), dtype=int)
    for lane, (first, last) in enumerate(zip(firsts, lasts, strict=True)):
        mine = series_of_starts == lane
        rows, positions[mine] = _read_lane(config, windows, first, last, starts[mine])
        read.append(rows)
    longest = max(map(len, read))
    padded = [np.append(rows, np.full(longest - len(rows), rows[-1])) for rows in read]
    return np.stack(padded, axis=1), positions, series_of_starts


def read_in_chunks(windows: Windows, starts: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the chunks in which a stateless network reads a text, each from a zero state, an answer at every token.

    The first chunk of a piece of text begins with the token before the first one that is forecast.

    Args:
        windows: The windows of the text.
        starts: First row of each window, ascending. Shape (windows,).

    Returns:
        The first row of each chunk, shape (chunks,); and for each window the chunk that its origin lies in, and the
        step there, each (windows,).
    """
    origins = windows.spec.origins(starts)
    firsts, piece = np.unique(windows.first_of_series[np.searchsorted(windows.starts, starts)], return_inverse=True)
    begins = origins[np.searchsorted(piece, np.arange(len(firsts)))]  # the first origin of each piece
    length = windows.spec.look_back
    inside, steps = np.divmod(origins - begins[piece], length)
    chunks = -(-np.bincount(piece) // length)
    before = np.concatenate([[0], np.cumsum(chunks)])
    first_rows = np.concatenate([begin + length * np.arange(some) for begin, some in zip(begins, chunks, strict=True)])
    return first_rows, before[piece] + inside, steps


def lay_steps(config: Config, windows: Windows, rows: slice) -> tuple[IntArray, BoolArray]:
    """Return all steps that a network reads in one series, one after another.

    Args:
        config: Decides the order.
        windows: The windows of the series.
        rows: Of the series.

    Returns:
        The first row of each step, and whether it begins with a state of zero. Each (steps,).
    """
    inside = (windows.starts >= rows.start) & (windows.starts < rows.stop)
    first_rows, resets = [], []
    for first in np.unique(windows.first_of_series[inside]):
        starts = windows.starts[inside & (windows.first_of_series == first)]
        if config.stateful:
            steps = _read_lane(config, windows, starts[0], starts[-1], starts)[0]
            begins = np.arange(len(steps)) == 0
        else:
            apart = starts[:: windows.spec.time_steps]
            steps = (apart[:, None] + windows.spec.step_offsets).ravel()
            begins = np.tile(np.arange(windows.spec.time_steps) == 0, len(apart))
        first_rows.append(steps)
        resets.append(begins)
    return np.concatenate(first_rows), np.concatenate(resets)


def _read_lane(config: Config, windows: Windows, first: int, last: int, starts: IntArray) -> tuple[IntArray, IntArray]:
    """Return the first row of each step from the lane's first window to some last one, and where windows end."""
    spec = windows.spec
    if reads_rows_once(config):
        ends = spec.last_steps(starts)
        return np.arange(first, ends[-1] + 1), ends - first
    rows = np.arange(first, last + 1)[:, None] + spec.step_offsets  # (windows, time_steps)
    return rows.ravel(), (starts - first + 1) * spec.time_steps - 1


def answers_chunks(config: Config) -> bool:
    """Return whether a stateless network is judged at every token of chunks that do not overlap, as it is trained."""
    return config.reads_text and config.answers_every_step and not config.stateful


def reads_rows_once(config: Config) -> bool:
    """Return whether a network reads one new row per step: its state holds the past, and no window need be kept."""
    dataset = config.dataset
    return config.stateful and dataset.order is Order.phases and dataset.lags_as is LagsAs.time_steps
