"""How a compiled program reads a series: the windows of a batch, and the forecasts at many rows."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from pipeline.config.schema import Config
from pipeline.data.reading import answers_chunks
from pipeline.data.windows import Windows
from pipeline.models.cells import Tensor
from pipeline.models.heads.registry import head_of
from pipeline.models.xla_network import NetworkFunction
from pipeline.training.arrays import ReadingPlan


@dataclass(frozen=True)
class Reader:
    """Reads windows, chunks or steps of a series, for several seeds side by side.

    Attributes:
        config: How the network reads.
        network: The network as a function of its weights.
        windows: How windows lie in the series.
        seeds: Seeds side by side.
    """

    config: Config
    network: NetworkFunction
    windows: Windows
    seeds: int

    @property
    def _kept(self) -> int:
        return head_of(self.config).kept(self.windows.num_outputs)

    def forecast(self, inputs: Tensor, targets: Tensor, reading: ReadingPlan, weights: Tensor) -> Tensor:
        """Return what is kept of the outputs at each position of a reading plan. Shape (seeds, windows, kept)."""
        if self.config.stateful:
            read = self._read_steps
        elif answers_chunks(self.config):
            read = self._read_chunks
        else:
            read = self._read_windows
        kept = read(inputs, targets, reading, weights)  # (rows read, seeds, kept)
        return tf.transpose(tf.gather(kept, reading.positions), (1, 0, 2))

    def _keep(self, targets: Tensor, last_rows: Tensor, outputs: Tensor) -> Tensor:
        """Return what is kept of outputs, (..., seeds, rows, outputs), after the rows (..., 1, rows) were read."""
        ahead = tf.constant(self.windows.spec.horizon_steps, tf.int32)
        rows = tf.minimum(last_rows[..., None] + ahead, targets.shape[0] - 1)  # beyond the end nothing is judged
        came = tf.reshape(tf.gather(targets, rows), (*last_rows.shape, self.windows.num_targets))
        return head_of(self.config).keep(came, outputs)

    def _read_windows(self, inputs: Tensor, targets: Tensor, reading: ReadingPlan, weights: Tensor) -> Tensor:
        """Answer every window by itself. Returns (windows read, seeds, kept)."""
        blocks, size = reading.first_rows.shape

        def read(block: Tensor, kept: Any) -> tuple[Tensor, Any]:
            states = self.network.zero_states(self.seeds, size)  # made in the loop: see `CompilingSession.compile`
            starts = reading.first_rows[block][None]  # (1, windows)
            samples = self.gather_samples(inputs, starts)
            outputs, _ = self.network.apply(weights, samples, states, every_step=False)
            last = outputs[-1] if self.config.answers_every_step else outputs  # (seeds, windows, outputs)
            last = self._keep(targets, starts + self.windows.spec.origin, last)
            return block + 1, kept.write(block, tf.transpose(last, (1, 0, 2)))

        kept = tf.TensorArray(tf.float32, blocks, element_shape=(size, self.seeds, self._kept))
        _, kept = tf.while_loop(lambda block, _: block < blocks, read, (0, kept), maximum_iterations=blocks)
        return kept.concat()

    def _read_chunks(self, inputs: Tensor, targets: Tensor, reading: ReadingPlan, weights: Tensor) -> Tensor:
        """Answer every step of every chunk, each from a zero state. Returns (rows read, seeds, kept)."""
        blocks, size = reading.first_rows.shape
        length = self.windows.spec.time_steps
        shape = (length * size, self.seeds, self._kept)

        def read(block: Tensor, kept: Any) -> tuple[Tensor, Any]:
            states = self.network.zero_states(self.seeds, size)
            offsets = tf.constant(self.windows.spec.step_offsets, tf.int32)[:, None, None]
            rows = tf.minimum(
                reading.first_rows[block][None, None] + offsets, inputs.shape[0] - 1
            )  # (steps, 1, chunks)
            outputs, _ = self.network.apply(weights, self._gather_steps(inputs, rows), states, every_step=True)
            by_row = tf.transpose(self._keep(targets, rows, outputs), (0, 2, 1, 3))
            return block + 1, kept.write(block, tf.reshape(by_row, shape))

        kept = tf.TensorArray(tf.float32, blocks, element_shape=shape)
        _, kept = tf.while_loop(lambda block, _: block < blocks, read, (0, kept), maximum_iterations=blocks)
        return kept.concat()

    def _read_steps(self, inputs: Tensor, targets: Tensor, reading: ReadingPlan, weights: Tensor) -> Tensor:
        """Read step by step with a carried state per lane. Returns (steps read times lanes, seeds, kept)."""
        blocks, size, lanes = reading.first_rows.shape
        shape = (size * lanes, self.seeds, self._kept)
        last_of_step = int(self.windows.spec.rows_of_step[-1])

        def read(block: Tensor, states: Any, kept: Any) -> tuple[Tensor, Any, Any]:
            rows = reading.first_rows[block][:, None]  # (steps, 1, lanes)
            steps = self._gather_steps(inputs, rows)  # (steps, 1, lanes, features)
            outputs, states = self.network.apply(weights, steps, states, every_step=True)
            outputs = self._keep(targets, rows + last_of_step, outputs)
            by_lane = tf.reshape(tf.transpose(outputs, (0, 2, 1, 3)), shape)
            return block + 1, states, kept.write(block, by_lane)

        kept = tf.TensorArray(tf.float32, blocks, element_shape=shape)
        first = (0, self.network.zero_states(self.seeds, lanes), kept)
        _, _, kept = tf.while_loop(lambda block, *_: block < blocks, read, first, maximum_iterations=blocks)
        return kept.concat()

    def gather_samples(self, inputs: Tensor, starts: Tensor) -> Tensor:
        """Return the windows that start at (seeds|1, rows) as (time_steps, seeds|1, rows, features of a step)."""
        return self._gather_steps(
            inputs, starts[None] + tf.constant(self.windows.spec.step_offsets, tf.int32)[:, None, None]
        )

    def _gather_steps(self, inputs: Tensor, first_rows: Tensor) -> Tensor:
        """Return the steps that begin at rows of shape (steps, seeds|1, rows); with lags as features of many rows."""
        offsets = tf.constant(self.windows.spec.rows_of_step, tf.int32)
        rows = first_rows[..., None] + offsets  # (steps, seeds|1, rows, rows of a step)
        return tf.reshape(tf.gather(inputs, rows), (*first_rows.shape, self.windows.num_features))

    def gather_targets(self, targets: Tensor, starts: Tensor) -> Tensor:
        """Return their targets as ([positions,] seeds|1, rows, horizon_steps x targets)."""
        offsets = tf.constant(self.windows.spec.target_offsets, tf.int32)  # (positions, horizon_steps)
        rows = starts[None, ..., None] + offsets[:, None, None]  # (positions, seeds|1, rows, horizon_steps)
        batch_targets = tf.reshape(tf.gather(targets, rows), (*rows.shape[:3], self.windows.num_targets))
        return batch_targets if self.windows.spec.answers_every_step else batch_targets[0]
