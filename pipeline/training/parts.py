"""A batch of a large network, cut into parts of its rows, each a program of its own that has a core of its own.

XLA computes the time loops of one program one after another, and hardly any faster on two cores than on one. Programs
that do not need each other run at the same time. Their gradients are summed in one order, so that the numbers are the
same on any number of cores.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.data.arrays import FloatArray
from pipeline.models.cells import Tensor
from pipeline.training.arrays import Carry, Material, Rows
from pipeline.training.compiled import CompilingSession, compiled
from pipeline.training.cutting import cut_rows
from pipeline.training.program import Program


def compile_in_parts(
    program: Program, session: CompilingSession, material: Material, carry: Carry, history: FloatArray
) -> Callable[[Material, Carry, int, int, FloatArray], tuple[Carry, FloatArray]]:
    """Compile the training of a program whose batches are cut.

    Args:
        program: The training.
        session: In which it is compiled.
        material: As `Program.train` takes it, like all that follows.
        carry: All that changes.
        history: Of the losses.

    Returns:
        Does what `Program.train` does.
    """
    number, num_batches = np.int32(0), len(material.plan.weights)
    run = session.compile(partial(_train_batches, program), material, carry, number, number, like=carry, whole=False)
    end_epoch = session.compile(program.end_epoch, material, carry, history, number, like=(carry, history))

    def train(material: Material, carry: Carry, first: int, end: int, history: FloatArray) -> tuple[Carry, FloatArray]:
        while first < end and carry.active.any():
            epoch = first // num_batches
            last = min(end, (epoch + 1) * num_batches)
            carry = run(material, carry, np.int32(first), np.int32(last))
            if last % num_batches == 0:
                carry, history = end_epoch(material, carry, history, np.int32(epoch - material.plan.first_epoch))
            first = last
        return carry, history

    return train


def _train_batches(program: Program, material: Material, carry: Carry, first: Tensor, end: Tensor) -> Carry:
    """Train batches of one epoch, by programs of which those for the parts of a batch need none of each other."""
    num_batches, num_layers = material.plan.weights.shape[0], len(program.network.layers)

    @compiled
    def gather(material: Material, states: list[Tensor], number: Tensor) -> tuple[list[Rows], Tensor]:
        batch = program.gather_batch(material, states, number)
        return cut_rows(batch, program.parts, num_layers), batch.counts

    @compiled
    def learn(weights: Tensor, part: Rows, counts: Tensor) -> Any:
        return program.learn(weights, part, counts)._replace(outputs=())

    @compiled
    def take_step(carry: Carry, learnt: list[Any], material: Material, number: Tensor) -> Carry:
        return program.take_step(carry, learnt, material.hyperparameters, number, number // num_batches)

    def train_batch(number: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        parts, counts = gather(material, carry.states, number)
        learnt = [learn(carry.weights, part, counts) for part in parts]
        return number + 1, take_step(carry, learnt, material, number)

    _, carry = tf.while_loop(lambda number, _: number < end, train_batch, (first, carry))
    return carry
