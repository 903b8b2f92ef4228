"""What the compiled program reads: batches in the order of the reference engine, and the order of forecasts."""

import numpy as np
import tensorflow as tf

from pipeline.config.schema import Config
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.lanes import Batches, shuffle_windows
from pipeline.data.reading import answers_chunks, read_in_chunks, read_in_order
from pipeline.data.windows import Windows
from pipeline.models.plan import GATES
from pipeline.training.arrays import BatchPlan, ReadingPlan

_EPOCHS_AT_ONCE = 64  # in one plan; whatever training.epochs is, so that it changes no shape
_LARGEST_PLAN = 2**20  # window starts in one plan: bounds its memory
_STEPS_AT_ONCE = 1024  # steps of a series that are read per block: bounds the memory of projected inputs
_ROWS_AT_ONCE = 2**17  # rows that the windows of a block read: the same
_NUMBERS_AT_ONCE = 2**24  # outputs, or gates of a layer, of a block: the same, where a row has thousands of them


def count_epochs(windows: Windows, seeds: int) -> int:
    """Return for how many epochs one plan holds the batches."""
    return max(1, min(_EPOCHS_AT_ONCE, _LARGEST_PLAN // (seeds * len(windows.train))))


def plan_batches(
    config: Config, windows: Windows, lanes: Batches | None, seeds: list[int], epochs: range, held: int
) -> BatchPlan:
    """Plan some epochs: lanes for a stateful network, otherwise windows shuffled by seed and epoch.

    Args:
        config: The batch size.
        windows: The windows.
        lanes: The lanes of a stateful network; None for a stateless one.
        seeds: The seeds side by side.
        epochs: The epochs, from 0.
        held: How many the plan has room for, as `count_epochs` says.
    """
    if lanes is not None:
        starts, weights, resets = lanes.starts[None, None], lanes.weights, lanes.resets
    else:
        starts = np.stack([_shuffled(config, windows, seeds, epoch) for epoch in epochs])
        starts = np.pad(starts, ((0, held - len(epochs)), (0, 0), (0, 0), (0, 0)))
        weights = np.zeros(starts.shape[2:], np.float32)
        weights.reshape(-1)[: len(windows.train)] = 1
        resets = np.full(len(weights), True)
    return BatchPlan(
        first_epoch=tf.constant(epochs.start, tf.int32),
        starts=tf.constant(starts, tf.int32),
        weights=tf.constant(weights, tf.float32),
        resets=tf.constant(resets),
        draws=tf.constant(seeds, tf.int32),
    )


def _shuffled(config: Config, windows: Windows, seeds: list[int], epoch: int) -> IntArray:
    """Return the window starts of one epoch; the last batch is filled up. Shape (seeds, batches, batch_size)."""
    count = len(windows.train)
    batches = -(-count // config.batch_size)
    starts = np.full((len(seeds), batches * config.batch_size), windows.train[0])
    for row, seed in enumerate(seeds):
        starts[row, :count] = windows.train[shuffle_windows(count, seed, epoch)]
    return starts.reshape(len(seeds), batches, config.batch_size)


def count_rows_at_once(config: Config, num_outputs: int) -> int:
    """Return how many rows are read in one block.

    Args:
        config: The units of its network, and whether it is stateful.
        num_outputs: Of the network, per row.

    Example:
        >>> from pipeline.config.schema import Config, ModelConfig
        >>> [count_rows_at_once(Config(model=ModelConfig(units=[units])), 1) for units in (4, 1024)]
        [131072, 4096]
    """
    widest = GATES[config.model.cell] * max(config.model.units, default=0)
    most = _STEPS_AT_ONCE if config.stateful else _ROWS_AT_ONCE
    return min(most, _NUMBERS_AT_ONCE // max(num_outputs, widest))


def plan_reading(config: Config, windows: Windows, starts: IntArray, targets: FloatArray) -> ReadingPlan:
    """Plan forecasts from the end of each window.

    Args:
        config: Whether the network is stateful, and the order it reads in.
        windows: The windows of the series.
        starts: First row of each window, ascending. Shape (windows,).
        targets: What is forecast there, or an empty array. Shape (windows, horizon_steps x targets).
    """
    rows_at_once = count_rows_at_once(config, windows.num_outputs)
    if config.stateful:
        first_rows, steps, series_of_starts = read_in_order(config, windows, starts)
        lanes = first_rows.shape[1]
        positions = steps * lanes + series_of_starts
        size = min(len(first_rows), max(1, rows_at_once // lanes))
    elif answers_chunks(config):
        length = windows.spec.look_back
        first_rows, chunks, steps = read_in_chunks(windows, starts)
        size = min(len(first_rows), max(1, rows_at_once // length))
        positions = chunks // size * (size * length) + steps * size + chunks % size
    else:
        first_rows, positions = starts, np.arange(len(starts))
        size = min(len(first_rows), max(1, rows_at_once // windows.spec.look_back))
    blocks = -(-len(first_rows) // size)
    padded = np.full((blocks * size, *first_rows.shape[1:]), first_rows[0])
    padded[: len(first_rows)] = first_rows
    return ReadingPlan(
        tf.constant(padded.reshape(blocks, size, *first_rows.shape[1:]), tf.int32),
        tf.constant(positions, tf.int32),
        tf.constant(targets, tf.float32),
    )
