"""A whole training as one XLA program, for a group of seeds: epochs, batches, validation and early stopping.

The program is a pure function: a plan (what the batches are), a carry (all that changes) and two batch numbers go in,
the carry and the losses of the epochs that ended come out. So a training is cut into calls wherever it is convenient,
and several groups of seeds run on several cores at the same time.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from pipeline.config.schema import Config
from pipeline.data.reading import answers_chunks
from pipeline.data.windows import Windows
from pipeline.models.cells import Tensor
from pipeline.models.heads.head import TrainingLoss
from pipeline.models.heads.registry import head_of
from pipeline.models.xla_network import NetworkFunction
from pipeline.training.updates import clip_gradient, rate_of_epoch, update_weights, zero_slots


class Carry(NamedTuple):
    """All that changes in a training. Seeds lie side by side in axis 0 of every array.

    Attributes:
        weights: All weights of a seed in one row. (seeds, numbers)
        slots: What the optimizer remembers. Each (seeds, numbers).
        states: h (and c) of every recurrent layer. Each (seeds, rows, units).
        loss_sum: Loss of the windows seen in this epoch. (seeds,)
        best_weights: Of the epoch with the lowest validation loss; without early stopping the initial ones.
        best_loss: That loss. (seeds,)
        best_epoch: Its number, from 1; without early stopping the last epoch. (seeds,)
        waited: Epochs since then. (seeds,)
        epochs: Epochs that this seed trained. (seeds,)
        active: False once a seed stopped early or its loss is not a number; it is frozen then. (seeds,)
    """

    weights: Tensor
    slots: list[Tensor]
    states: list[Tensor]
    loss_sum: Tensor
    best_weights: Tensor
    best_loss: Tensor
    best_epoch: Tensor
    waited: Tensor
    epochs: Tensor
    active: Tensor


class BatchPlan(NamedTuple):
    """What the batches of some epochs hold.

    Attributes:
        first_epoch: Number of the first epoch in `starts`, from 0. Scalar.
        starts: First row of the window in each place. (epochs or 1, seeds or 1, batches, rows); 1 epoch: all are alike.
        weights: 1 for a window that counts, 0 for padding. (batches, rows)
        resets: True where the states are set to zero before the batch. (batches,)
        draws: One integer per seed that decides its dropout. (seeds,)
    """

    first_epoch: Tensor
    starts: Tensor
    weights: Tensor
    resets: Tensor
    draws: Tensor


class ReadingPlan(NamedTuple):
    """In which order rows are read for forecasts.

    Attributes:
        first_rows: First row of each sample that is read. A stateless network reads windows, (blocks, windows), or
            chunks, (blocks, chunks), and answers at every step of them; a stateful one reads steps of all lanes, whose
            state is carried on from block to block, (blocks, steps, lanes).
        positions: Where in that order, flattened, each forecast is made. (windows,)
        targets: What is forecast there. (windows, horizon_steps x targets)
    """

    first_rows: Tensor
    positions: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Program:
    """What is fixed while a run trains.

    Attributes:
        config: The run's configuration.
        network: The network as a function of its weights.
        windows: How windows lie in the series.
        seeds: Seeds side by side.
        counted: Windows that count in one epoch.
    """

    config: Config
    network: NetworkFunction
    windows: Windows
    seeds: int
    counted: int

    def __post_init__(self) -> None:
        """Check that past rows are all there is to gather."""
        self.windows.spec.require_past_only("the engine fused")

    @property
    def _loss(self) -> TrainingLoss:
        return head_of(self.config).training_loss(self.config)

    @property
    def _kept(self) -> int:
        return head_of(self.config).kept(self.windows.num_outputs)

    def begin(self, weights: Any) -> Carry:
        """Return the carry before the first batch, from initial weights, (seeds, numbers)."""
        weights = tf.constant(weights)
        zeros = tf.zeros(self.seeds, tf.int32)
        return Carry(
            weights=weights,
            slots=zero_slots(self.config.training.optimizer, weights),
            states=self.network.zero_states(self.seeds, self.config.batch_size),
            loss_sum=tf.zeros(self.seeds),
            best_weights=weights,
            best_loss=tf.fill((self.seeds,), float("inf")),
            best_epoch=zeros,
            waited=zeros,
            epochs=zeros,
            active=tf.fill((self.seeds,), True),
        )

    def train(
        self,
        inputs: Tensor,
        targets: Tensor,
        plan: BatchPlan,
        validation: ReadingPlan,
        carry: Carry,
        first: Tensor,
        end: Tensor,
        history: Tensor,
    ) -> tuple[Carry, Tensor]:
        """Train batches `first` to `end`, counted from the first batch of the first epoch.

        Args:
            inputs: Scaled features. (time, features)
            targets: Scaled targets. (time, targets)
            plan: The batches of the epochs these batches lie in.
            validation: How the validation forecasts are made after each epoch.
            carry: All that changes.
            first: Number of the first batch.
            end: One after the last.
            history: Zeros. (epochs of the plan, 2, seeds)

        Returns:
            The carry, and the history with loss and validation loss of every epoch that ended.
        """
        num_batches = plan.weights.shape[0]

        def run_epoch(number: Tensor, carry: Carry, history: Tensor) -> tuple[Tensor, Carry, Tensor]:
            epoch = number // num_batches
            last = tf.minimum(end, (epoch + 1) * num_batches)
            _, carry = tf.while_loop(
                lambda number, _: number < last,
                lambda number, carry: (number + 1, self._train_batch(inputs, targets, plan, carry, number)),
                (number, carry),
            )

            def end_epoch() -> tuple[Carry, Tensor]:
                loss = carry.loss_sum / self.counted
                val_loss = self._validate(inputs, targets, validation, carry.weights)
                row = tf.stack([loss, val_loss])[None]  # (1, 2, seeds)
                place = [[epoch - plan.first_epoch]]
                return self._end_epoch(carry, loss, val_loss), tf.tensor_scatter_nd_update(history, place, row)

            carry, history = tf.cond(tf.equal(last % num_batches, 0), end_epoch, lambda: (carry, history))
            return last, carry, history

        _, carry, history = tf.while_loop(
            lambda number, carry, _: (number < end) & tf.reduce_any(carry.active), run_epoch, (first, carry, history)
        )
        return carry, history

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

    def _train_batch(self, inputs: Tensor, targets: Tensor, plan: BatchPlan, carry: Carry, number: Tensor) -> Carry:
        epoch, batch = number // plan.weights.shape[0], number % plan.weights.shape[0]
        starts = plan.starts[
            tf.minimum(epoch - plan.first_epoch, plan.starts.shape[0] - 1), :, batch
        ]  # (seeds|1, rows)
        counts = plan.weights[batch]  # (rows,)
        kept = tf.cast(~plan.resets[batch], tf.float32)
        states = [state * kept for state in carry.states] if self.config.stateful else carry.states
        draws = tf.stack([plan.draws, tf.fill((self.seeds,), number * len(self.network.layers))], 1)
        samples = self.gather_samples(inputs, starts)
        batch_targets = self.gather_targets(targets, starts)
        rate = rate_of_epoch(self.config.training, epoch)
        after, _, carry = self.learn_batch(carry, samples, batch_targets, counts, states, draws, number, rate)
        return carry._replace(states=after) if self.config.stateful else carry

    def learn_batch(
        self,
        carry: Carry,
        samples: Tensor,
        targets: Tensor,
        counts: Tensor,
        states: list[Tensor],
        draws: Tensor | None,
        number: Tensor,
        rate: Any,
    ) -> tuple[list[Tensor], Tensor, Carry]:
        """Answer one batch and take one step of the optimizer.

        Args:
            carry: Weights, slots and the sum of losses.
            samples: Shape (time_steps, seeds or 1, rows, features of a step).
            targets: Shape ([positions,] seeds or 1, rows, horizon_steps x targets).
            counts: 1 for a row that counts. Shape (rows,).
            states: Before the first step.
            draws: As `NetworkFunction.learn` takes them.
            number: Of this batch in the whole training, from 0.
            rate: The learning rate.

        Returns:
            The states after the last step, the outputs before the step of the optimizer, and the new carry.
        """
        with tf.GradientTape() as tape:
            tape.watch(carry.weights)
            outputs, after = self.network.learn(carry.weights, samples, states, draws)
            losses = self._loss(targets, outputs)  # ([positions,] seeds, rows)
            if self.config.answers_every_step:
                losses = tf.reduce_mean(losses, 0)  # (seeds, rows)
            summed = tf.reduce_sum(losses * counts, 1)  # (seeds,): no seed's gradient holds another's
            total = tf.reduce_sum(tf.math.divide_no_nan(summed, tf.reduce_sum(counts)))
        gradient = clip_gradient(tape.gradient(total, carry.weights), self.config.training.clip_norm)
        weights, slots = update_weights(self.config.training, rate, number + 1, carry.weights, carry.slots, gradient)
        return after, outputs, carry._replace(weights=weights, slots=slots, loss_sum=carry.loss_sum + summed)

    def _validate(self, inputs: Tensor, targets: Tensor, validation: ReadingPlan, weights: Tensor) -> Tensor:
        kept = self.forecast(inputs, targets, validation, weights)  # (seeds, windows, kept)
        loss = head_of(self.config).kept_loss(self.config)
        return tf.reduce_mean(loss(validation.targets[None], kept), 1)

    def _keep(self, targets: Tensor, last_rows: Tensor, outputs: Tensor) -> Tensor:
        """Return what is kept of outputs, (..., seeds, rows, outputs), after the rows (..., 1, rows) were read."""
        ahead = tf.constant(self.windows.spec.horizon_steps, tf.int32)
        rows = tf.minimum(last_rows[..., None] + ahead, targets.shape[0] - 1)  # beyond the end nothing is judged
        came = tf.reshape(tf.gather(targets, rows), (*last_rows.shape, self.windows.num_targets))
        return head_of(self.config).keep(came, outputs)

    def _end_epoch(self, carry: Carry, loss: Tensor, val_loss: Tensor) -> Carry:
        """Do what keras.callbacks.EarlyStopping does, per seed."""
        epochs = carry.epochs + tf.cast(carry.active, tf.int32)
        active = carry.active & tf.math.is_finite(loss) & tf.math.is_finite(val_loss)
        carry = carry._replace(loss_sum=tf.zeros_like(loss), epochs=epochs)
        patience = self.config.training.patience
        if patience is None:
            return carry._replace(active=active, best_epoch=epochs)
        better = active & (val_loss < carry.best_loss)
        waited = tf.where(better, 0, carry.waited + 1)
        return carry._replace(
            best_weights=tf.where(better[:, None], carry.weights, carry.best_weights),
            best_loss=tf.where(better, val_loss, carry.best_loss),
            best_epoch=tf.where(better, epochs, carry.best_epoch),
            waited=waited,
            active=active & (waited < patience),
        )

    def _read_windows(self, inputs: Tensor, targets: Tensor, reading: ReadingPlan, weights: Tensor) -> Tensor:
        """Answer every window by itself. Returns (windows read, seeds, kept)."""
        blocks, size = reading.first_rows.shape
        states = self.network.zero_states(self.seeds, size)

        def read(block: Tensor, kept: Any) -> tuple[Tensor, Any]:
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
        states = self.network.zero_states(self.seeds, size)
        offsets = tf.constant(self.windows.spec.step_offsets, tf.int32)[:, None, None]

        def read(block: Tensor, kept: Any) -> tuple[Tensor, Any]:
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
