"""Feed batches to keras.Model.fit: rows are gathered inside the input pipeline, one finite dataset per epoch."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from pipeline.data.arrays import IntArray
from pipeline.data.lanes import Batches, shuffle_windows
from pipeline.data.windows import Windows


def feed_lanes(windows: Windows, batches: Batches) -> tf.data.Dataset:
    """Return (inputs, targets, weights) batches of a stateful network, the same in every epoch.

    Weights have one number per position of a target: shape (batch,), or many-to-many (batch, time_steps).
    """
    gather = _gatherer(windows)
    weights = batches.weights  # (batches, batch_size)
    for positions in windows.spec.positions:
        weights = np.repeat(weights[:, :, None], positions, axis=2)  # (batches, batch_size, positions)
    plan = tf.data.Dataset.from_tensor_slices((batches.starts.astype(np.int32), weights))
    return plan.map(lambda starts, weights: (*gather(starts), weights)).prefetch(2)


def feed_shuffled(windows: Windows, batch_size: int, seed: int, current_epoch: Callable[[], int]) -> tf.data.Dataset:
    """Return (inputs, targets) batches of a stateless network, in a new order each epoch; the last may be smaller.

    Args:
        windows: The windows.
        batch_size: Windows per batch.
        seed: The seed that decides every order.
        current_epoch: Tells the epoch, from 0, when Keras starts to iterate.
    """
    gather = _gatherer(windows)
    num_windows = len(windows.train)

    def orders() -> Iterator[IntArray]:
        yield windows.train[shuffle_windows(num_windows, seed, current_epoch())].astype(np.int32)

    order = tf.data.Dataset.from_generator(orders, output_signature=tf.TensorSpec((num_windows,), tf.int32))
    starts = order.flat_map(tf.data.Dataset.from_tensor_slices).batch(batch_size)
    num_batches = -(-num_windows // batch_size)
    return starts.map(gather).apply(tf.data.experimental.assert_cardinality(num_batches)).prefetch(2)


def _gatherer(windows: Windows) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Return what Windows.gather_inputs and gather_targets do, as one function of tensor starts, (batch,)."""
    spec = windows.spec
    inputs, targets = tf.constant(windows.inputs), tf.constant(windows.targets)
    past = tf.constant(spec.past_offsets, tf.int32)  # (time_steps, rows of a step)
    learnt = tf.constant(spec.target_offsets, tf.int32)  # (positions, horizon_steps)
    sample_shape = (-1, spec.time_steps, windows.num_features)
    target_shape = (-1, *spec.positions, windows.num_targets)

    def gather(starts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        samples = tf.gather(inputs, starts[:, None, None] + past)  # (batch, time_steps, rows of a step, features)
        batch_targets = tf.gather(targets, starts[:, None, None] + learnt)  # (batch, positions, horizon_steps, targets)
        return tf.reshape(samples, sample_shape), tf.reshape(batch_targets, target_shape)

    return gather
