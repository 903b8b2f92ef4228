"""Online training: one pass in time order; at each step the network forecasts, then learns from what came.

Every forecast is made by a network that has learnt from all earlier targets and from no later one, so the error of all
forecasts is an honest one, the prequential error (Dawid, "Present position and potential developments", 1984). The
state is carried throughout. With look_back=3, at row t:

    state before row t-2  ->  [t-2  t-1  t]  ->  forecast of t+1  ->  gradient through the three steps
    then the state moves on by one row, t-2, and the window with it
"""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipeline.config.schema import Config
from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.data.online import plan_online
from pipeline.data.prepared import PreparedData
from pipeline.models.cells import Tensor
from pipeline.models.xla_network import NetworkFunction
from pipeline.training.arrays import Carry, Rows
from pipeline.training.compiled import CompilingSession
from pipeline.training.cores import run_on_cores
from pipeline.training.devices import Placement
from pipeline.training.groups import Group, make_groups
from pipeline.training.hyperparameters import Hyperparameters, stack_hyperparameters
from pipeline.training.program import Program
from pipeline.training.record import (
    EpochReport,
    OnEpoch,
    SeedTraining,
    Trained,
    collect_trained,
    describe_divergence,
)

_STEPS_PER_CALL = 1024  # Ctrl-C waits for them


class OnlinePlan(NamedTuple):
    """What is read at each step; one row per lane of the series.

    Attributes:
        starts: First row of the window whose origin lies at this step. (steps, rows)
        weights: 1 where a target was measured, from which the network learns. (steps, rows)
        present: 1 where the lane has a window here; elsewhere its state waits. (steps, rows)
    """

    starts: Tensor
    weights: Tensor
    present: Tensor


def train_online(
    config: Config, data: PreparedData, network: NetworkFunction, placement: Placement, on_epoch: OnEpoch
) -> tuple[list[SeedTraining], FloatArray]:
    """Take one pass over the whole series with every seed.

    Args:
        config: The configuration of the run.
        data: The prepared data.
        network: The network as a function of its weights.
        placement: Where it is trained.
        on_epoch: Told about each seed when its pass is over.

    Returns:
        One record per seed, and the scaled outputs of each at every window before it learnt from it, shape (seeds,
        windows, outputs).
    """
    start = time.perf_counter()
    starts, weights, present = plan_online(config, data.series, data.windows)
    groups = list(make_groups([config], data, network, placement))
    program = Program(config, network, data.windows, len(groups[0].weights), int(weights.sum()))
    plan = _in_calls(starts, weights, present)
    with CompilingSession(placement.name) as session:
        hyperparameters = stack_hyperparameters([config] * program.seeds)
        example = _arguments(data, hyperparameters, plan[0], program.begin(groups[0].weights), 0)
        learn = session.compile(lambda *arguments: _learn(program, *arguments), *example)
        pass_of = partial(_pass, config, program, learn, data, hyperparameters, plan)
        events = run_on_cores(groups, pass_of, 1 if placement.on_gpu else None)
        return collect_trained(events, 1, start, on_epoch)[0]


def _in_calls(starts: IntArray, weights: FloatArray, present: BoolArray) -> list[OnlinePlan]:
    """Cut the steps into calls of equal length; what fills up the last one neither learns nor moves a state."""
    length = min(_STEPS_PER_CALL, len(starts))
    calls = -(-len(starts) // length)
    missing = ((0, calls * length - len(starts)), (0, 0))
    starts, weights, present = np.pad(starts, missing, "edge"), np.pad(weights, missing), np.pad(present, missing)
    return [
        OnlinePlan(some.astype(np.int32), count, there.astype(np.float32))
        for some, count, there in zip(*(np.split(each, calls) for each in (starts, weights, present)), strict=True)
    ]


def _learn(
    program: Program,
    inputs: Tensor,
    targets: Tensor,
    hyperparameters: Hyperparameters,
    plan: OnlinePlan,
    carry: Carry,
    first: Tensor,
) -> tuple[Carry, Tensor]:
    """Take the steps of one call. Returns the carry and the outputs at each step, (steps, seeds, rows, outputs)."""
    steps, rows = plan.starts.shape

    def step(number: Tensor, carry: Carry, kept: Any) -> tuple[Tensor, Carry, Any]:
        starts, counts = plan.starts[number][None], plan.weights[number]  # (1, rows), (rows,)
        samples = program.reader.gather_samples(inputs, starts)  # (time_steps, 1, rows, features of a step)
        batch_targets = program.reader.gather_targets(targets, starts)
        _, moved = program.network.apply(carry.weights, samples[:1], carry.states, every_step=True)
        there = plan.present[number][:, None]  # (rows, 1)
        after = [there * new + (1 - there) * old for new, old in zip(moved, carry.states, strict=True)]
        batch = Rows(samples, batch_targets, counts, carry.states)
        learnt = program.learn(carry.weights, batch, counts)
        outputs = learnt.outputs[-1] if program.config.answers_every_step else learnt.outputs  # (seeds, rows, outputs)
        # Where no target came there is nothing to learn: an optimizer's momentum must not move the weights either.
        came = tf.reduce_any(counts > 0)
        moved_on = program.take_step(carry, [learnt], hyperparameters, first + number, epoch=0)
        carry = tf.nest.map_structure(lambda new, old: tf.where(came, new, old), moved_on, carry)
        return number + 1, carry._replace(states=after), kept.write(number, outputs)

    shape = (program.seeds, rows, program.windows.num_outputs)
    kept = tf.TensorArray(tf.float32, steps, element_shape=shape)
    _, carry, kept = tf.while_loop(
        lambda number, *_: number < steps, step, (tf.constant(0), carry, kept), maximum_iterations=steps
    )
    return carry, kept.stack()


def _pass(
    config: Config,
    program: Program,
    learn: Any,
    data: PreparedData,
    hyperparameters: Hyperparameters,
    calls: list[OnlinePlan],
    group: Group,
) -> Iterator[EpochReport | Trained]:
    carry, outputs, first = program.begin(group.weights), [], 0
    for plan in calls:
        carry, some = learn(*_arguments(data, hyperparameters, plan, carry, first))
        outputs.append(some)
        first += len(some)
    by_step = np.concatenate(outputs)  # (steps, seeds, rows, outputs)
    starts = np.concatenate([plan.starts for plan in calls])
    there = np.concatenate([plan.present for plan in calls]) > 0  # (steps, rows)
    order = np.argsort(starts[there])
    for column, seed in enumerate(group.seeds):
        at_windows = by_step[:, column][there][order]  # (windows, outputs)
        weights = program.network.unpack(carry.weights[column])
        training = _record(config, data, seed, weights, at_windows)
        yield EpochReport(seed, 1, training.losses[0], training.val_losses[0], last=True)
        yield Trained(training, at_windows)


def _arguments(
    data: PreparedData, hyperparameters: Hyperparameters, plan: OnlinePlan, carry: Carry, first: int
) -> tuple[Any, ...]:
    """Return what `_learn` takes after the program."""
    windows = data.windows
    targets = _padded(windows.targets, windows.spec.horizon_steps[-1])
    return windows.inputs, targets, hyperparameters, plan, carry, np.int32(first)


def _padded(targets: FloatArray, rows: int) -> FloatArray:
    """Add rows after the end: a window at the end has no target, and a weight of zero; reading one must not fail."""
    return np.concatenate([targets, np.repeat(targets[-1:], rows, axis=0)])


def _record(config: Config, data: PreparedData, seed: int, weights: list[Any], outputs: FloatArray) -> SeedTraining:
    windows = data.windows

    def loss(starts: IntArray) -> float:
        forecasts = outputs[np.searchsorted(windows.starts, starts)]
        return float(np.mean(data.head.training_loss(config)(windows.gather_last_targets(starts), forecasts)))

    losses = loss(windows.train), loss(windows.validation)
    finite = np.isfinite(losses).all() and np.isfinite(outputs).all()
    return SeedTraining(
        seed=seed,
        weights=weights,
        losses=[losses[0]],
        val_losses=[losses[1]],
        kept_epoch=1,
        seconds=0.0,  # known when all seeds are trained
        failure="" if finite else describe_divergence(seed, 1, *losses),
    )
