"""Train on a panel in blocks of lanes: an epoch goes over all blocks, and one of them is in memory for each worker.

    epoch 1    block 2, block 0, block 1     the blocks in an order drawn for the epoch, the same for all seeds
    epoch 2    block 0, block 2, block 1     the windows of a block shuffled by seed, epoch and block

The program is that of the fused engine, with the numbers of the optimizer carried from block to block; what ends an
epoch, validation and early stopping, is done between calls of it.
"""

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.base.errors import UserError
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.panel_blocks import PanelBlocks
from pipeline.data.prepared import PreparedData
from pipeline.data.windows import Windows
from pipeline.models.cells import Tensor
from pipeline.training.arrays import BatchPlan, Carry, Material, ReadingPlan
from pipeline.training.compiled import CompilingSession, to_arrays
from pipeline.training.cores import run_on_cores
from pipeline.training.devices import place_training
from pipeline.training.engine import choose_engine
from pipeline.training.fused import record_seed
from pipeline.training.groups import Group, make_groups
from pipeline.training.hyperparameters import stack_hyperparameters
from pipeline.training.plans import plan_reading
from pipeline.training.program import Program
from pipeline.training.record import EpochReport, OnEpoch, Trained, Training, collect_trained

_LARGEST_DRAW = 2**31 - 1


class BlockTraining:
    """Trains the seeds of a run block by block, then forecasts with them; leaving the block frees what was compiled.

    Args:
        blocks: The panel.
        sample: The lanes that are shown, whose forecasts are kept.

    Raises:
        UserError: If the network is not one that the fused engine covers.
    """

    def __init__(self, blocks: PanelBlocks, sample: PreparedData) -> None:
        self._blocks, self._sample, self._config = blocks, sample, blocks.config
        self._choice = choose_engine(self._config, sample)
        if self._choice.network is None:
            raise UserError(
                f"dataset.lane_block={self._config.dataset.lane_block} needs the engine fused, and this network is "
                f"{self._choice.reason}"
            )
        self._placement = place_training(self._config, sample)
        self._groups = list(make_groups([self._config], sample, self._choice.network, self._placement))
        size = len(self._groups[0].weights)
        self._program = Program(self._config, self._choice.network, blocks.like, size, blocks.num_train)
        self._hyperparameters = stack_hyperparameters([self._config] * size)
        self._rows = max(blocks.most_rows, len(sample.windows.inputs))
        self._windows = max(blocks.most_windows, len(sample.windows.starts))
        self._kept: dict[int, FloatArray] = {}  # weights of each group, by its first seed
        self._session = CompilingSession(self._placement.name)

    def __enter__(self) -> "BlockTraining":
        example = self._blocks.load(0)
        plan, _ = self._plan(self._groups[0], example, 0, 0)
        carry = to_arrays(self._program.begin(self._groups[0].weights))
        number = np.int32(0)
        material = self._material(example, plan)
        rows = material.inputs, material.targets
        compile_in = self._session.compile
        self._train_block = compile_in(self._train_batches, material, carry, number, number, number)
        judged = self._reading(example.validation, self._blocks.most_validation)
        self._judge = compile_in(self._program.reader.forecast, *rows, judged, carry.weights)
        every = self._reading(example.train[:1], self._windows)
        self._answer = compile_in(self._program.reader.forecast, *rows, every, carry.weights)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def train(self, on_epoch: OnEpoch) -> Training:
        """Train all seeds.

        Args:
            on_epoch: Told about finished epochs.

        Returns:
            The seeds, and the forecasts of each at every window of the sample.
        """
        start = time.perf_counter()
        events = run_on_cores(self._groups, self._train_group, 1 if self._placement.on_gpu else None)
        seeds, forecasts = collect_trained(events, 1, start, on_epoch)[0]
        choice, seconds = self._choice, time.perf_counter() - start
        return Training(choice.engine, choice.reason, self._placement.tell(), seeds, forecasts, seconds)

    def forecast(self, data: PreparedData) -> FloatArray:
        """Return the scaled outputs of every seed at every window of a block. Shape (seeds, windows, outputs)."""
        each = [self._forecast(group, self._kept[group.seeds[0]], data) for group in self._groups]
        return np.concatenate(each)

    def _forecast(self, group: Group, weights: FloatArray, data: PreparedData) -> FloatArray:
        windows = data.windows
        reading = self._reading(windows.starts, self._windows)
        outputs: FloatArray = self._answer(*self._padded(windows), reading, weights)  # (seeds, windows, outputs)
        return outputs[: len(group.seeds), : len(windows.starts)]

    def _train_group(self, group: Group) -> Iterator[EpochReport | Trained]:
        carry, taken, seeds = to_arrays(self._program.begin(group.weights)), 0, len(group.seeds)
        losses = np.zeros((0, 2, len(group.weights)), np.float32)
        for epoch in range(self._config.training.epochs):
            for number in np.random.default_rng(epoch).permutation(self._blocks.panel.num_blocks).tolist():
                windows = self._blocks.load(number)
                if windows.train.size:
                    plan, batches = self._plan(group, windows, epoch, number)
                    end, step = np.int32(batches), np.int32(taken)
                    carry = self._train_block(self._material(windows, plan), carry, end, step, np.int32(epoch))
                    taken += batches
            both = np.stack([carry.loss_sum / np.float32(self._blocks.num_train), self._validate(carry.weights)])
            carry = to_arrays(self._program.stop(self._hyperparameters, carry, *both))
            losses = np.concatenate([losses, both[None]])  # (epochs, 2, seeds)
            for place in range(seeds):
                last = int(carry.epochs[place])
                loss, val_loss = losses[last - 1, :, place].tolist()
                yield EpochReport(group.seeds[place], last, loss, val_loss, not carry.active[place])
            if not carry.active.any():
                break
        weights = self._kept[group.seeds[0]] = carry.best_weights  # (seeds, numbers)
        outputs = self._forecast(group, weights, self._sample)
        for place, seed in enumerate(group.seeds):
            own = self._program.network.unpack(weights[place])
            yield Trained(record_seed(carry, losses, place, seed, own), outputs[place])

    def _validate(self, weights: FloatArray) -> FloatArray:
        """Return the mean loss of the validation windows of all blocks. Shape (seeds,)."""
        head, total = self._sample.head, np.zeros(len(weights))
        for number in range(self._blocks.panel.num_blocks):
            windows = self._blocks.load(number)
            starts = windows.validation
            if starts.size:
                reading = self._reading(starts, self._blocks.most_validation)
                kept = self._judge(*self._padded(windows), reading, weights)[:, : len(starts)]
                total += head.kept_loss(self._config)(windows.gather_last_targets(starts)[None], kept).numpy().sum(1)
        return (total / self._blocks.num_validation).astype(np.float32)

    def _plan(self, group: Group, windows: Windows, epoch: int, block: int) -> tuple[BatchPlan, int]:
        """Plan the batches of a block, with room for those of the largest; return how many it has, too."""
        size, count = self._config.batch_size, len(windows.train)
        places = -(-self._blocks.most_train // size) * size
        seeds = [group.seeds[place] for place in group.full]
        starts = np.zeros((len(seeds), places), np.int32)
        draws = np.zeros(len(seeds), np.int32)
        for row, seed in enumerate(seeds):
            generator = np.random.default_rng((seed, epoch, block))
            draws[row] = generator.integers(_LARGEST_DRAW)
            starts[row, :count] = windows.train[generator.permutation(count)]
        counts = (np.arange(places) < count).astype(np.float32)
        batches = places // size
        plan = BatchPlan(
            first_epoch=np.int32(0),
            starts=starts.reshape(1, len(seeds), batches, size),
            weights=counts.reshape(batches, size),
            resets=np.full(batches, True),
            draws=draws,
        )
        return plan, -(-count // size)

    def _material(self, windows: Windows, plan: BatchPlan) -> Material:
        nothing = ReadingPlan(np.zeros((1, 1), np.int32), np.zeros(1, np.int32), np.zeros((0, 1), np.float32))
        return Material(*self._padded(windows), plan, nothing, self._hyperparameters)

    def _padded(self, windows: Windows) -> tuple[FloatArray, FloatArray]:
        more = ((0, self._rows - len(windows.inputs)), (0, 0))
        return np.pad(windows.inputs, more), np.pad(windows.targets, more)

    def _reading(self, starts: IntArray, places: int) -> ReadingPlan:
        padded = np.zeros(places, np.int32)
        padded[: len(starts)] = starts
        nothing = np.zeros((0, self._blocks.like.num_targets), np.float32)
        plan: ReadingPlan = to_arrays(plan_reading(self._config, self._blocks.like, padded, nothing))
        return plan

    def _train_batches(self, material: Material, carry: Carry, end: Tensor, taken: Tensor, epoch: Tensor) -> Carry:
        """Train the first batches of a block, `taken` of others having gone before."""

        def train_batch(number: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
            batch = self._program.gather_batch(material, carry.states, number)
            learnt = self._program.learn(carry.weights, batch, batch.counts)
            step = self._program.take_step(carry, [learnt], material.hyperparameters, taken + number, epoch)
            return number + 1, step

        trained: Any = tf.while_loop(lambda number, _: number < end, train_batch, (tf.constant(0), carry))
        return trained[1]
