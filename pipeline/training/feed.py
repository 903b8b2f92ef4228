"""Feed batches to keras.Model.fit: rows are gathered inside the input pipeline, one finite dataset per epoch."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from pipeline.data.arrays import IntArray
from pipeline.data.lanes import Batches, shuffle_windows
from pipeline.data.windows import Windows


def feed_lanes(windows: Windows, batches: Batches) -> tf.data.Dataset:
    """Return (inputs, targets, weights) batches of a stateful network, the same in every epoch.

    Weights have one number per target: shape (batch,), or with return_sequences (batch, look_back).
    """
    gather = _gatherer(windows)
    weights = batches.weights  # (batches, batch_size)
    if windows.return_sequences:
        weights = np.repeat(weights[:, :, None], windows.look_back, axis=2)  # (batches, batch_size, look_back)
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
    inputs, targets = tf.constant(windows.inputs), tf.constant(windows.targets)
    input_rows = tf.constant(windows.input_rows().astype(np.int32))  # (look_back,)
    target_rows = tf.constant(windows.target_rows().astype(np.int32))  # (positions, horizon_steps)
    sample_shape = (-1, windows.time_steps, windows.num_features)
    outputs = windows.num_outputs
    target_shape = (-1, windows.look_back, outputs) if windows.return_sequences else (-1, outputs)

    def gather(starts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        samples = tf.gather(inputs, starts[:, None] + input_rows)  # (batch, look_back, features)
        wanted = tf.gather(targets, starts[:, None, None] + target_rows)  # (batch, positions, horizon_steps, targets)
        return tf.reshape(samples, sample_shape), tf.reshape(wanted, target_shape)

    return gather
