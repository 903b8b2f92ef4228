"""A whole training as one XLA program, for a group of seeds: epochs, batches, validation and early stopping.

The program is a pure function: a plan (what the batches are), the hyperparameters, a carry (all that changes) and two
batch numbers go in, the carry and the losses of the epochs that ended come out. So a training is cut into calls where
that is convenient, several groups of seeds run on several cores at the same time, and one program serves all
configurations whose networks and data have the same shapes.
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
from pipeline.training.hyperparameters import Hyperparameters, without_hyperparameters
from pipeline.training.updates import clip_gradient, rate_of_epoch, update_weights, zero_slots


class Carry(NamedTuple):
    """All that changes in a training. Seeds lie side by side in axis 0 of every array.

    Attributes:
        weights: All weights of a seed in one row. (seeds, numbers)
        slots: What the optimizer remembers. Each (seeds, numbers).
        states: h (and c) of every recurrent layer. Each (seeds, rows, units).
        loss_sum: Loss of the windows seen in this epoch. (seeds,)
        best_weights: Of the epoch with the lowest validation loss; without early stopping of the last epoch.
        best_loss: That loss; without early stopping infinity. (seeds,)
        best_epoch: Its number, from 1; without early stopping the last epoch. (seeds,)
        waited: Epochs since then. (seeds,)
        epochs: Epochs that this seed trained. (seeds,)
        active: False once a seed stopped or its loss is not a number; what is kept of it is frozen then. (seeds,)
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


class Rows(NamedTuple):
    """Rows of a batch: all of them, or a part.

    Attributes:
        samples: Shape (time_steps, seeds or 1, rows, features of a step).
        targets: Shape ([positions,] seeds or 1, rows, horizon_steps x targets).
        counts: 1 for a row that counts. Shape (rows,).
        states: Before the first step. Each (seeds, rows, units).
        draws: As `NetworkFunction.learn` takes them.
        dropout: The same.
    """

    samples: Tensor
    targets: Tensor
    counts: Tensor
    states: list[Tensor]
    draws: Tensor | None = None
    dropout: Tensor | None = None


class Learnt(NamedTuple):
    """What rows of a batch say.

    Attributes:
        gradient: Their share of the gradient of the batch's mean loss. Shape (seeds, numbers).
        summed: Their losses. Shape (seeds,).
        states: After the last step. Each (seeds, rows, units).
        outputs: Before the step of the optimizer.
    """

    gradient: Tensor
    summed: Tensor
    states: list[Tensor]
    outputs: Tensor


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
        config: Configuration of the runs that are trained with it, without hyperparameters.
        network: The network as a function of its weights.
        windows: How windows lie in the series.
        seeds: Seeds side by side.
        counted: Windows that count in one epoch.
        parts: Into which a batch is cut; they divide its rows (training/parts.py).
    """

    config: Config
    network: NetworkFunction
    windows: Windows
    seeds: int
    counted: int
    parts: int = 1

    def __post_init__(self) -> None:
        """Check that past rows are all there is to gather, and that no hyperparameter gets into the program."""
        object.__setattr__(self, "config", without_hyperparameters(self.config))
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
        hyperparameters: Hyperparameters,
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
            hyperparameters: Of each seed.
            carry: All that changes.
            first: Number of the first batch.
            end: One after the last.
            history: Zeros. (epochs of the plan, 2, seeds)

        Returns:
            The carry, and the history with loss and validation loss of every epoch that ended.
        """
        num_batches = plan.weights.shape[0]

        def train_batch(number: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
            batch = self.gather_batch(inputs, targets, plan, hyperparameters, carry.states, number)
            learnt = self.learn(carry.weights, batch, batch.counts)
            return number + 1, self.take_step(carry, [learnt], hyperparameters, number, number // num_batches)

        def run_epoch(number: Tensor, carry: Carry, history: Tensor) -> tuple[Tensor, Carry, Tensor]:
            epoch = number // num_batches
            last = tf.minimum(end, (epoch + 1) * num_batches)
            _, carry = tf.while_loop(lambda number, _: number < last, train_batch, (number, carry))
            carry, history = tf.cond(
                tf.equal(last % num_batches, 0),
                lambda: self.end_epoch(
                    inputs, targets, validation, hyperparameters, carry, history, epoch - plan.first_epoch
                ),
                lambda: (carry, history),
            )
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

    def gather_batch(
        self,
        inputs: Tensor,
        targets: Tensor,
        plan: BatchPlan,
        hyperparameters: Hyperparameters,
        states: list[Tensor],
        number: Tensor,
    ) -> Rows:
        """Return the rows of a batch, given the states after the batch before."""
        epoch, batch = number // plan.weights.shape[0], number % plan.weights.shape[0]
        # Gathered, not sliced: XLA compiles a slice for each number that is an argument of a program.
        of_epoch = tf.gather(plan.starts, tf.minimum(epoch - plan.first_epoch, plan.starts.shape[0] - 1))
        starts = tf.gather(of_epoch, batch, axis=1)  # (seeds|1, rows)
        kept = tf.cast(~tf.gather(plan.resets, batch), tf.float32)
        draw = number * self.parts * len(self.network.layers)
        return Rows(
            samples=self.gather_samples(inputs, starts),
            targets=self.gather_targets(targets, starts),
            counts=tf.gather(plan.weights, batch),
            states=[state * kept for state in states] if self.config.stateful else states,
            draws=tf.stack([plan.draws, tf.fill((self.seeds,), draw)], 1),
            dropout=hyperparameters.dropout,
        )

    def learn(self, weights: Tensor, rows: Rows, counts: Tensor) -> Learnt:
        """Answer rows of a batch, and find out how they would move the weights.

        Args:
            weights: Shape (seeds, numbers).
            rows: All rows of the batch, or a part of them.
            counts: 1 for every row of the whole batch that counts, 0 for the others. Shape (rows of the batch,).
        """
        with tf.GradientTape() as tape:
            tape.watch(weights)
            outputs, after = self.network.learn(weights, rows.samples, rows.states, rows.draws, rows.dropout)
            losses = self._loss(rows.targets, outputs)  # ([positions,] seeds, rows)
            if self.config.answers_every_step:
                losses = tf.reduce_mean(losses, 0)  # (seeds, rows)
            summed = tf.reduce_sum(losses * rows.counts, 1)  # (seeds,): no seed's gradient holds another's
            total = tf.reduce_sum(tf.math.divide_no_nan(summed, tf.reduce_sum(counts)))
        return Learnt(tape.gradient(total, weights), summed, after, outputs)

    def take_step(
        self, carry: Carry, learnt: list[Learnt], hyperparameters: Hyperparameters, number: Tensor, epoch: Tensor
    ) -> Carry:
        """Take one step of the optimizer, and carry the states on.

        Args:
            carry: All that changes.
            learnt: From the parts of the batch, in their order.
            hyperparameters: Of each seed.
            number: Of this batch in the whole training, from 0.
            epoch: It lies in, from 0.
        """
        training, rate = self.config.training, rate_of_epoch(hyperparameters, epoch)
        gradient, summed = learnt[0].gradient, learnt[0].summed
        for part in learnt[1:]:
            gradient, summed = gradient + part.gradient, summed + part.summed
        if training.clip_norm is not None:
            gradient = clip_gradient(gradient, hyperparameters.clip_norm)
        weights, slots = update_weights(
            training.optimizer, hyperparameters, rate, number + 1, carry.weights, carry.slots, gradient
        )
        carry = carry._replace(weights=weights, slots=slots, loss_sum=carry.loss_sum + summed)
        if not self.config.stateful:
            return carry
        if len(learnt) == 1:
            return carry._replace(states=learnt[0].states)
        by_state = zip(*(part.states for part in learnt), strict=True)
        return carry._replace(states=[tf.concat(parts, 1) for parts in by_state])

    def end_epoch(
        self,
        inputs: Tensor,
        targets: Tensor,
        validation: ReadingPlan,
        hyperparameters: Hyperparameters,
        carry: Carry,
        history: Tensor,
        place: Tensor,
    ) -> tuple[Carry, Tensor]:
        """Validate, and do what keras.callbacks.EarlyStopping does; the losses go to a place of the history."""
        loss = carry.loss_sum / self.counted
        val_loss = self._validate(inputs, targets, validation, carry.weights)
        row = tf.stack([loss, val_loss])[None]  # (1, 2, seeds)
        carry = self._stop(hyperparameters, carry, loss, val_loss)
        return carry, tf.tensor_scatter_nd_update(history, [[place]], row)

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

    def _stop(self, hyperparameters: Hyperparameters, carry: Carry, loss: Tensor, val_loss: Tensor) -> Carry:
        was_active = carry.active
        epochs = carry.epochs + tf.cast(was_active, tf.int32)
        finite = was_active & tf.math.is_finite(loss) & tf.math.is_finite(val_loss)
        active = finite & (epochs < hyperparameters.epochs)
        carry = carry._replace(loss_sum=tf.zeros_like(loss), epochs=epochs, active=active)
        if self.config.training.patience is None:
            latest = tf.where(was_active[:, None], carry.weights, carry.best_weights)
            return carry._replace(best_weights=latest, best_epoch=epochs)
        better = finite & (val_loss < carry.best_loss)
        waited = tf.where(better, 0, carry.waited + 1)
        return carry._replace(
            best_weights=tf.where(better[:, None], carry.weights, carry.best_weights),
            best_loss=tf.where(better, val_loss, carry.best_loss),
            best_epoch=tf.where(better, epochs, carry.best_epoch),
            waited=waited,
            active=active & (waited < hyperparameters.patience),
        )

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
