"""A whole training as one XLA program, for a group of seeds: epochs, batches, validation and early stopping.

The program is a pure function: a plan (what the batches are), the hyperparameters, a carry (all that changes) and two
batch numbers go in, the carry and the losses of the epochs that ended come out. So a training is cut into calls where
that is convenient, several groups of seeds run on several cores at the same time, and one program serves all
configurations whose networks and data have the same shapes.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import tensorflow as tf

from pipeline.config.schema import Config
from pipeline.data.windows import Windows
from pipeline.models.cells import Tensor
from pipeline.models.heads.head import TrainingLoss
from pipeline.models.heads.registry import head_of
from pipeline.models.xla_network import NetworkFunction
from pipeline.training.arrays import Carry, Learnt, Material, Rows
from pipeline.training.cutting import cut_rows
from pipeline.training.hyperparameters import Hyperparameters, without_hyperparameters
from pipeline.training.reader import Reader
from pipeline.training.updates import clip_gradient, rate_of_epoch, update_weights, zero_slots


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
        """Keep hyperparameters out of the program."""
        object.__setattr__(self, "config", without_hyperparameters(self.config))

    @property
    def _loss(self) -> TrainingLoss:
        return head_of(self.config).training_loss(self.config)

    @cached_property
    def reader(self) -> Reader:
        """Reads the series for the seeds."""
        return Reader(self.config, self.network, self.windows, self.seeds)

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
        self, material: Material, carry: Carry, first: Tensor, end: Tensor, history: Tensor
    ) -> tuple[Carry, Tensor]:
        """Train batches `first` to `end`, counted from the first batch of the first epoch.

        Args:
            material: What is read; its plan holds the epochs these batches lie in.
            carry: All that changes.
            first: Number of the first batch.
            end: One after the last.
            history: Zeros. (epochs of the plan, 2, seeds)

        Returns:
            The carry, and the history with loss and validation loss of every epoch that ended.
        """
        num_batches = material.plan.weights.shape[0]

        def train_batch(number: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
            batch = self.gather_batch(material, carry.states, number)
            learnt = self.learn_in_turn(carry.weights, batch)
            return number + 1, self.take_step(carry, learnt, material.hyperparameters, number, number // num_batches)

        def run_epoch(number: Tensor, carry: Carry, history: Tensor) -> tuple[Tensor, Carry, Tensor]:
            epoch = number // num_batches
            last = tf.minimum(end, (epoch + 1) * num_batches)
            _, carry = tf.while_loop(lambda number, _: number < last, train_batch, (number, carry))
            carry, history = tf.cond(
                tf.equal(last % num_batches, 0),
                lambda: self.end_epoch(material, carry, history, epoch - material.plan.first_epoch),
                lambda: (carry, history),
            )
            return last, carry, history

        _, carry, history = tf.while_loop(
            lambda number, carry, _: (number < end) & tf.reduce_any(carry.active), run_epoch, (first, carry, history)
        )
        return carry, history

    def gather_batch(self, material: Material, states: list[Tensor], number: Tensor) -> Rows:
        """Return the rows of a batch, given the states after the batch before."""
        plan = material.plan
        epoch, batch = number // plan.weights.shape[0], number % plan.weights.shape[0]
        # Gathered, not sliced: XLA compiles a slice for each number that is an argument of a program.
        of_epoch = tf.gather(plan.starts, tf.minimum(epoch - plan.first_epoch, plan.starts.shape[0] - 1))
        starts = tf.gather(of_epoch, batch, axis=1)  # (seeds|1, rows)
        kept = tf.cast(~tf.gather(plan.resets, batch), tf.float32)
        draw = number * self.parts * len(self.network.layers)
        return Rows(
            samples=self.reader.gather_samples(material.inputs, starts),
            targets=self.reader.gather_targets(material.targets, starts),
            counts=tf.gather(plan.weights, batch),
            states=[state * kept for state in states] if self.config.stateful else states,
            draws=tf.stack([plan.draws, tf.fill((self.seeds,), draw)], 1),
            dropout=material.hyperparameters.dropout,
        )

    def learn_in_turn(self, weights: Tensor, batch: Rows) -> list[Learnt]:
        """Let the parts of a batch learn one after another; what each finds has the bits of a program of its own.

        They do so in a loop: XLA would merge what is written out twice with the sum over the parts, and round it once.
        """
        if self.parts == 1:
            return [self.learn(weights, batch, batch.counts)]
        parts = cut_rows(batch, self.parts, len(self.network.layers))
        found = tf.map_fn(
            lambda rows: self.learn(weights, rows, batch.counts)._replace(outputs=()),
            tf.nest.map_structure(lambda *each: tf.stack(each), *parts),
            fn_output_signature=tf.nest.map_structure(
                lambda like: tf.TensorSpec(like.shape), Learnt(weights, weights[:, 0], parts[0].states, ())
            ),
        )
        return [tf.nest.map_structure(lambda each, part=part: each[part], found) for part in range(self.parts)]

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

    def end_epoch(self, material: Material, carry: Carry, history: Tensor, place: Tensor) -> tuple[Carry, Tensor]:
        """Validate, and do what keras.callbacks.EarlyStopping does; the losses go to a place of the history."""
        loss = carry.loss_sum / self.counted
        val_loss = self._validate(material, carry.weights)
        row = tf.stack([loss, val_loss])[None]  # (1, 2, seeds)
        carry = self.stop(material.hyperparameters, carry, loss, val_loss)
        return carry, tf.tensor_scatter_nd_update(history, [[place]], row)

    def _validate(self, material: Material, weights: Tensor) -> Tensor:
        reading = material.validation
        kept = self.reader.forecast(material.inputs, material.targets, reading, weights)  # (seeds, windows, kept)
        loss = head_of(self.config).kept_loss(self.config)
        return tf.reduce_mean(loss(reading.targets[None], kept), 1)

    def stop(self, hyperparameters: Hyperparameters, carry: Carry, loss: Tensor, val_loss: Tensor) -> Carry:
        """Decide for every seed whether it goes on, and keep the weights that are the best so far."""
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
