"""The fused engine: every seed of a run trained inside XLA, in groups that run side by side on the cores.

A group is a few seeds in one call of the compiled program. Its size depends on the network only, and a group that is
not full is filled up: so a seed has the same numbers whatever its company, and whatever the number of cores.
"""

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops

from pipeline.config.schema import Config
from pipeline.data.arrays import FloatArray
from pipeline.data.prepared import PreparedData
from pipeline.models.keras_network import build_training_network
from pipeline.models.xla_network import NetworkFunction, Recurrent
from pipeline.training.compiled import CompilingSession, to_arrays
from pipeline.training.cores import run_on_cores
from pipeline.training.hyperparameters import Hyperparameters, stack_hyperparameters
from pipeline.training.parts import compile_in_parts
from pipeline.training.plans import count_epochs, plan_batches, plan_reading
from pipeline.training.program import BatchPlan, Carry, Program, ReadingPlan
from pipeline.training.record import (
    EpochReport,
    OnEpoch,
    SeedTraining,
    Trained,
    collect_trained,
    describe_divergence,
)

_SECONDS_PER_CALL = 0.3  # the progress bar moves this often
_SMALL = 32768  # multiplications per time step up to which a group of seeds costs little more than one seed
_SEEDS_PER_GROUP = 4
_WORTH_CUTTING = 2**25  # multiplications per batch, some milliseconds, from which on a batch is cut
_PARTS = 2
_ROUND = 2**17  # more than a run counts, and counted in 10 ms


@dataclass(frozen=True)
class Group:
    """Seeds that are trained together; the last one is repeated until the group is full.

    Attributes:
        seeds: The seeds, without repetition.
        weights: Their initial weights, full. Shape (seeds per group, numbers).
    """

    seeds: list[int]
    weights: Any

    def full(self, size: int) -> list[int]:
        """Return the seed in each place of a full group."""
        return self.seeds + [self.seeds[-1]] * (size - len(self.seeds))


@dataclass(frozen=True)
class Shared:
    """What all groups of a run share: the compiled programs and what they read."""

    config: Config
    data: PreparedData
    program: Program
    train: Callable[..., Any]
    forecast: Callable[..., Any]
    validation: ReadingPlan
    everything: ReadingPlan
    hyperparameters: Hyperparameters


def train_fused(
    config: Config, data: PreparedData, network: NetworkFunction, on_epoch: OnEpoch
) -> tuple[list[SeedTraining], FloatArray]:
    """Train all seeds.

    Args:
        config: The configuration of the run.
        data: The prepared data.
        network: The network as a function of its weights.
        on_epoch: Told now and then about the last finished epoch of each seed.

    Returns:
        One record per seed, and the scaled outputs of each at every window, shape (seeds, windows, outputs). A seed
        that diverged says so in its record; the others are not touched by it.
    """
    start = time.perf_counter()
    groups = make_groups(config, data, network)
    first_group = next(groups)
    with CompilingSession() as session:
        shared = share(config, data, network, first_group, session)
        events = run_on_cores(chain([first_group], groups), lambda group: _train_group(shared, group))
        return collect_trained(events, config.seeds, start, on_epoch)


def seeds_per_group(config: Config, network: NetworkFunction) -> int:
    """Return how many seeds share a call: several of a small network, one of a large one, which fills a core alone."""
    recurrent = [layer for layer in network.layers if isinstance(layer, Recurrent)]
    largest = max((layer.rule.gates * layer.units**2 for layer in recurrent), default=0)
    return _SEEDS_PER_GROUP if largest * config.batch_size <= _SMALL else 1


def count_parts(config: Config, network: NetworkFunction) -> int:
    """Return into how many parts a batch is cut, so that one seed has work for several cores.

    It depends on the run only, and on no core: the sum over the parts is rounded in another way than that of a whole.
    """
    if seeds_per_group(config, network) > 1 or config.batch_size % _PARTS or tf.config.list_physical_devices("GPU"):
        return 1  # a GPU is busy with a whole batch
    per_row = sum(layer.rule.gates * layer.units**2 for layer in network.layers if isinstance(layer, Recurrent))
    return _PARTS if per_row * config.batch_size * config.time_steps >= _WORTH_CUTTING else 1


def share(
    config: Config, data: PreparedData, network: NetworkFunction, group: Group, session: CompilingSession
) -> Shared:
    """Make what all groups share, and turn its programs into graphs, under names that a repeated command gives again.

    XLA's cache knows a program by its graph, and TensorFlow puts a counter into the names of its functions, which
    counts everything that happens in a process. It is moved on to a round number. For the same reason both programs
    are traced here, in the main thread, and nothing else is while a training is compiled: XLA, too, counts.
    """
    windows, size = data.windows, len(group.weights)
    counted = len(windows.train) if data.lanes is None else data.lanes.num_windows
    program = Program(config, network, windows, size, counted, count_parts(config, network))
    plan, history = _plan(config, data, group, 0)
    validation = to_arrays(
        plan_reading(config, windows, windows.validation, windows.gather_last_targets(windows.validation))
    )
    everything = to_arrays(
        plan_reading(config, windows, windows.starts, windows.gather_last_targets(windows.starts[:0]))
    )
    hyperparameters = stack_hyperparameters([config] * size)
    carry, number = to_arrays(program.begin(group.weights)), np.int32(0)
    while ops.uid() % _ROUND:
        pass
    read = windows.inputs, windows.targets, plan, validation, hyperparameters
    if program.parts > 1:
        train = compile_in_parts(program, session, *read, carry, history)
    else:
        train = session.compile(program.train, *read, carry, number, number, history)
    forecast = session.compile(program.forecast, windows.inputs, windows.targets, everything, carry.weights)
    return Shared(config, data, program, train, forecast, validation, everything, hyperparameters)


def _plan(config: Config, data: PreparedData, group: Group, first_epoch: int) -> tuple[BatchPlan, FloatArray]:
    """Return the batches of as many epochs as one plan holds, and an empty history of their losses."""
    size = len(group.weights)
    epochs = count_epochs(data.windows, size)
    plan = plan_batches(config, data.windows, data.lanes, group.full(size), first_epoch, epochs)
    return to_arrays(plan), np.zeros((epochs, 2, size), np.float32)


def make_groups(config: Config, data: PreparedData, network: NetworkFunction) -> Iterator[Group]:
    """Divide the seeds of a run into groups."""
    size = seeds_per_group(config, network)
    seeds = range(config.seed, config.seed + config.seeds)
    for first in range(0, len(seeds), size):
        yield _make_group(config, data, network, list(seeds[first : first + size]), size)


def _make_group(config: Config, data: PreparedData, network: NetworkFunction, seeds: list[int], size: int) -> Group:
    """Take initial weights from ordinary Keras networks, each built with its own seed as the reference engine does."""
    rows = []
    for seed in seeds:
        # What keras.utils.set_random_seed does for initial weights. It would also drop TensorFlow's compiled kernels,
        # and building a network would take three times as long.
        random.seed(seed)
        built = build_training_network(config, *data.windows.interface)
        rows.append(network.pack(built.get_weights()))
    return Group(seeds, np.stack(rows + rows[-1:] * (size - len(rows))))


def _train_group(shared: Shared, group: Group) -> Iterator[EpochReport | Trained]:
    losses = np.zeros((0, 2, shared.program.seeds))
    for carry, ended in call_by_call(shared, group):
        if not len(ended):
            continue
        losses = np.concatenate([losses, ended])  # (epochs, 2, seeds)
        for column, (seed, epochs) in enumerate(zip(group.seeds, carry.epochs, strict=False)):
            loss, val_loss = losses[epochs - 1, :, column]
            yield EpochReport(seed, int(epochs), float(loss), float(val_loss), not carry.active[column])
    weights, windows = carry.best_weights, shared.data.windows  # (seeds, numbers)
    outputs = shared.forecast(windows.inputs, windows.targets, shared.everything, weights)  # (seeds, windows, kept)
    for column, (seed, row) in enumerate(zip(group.seeds, weights, strict=False)):
        yield Trained(_record(carry, losses, column, seed, shared.program.network.unpack(row)), outputs[column])


def call_by_call(shared: Shared, group: Group) -> Iterator[tuple[Carry, FloatArray]]:
    """Yield the carry after each call of the program, and the losses of the epochs that ended in it."""
    plan, history = _plan(shared.config, shared.data, group, 0)
    epochs, num_batches = len(history), len(plan.weights)
    all_batches = shared.config.training.epochs * num_batches
    carry, number, count, calls = to_arrays(shared.program.begin(group.weights)), 0, 1, 0
    windows = shared.data.windows
    while number < all_batches and carry.active.any():
        first_epoch = number // num_batches // epochs * epochs
        if first_epoch != plan.first_epoch:
            plan, history = _plan(shared.config, shared.data, group, first_epoch)
        end = min(number + count, (first_epoch + epochs) * num_batches, all_batches)
        start = time.perf_counter()
        read = windows.inputs, windows.targets, plan, shared.validation, shared.hyperparameters
        carry, losses = shared.train(*read, carry, np.int32(number), np.int32(end), history)
        ended = slice(number // num_batches - first_epoch, end // num_batches - first_epoch)
        number, calls = end, calls + 1
        yield carry, losses[ended]
        if calls > 1:  # the first call compiled
            faster = _SECONDS_PER_CALL / max(time.perf_counter() - start, 1e-4)
            count = max(1, math.ceil(count * min(faster, 64)))


def _record(carry: Carry, losses: FloatArray, column: int, seed: int, weights: list[Any]) -> SeedTraining:
    epochs = int(carry.epochs[column])
    loss, val_loss = (losses[:epochs, number, column].tolist() for number in (0, 1))
    diverged = not (math.isfinite(loss[-1]) and math.isfinite(val_loss[-1]))
    return SeedTraining(
        seed=seed,
        weights=weights,
        losses=loss,
        val_losses=val_loss,
        kept_epoch=int(carry.best_epoch[column]),
        seconds=0.0,  # known when all seeds are trained
        failure=describe_divergence(seed, epochs, loss[-1], val_loss[-1]) if diverged else "",
    )
