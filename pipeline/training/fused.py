"""The fused engine: every seed of some jobs trained inside XLA, in groups that run side by side on the cores.

A group is a few seeds in one call of the compiled program, of one job or of several that differ in hyperparameters. Its
size depends on the network only, and a group that is not full is filled up: so a seed has the same numbers whatever its
company, and whatever the number of cores. On a GPU all seeds are one group (training/devices.py), and the last bits of
a seed's numbers may depend on its company: XLA adds up in another order for another size.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from tensorflow.python.framework import ops

from pipeline.config.schema import Config
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.prepared import PreparedData
from pipeline.data.windows import Windows
from pipeline.models.plan import plan_layers
from pipeline.models.xla_network import NetworkFunction
from pipeline.training.arrays import BatchPlan, Carry, Material, ReadingPlan
from pipeline.training.compiled import CompilingSession, to_arrays
from pipeline.training.cores import run_on_cores
from pipeline.training.devices import Placement, count_multiplications
from pipeline.training.groups import Group, Job, count_parts, fill_cores, group_by_data, make_groups
from pipeline.training.hyperparameters import Hyperparameters, stack_hyperparameters
from pipeline.training.parts import compile_in_parts
from pipeline.training.plans import count_epochs, plan_batches, plan_reading
from pipeline.training.program import Program
from pipeline.training.programs import Compiled, Programs, name_program
from pipeline.training.record import (
    EpochReport,
    OnEpoch,
    Seeds,
    SeedTraining,
    Trained,
    collect_trained,
    describe_divergence,
)

_SECONDS_PER_CALL = 0.3  # the progress bar moves this often
_ROUND = 2**17  # more than a run counts, and counted in 10 ms
_SOON = 10**9  # multiplications; 0.3 s of a core


@dataclass(frozen=True)
class Task:
    """A group, and all that its training reads.

    Attributes:
        group: The seeds.
        configs: The configuration of each place of the full group.
        data: What all of them learn.
        compiled: The programs.
        validation: How the forecasts are made after each epoch.
        everything: How the forecasts at every window are made.
        hyperparameters: Of each place.
    """

    group: Group
    configs: list[Config]
    data: PreparedData
    compiled: Compiled
    validation: ReadingPlan
    everything: ReadingPlan
    hyperparameters: Hyperparameters

    def read(self, first_epoch: int) -> tuple[Material, FloatArray]:
        """Return what as many epochs read as one plan holds, and an empty history of their losses."""
        epochs, windows = max(config.training.epochs for config in self.configs), self.data.windows
        plan, history = _plan(self.configs[0], self.data, self.group, first_epoch, epochs)
        return Material(windows.inputs, windows.targets, plan, self.validation, self.hyperparameters), history


def train_fused(
    jobs: Sequence[Job],
    network: NetworkFunction,
    programs: Programs,
    placement: Placement,
    on_epoch: OnEpoch,
) -> list[Seeds]:
    """Train all seeds of some jobs side by side.

    Args:
        jobs: Configurations that differ in hyperparameters and seeds only, and their data. Those with the very same
            data share the calls of a program, those of equal shapes the program.
        network: Their network as a function of its weights.
        programs: What is compiled.
        placement: Where they are trained.
        on_epoch: Told now and then about the last finished epoch of each seed.

    Returns:
        For each job one record per seed, and the scaled outputs of each at every window. A seed that diverged says so
        in its record; the others are not touched by it.
    """
    start = time.perf_counter()
    tasks = make_tasks(jobs, network, programs, placement)
    first = next(tasks)  # compiled before a training begins
    events = run_on_cores(chain([first], tasks), _train_group, 1 if placement.on_gpu else None)
    return collect_trained(events, len(jobs), start, on_epoch)


def make_tasks(
    jobs: Sequence[Job], network: NetworkFunction, programs: Programs, placement: Placement
) -> Iterator[Task]:
    """Divide the seeds of jobs into groups, and find what each reads; the program of equal shapes is compiled once."""
    configs, in_turn = [job.config for job in jobs], fill_cores(jobs, network, placement)
    for data, mine in group_by_data(jobs):
        windows, readings = data.windows, None
        for group in make_groups([configs[job] for job in mine], data, network, placement, mine):
            places = [configs[group.jobs[place]] for place in group.full]
            if readings is None:
                readings = (
                    _read_at(places[0], windows, windows.validation, windows.validation),
                    _read_at(places[0], windows, windows.starts, windows.starts[:0]),
                )
                compiled = compile_training(places, data, network, group, *readings, programs, placement, in_turn)
            yield Task(group, places, data, compiled, *readings, stack_hyperparameters(places))


def _read_at(config: Config, windows: Windows, starts: IntArray, judged: IntArray) -> ReadingPlan:
    plan: ReadingPlan = to_arrays(plan_reading(config, windows, starts, windows.gather_last_targets(judged)))
    return plan


def compile_training(
    configs: list[Config],
    data: PreparedData,
    network: NetworkFunction,
    group: Group,
    validation: ReadingPlan,
    everything: ReadingPlan,
    programs: Programs,
    placement: Placement,
    in_turn: bool,
) -> Compiled:
    """Turn a training into graphs, under names that a repeated command gives again, or find those that are open.

    XLA's cache knows a program by its graph, and TensorFlow puts a counter into the names of its functions, which
    counts everything that happens in a process. It is moved on to a round number. For the same reason both programs
    are traced here, in the main thread, and nothing else is while a training is compiled: XLA, too, counts. It may
    compile both at the same time: what is traced then is the same to the letter.

    The parts of a batch learn in turn where other groups keep the cores busy, otherwise side by side.
    """
    windows, size, config = data.windows, len(group.weights), configs[0]
    counted = len(windows.train) if data.lanes is None else data.lanes.num_windows
    program = Program(config, network, windows.without_rows(), size, counted, count_parts(config, network, placement))
    plan, history = _plan(config, data, group, 0, 1)
    carry, number = to_arrays(program.begin(group.weights)), np.int32(0)
    side_by_side = program.parts > 1 and not in_turn
    series = windows.inputs, windows.targets
    material = Material(*series, plan, validation, stack_hyperparameters(configs))

    def compile_in(session: CompilingSession) -> Compiled:
        while ops.uid() % _ROUND:
            pass
        if side_by_side:
            train = compile_in_parts(program, session, material, carry, history)
        else:
            train = session.compile(program.train, material, carry, number, number, history, like=(carry, history))
        forecast = session.compile(program.reader.forecast, *series, everything, carry.weights, like=history)
        if not placement.on_gpu and _is_read_soon(config, windows, size):
            session.call_ahead(forecast, *series, everything, carry.weights)
        return Compiled(program, train, forecast)

    arguments = material, carry, history, everything
    name = name_program(config, network, windows, counted, size, arguments)
    return programs.find(f"{placement.name} {program.parts} {side_by_side} {name}", compile_in, placement.name)


def _is_read_soon(config: Config, windows: Windows, seeds: int) -> bool:
    """Whether all forecasts take less than compiling them: then another core may do both while training is compiled."""
    of_a_row = count_multiplications(config, plan_layers(config, *windows.interface)) // config.batch_size
    return of_a_row * len(windows.starts) * config.time_steps * seeds <= _SOON


def _plan(
    config: Config, data: PreparedData, group: Group, first_epoch: int, epochs: int
) -> tuple[BatchPlan, FloatArray]:
    size = len(group.weights)
    held = count_epochs(data.windows, size)
    seeds, last = [group.seeds[place] for place in group.full], min(first_epoch + held, epochs)
    plan = plan_batches(config, data.windows, data.lanes, seeds, range(first_epoch, last), held)
    return to_arrays(plan), np.zeros((held, 2, size), np.float32)


def _train_group(task: Task) -> Iterator[EpochReport | Trained]:
    group, reported = task.group, 0

    def report(carry: Carry, losses: FloatArray, place: int) -> EpochReport:
        epochs = int(carry.epochs[place])
        loss, val_loss = losses[epochs - 1, :, place].tolist()
        return EpochReport(group.seeds[place], epochs, loss, val_loss, not carry.active[place], group.jobs[place])

    for carry, losses in call_by_call(task):
        if len(losses) > reported:
            reported = len(losses)
            yield from (report(carry, losses, place) for place in range(len(group.seeds)))
    windows, weights = task.data.windows, carry.best_weights  # (seeds, numbers)
    outputs = task.compiled.forecast(windows.inputs, windows.targets, task.everything, weights)
    unpack = task.compiled.program.network.unpack  # outputs: (seeds, windows, kept)
    for place, (job, seed) in enumerate(zip(group.jobs, group.seeds, strict=True)):
        yield Trained(record_seed(carry, losses, place, seed, unpack(weights[place])), outputs[place], job)


def call_by_call(task: Task) -> Iterator[tuple[Carry, FloatArray]]:
    """Train a group.

    Args:
        task: The group, and what it reads.

    Yields:
        After each call of the program the carry, and the losses of all epochs that ended, (epochs, 2, seeds).
    """
    material, history = task.read(0)
    held, num_batches = len(history), len(material.plan.weights)
    all_batches = max(config.training.epochs for config in task.configs) * num_batches
    carry, number, count, calls = to_arrays(task.compiled.program.begin(task.group.weights)), 0, 1, 0
    losses = history[:0]
    while number < all_batches and carry.active.any():
        first_epoch = number // num_batches // held * held
        if first_epoch != material.plan.first_epoch:
            material, history = task.read(first_epoch)
        end = min(number + count, (first_epoch + held) * num_batches, all_batches)
        start = time.perf_counter()
        carry, of_plan = task.compiled.train(material, carry, np.int32(number), np.int32(end), history)
        ended = slice(number // num_batches - first_epoch, end // num_batches - first_epoch)
        losses = np.concatenate([losses, of_plan[ended]])
        number, calls = end, calls + 1
        yield carry, losses
        if calls > 1:  # the first call compiled
            faster = _SECONDS_PER_CALL / max(time.perf_counter() - start, 1e-4)
            count = max(1, math.ceil(min(count * min(faster, 64), all_batches)))


def record_seed(carry: Carry, losses: FloatArray, place: int, seed: int, weights: list[Any]) -> SeedTraining:
    """Return the record of one seed of a group: the losses are those of every epoch, (epochs, 2, seeds)."""
    epochs = int(carry.epochs[place])
    loss, val_loss = (losses[:epochs, number, place].tolist() for number in (0, 1))
    diverged = not (math.isfinite(loss[-1]) and math.isfinite(val_loss[-1]))
    return SeedTraining(
        seed=seed,
        weights=weights,
        losses=loss,
        val_losses=val_loss,
        kept_epoch=int(carry.best_epoch[place]),
        seconds=0.0,  # known when all seeds are trained
        failure=describe_divergence(seed, epochs, loss[-1], val_loss[-1]) if diverged else "",
    )
