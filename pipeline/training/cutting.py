"""The rows of a batch, cut into parts that learn by themselves."""

import tensorflow as tf

from pipeline.training.arrays import Rows


def cut_rows(batch: Rows, parts: int, num_layers: int) -> list[Rows]:
    """Cut a batch into parts of equal size; each draws a dropout of its own for every layer."""
    samples, targets, counts = (
        tf.split(each, parts, axis) for each, axis in ((batch.samples, 2), (batch.targets, -2), (batch.counts, 0))
    )
    states = [tf.split(state, parts, 1) for state in batch.states]
    return [
        Rows(
            samples[part],
            targets[part],
            counts[part],
            [state[part] for state in states],
            batch.draws + tf.constant([0, part * num_layers]),
            batch.dropout,
        )
        for part in range(parts)
    ]
