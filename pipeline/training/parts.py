"""A batch of a large network, cut into parts of its rows, each a program of its own that has a core of its own.

XLA computes the time loops of one program one after another, and hardly any faster on two cores than on one. Programs
that do not need each other run at the same time. Their gradients are summed in one order, so that the numbers are the
same on any number of cores.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.data.arrays import FloatArray
from pipeline.models.cells import Tensor
from pipeline.training.compiled import CompilingSession, compiled
from pipeline.training.hyperparameters import Hyperparameters
from pipeline.training.program import BatchPlan, Carry, Program, ReadingPlan, Rows


def compile_in_parts(
    program: Program,
    session: CompilingSession,
    inputs: FloatArray,
    targets: FloatArray,
    plan: BatchPlan,
    validation: ReadingPlan,
    hyperparameters: Hyperparameters,
    carry: Carry,
    history: FloatArray,
) -> Callable[..., tuple[Carry, FloatArray]]:
    """Compile the training of a program whose batches are cut.

    Args:
        program: The training.
        session: In which it is compiled.
        inputs: As `Program.train` takes them, like all that follows.
        targets: Scaled targets.
        plan: The batches of some epochs.
        validation: How the validation forecasts are made.
        hyperparameters: Of each seed.
        carry: All that changes.
        history: Of the losses.

    Returns:
        Does what `Program.train` does.
    """
    number, num_batches = np.int32(0), len(plan.weights)

    def train_batches(
        inputs: Tensor,
        targets: Tensor,
        plan: BatchPlan,
        hyperparameters: Hyperparameters,
        carry: Carry,
        first: Tensor,
        end: Tensor,
    ) -> Carry:
        def train_batch(number: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
            parts, counts = gather(inputs, targets, plan, hyperparameters, carry.states, number)
            learnt = [learn(carry.weights, part, counts) for part in parts]
            return number + 1, move(carry, learnt, hyperparameters, number)

        _, carry = tf.while_loop(lambda number, _: number < end, train_batch, (first, carry))
        return carry

    @compiled
    def gather(
        inputs: Tensor,
        targets: Tensor,
        plan: BatchPlan,
        hyperparameters: Hyperparameters,
        states: list[Tensor],
        number: Tensor,
    ) -> tuple[list[Rows], Tensor]:
        batch = program.gather_batch(inputs, targets, plan, hyperparameters, states, number)
        return cut_rows(batch, program.parts, len(program.network.layers)), batch.counts

    @compiled
    def learn(weights: Tensor, part: Rows, counts: Tensor) -> Any:
        return program.learn(weights, part, counts)._replace(outputs=())

    @compiled
    def move(carry: Carry, learnt: list[Any], hyperparameters: Hyperparameters, number: Tensor) -> Carry:
        return program.take_step(carry, learnt, hyperparameters, number, number // num_batches)

    series = inputs, targets
    run = session.compile(train_batches, *series, plan, hyperparameters, carry, number, number, whole=False)
    end_epoch = session.compile(program.end_epoch, *series, validation, hyperparameters, carry, history, number)

    def train(
        inputs: FloatArray,
        targets: FloatArray,
        plan: BatchPlan,
        validation: ReadingPlan,
        hyperparameters: Hyperparameters,
        carry: Carry,
        first: int,
        end: int,
        history: FloatArray,
    ) -> tuple[Carry, FloatArray]:
        while first < end and carry.active.any():
            epoch = first // num_batches
            last = min(end, (epoch + 1) * num_batches)
            carry = run(inputs, targets, plan, hyperparameters, carry, np.int32(first), np.int32(last))
            if last % num_batches == 0:
                place = np.int32(epoch - plan.first_epoch)
                carry, history = end_epoch(inputs, targets, validation, hyperparameters, carry, history, place)
            first = last
        return carry, history

    return train


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
