"""Seeds in groups, and batches in parts: what shares a call of the compiled program, and what gets calls of its own."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.config.schema import Config
from pipeline.data.arrays import FloatArray
from pipeline.data.prepared import PreparedData
from pipeline.models.keras_network import build_training_network
from pipeline.models.plan import plan_layers
from pipeline.models.xla_network import NetworkFunction, Recurrent
from pipeline.training.cores import count_cores
from pipeline.training.devices import Placement

_SMALL = 32768  # multiplications per time step up to which a group of seeds costs little more than one seed
_SEEDS_PER_GROUP = 4
_WORTH_CUTTING = 2**25  # multiplications per batch, some milliseconds, from which on a batch is cut
_PARTS = 2
_IDLE = 1.1  # how much longer parts side by side compute than in turn; as much may cores wait for the last groups
_SMALL_TO_KEEP, _MOST_KEPT = 2**15, 256  # numbers, and seeds, whose initial weights are kept: 32 MB

_kept: dict[tuple[str, int], FloatArray] = {}  # initial weights, by network and seed


@dataclass(frozen=True)
class Job:
    """A configuration and its data."""

    config: Config
    data: PreparedData


@dataclass(frozen=True)
class Group:
    """Seeds that are trained together, of one job or of several; the last one is repeated until the group is full.

    Attributes:
        jobs: Number of the job of each seed.
        seeds: The seeds, without repetition.
        weights: Their initial weights, full. Shape (seeds per group, numbers).
    """

    jobs: list[int]
    seeds: list[int]
    weights: FloatArray

    @property
    def full(self) -> list[int]:
        """Which seed is in each place of the full group, counted from 0."""
        return [*range(len(self.seeds)), *[len(self.seeds) - 1] * (len(self.weights) - len(self.seeds))]


def seeds_per_group(config: Config, network: NetworkFunction) -> int:
    """Return how many seeds share a call: several of a small network, one of a large one, which fills a core alone."""
    recurrent = [layer for layer in network.layers if isinstance(layer, Recurrent)]
    largest = max((layer.rule.gates * layer.units**2 for layer in recurrent), default=0)
    return _SEEDS_PER_GROUP if largest * config.batch_size <= _SMALL else 1


def size_groups(config: Config, network: NetworkFunction, placement: Placement, seeds: int) -> int:
    """Return how many seeds share a call: on a GPU all of them, or equal groups of as many as fit."""
    if placement.most_seeds is None:
        return seeds_per_group(config, network)
    groups = -(-seeds // placement.most_seeds)
    return -(-seeds // groups)


def count_parts(config: Config, network: NetworkFunction, placement: Placement) -> int:
    """Return into how many parts a batch is cut, so that one seed has work for several cores.

    It depends on the run only, and on no core: the sum over the parts is rounded in another way than that of a whole.
    """
    if placement.on_gpu or seeds_per_group(config, network) > 1 or config.batch_size % _PARTS:
        return 1
    per_row = sum(layer.rule.gates * layer.units**2 for layer in network.layers if isinstance(layer, Recurrent))
    return _PARTS if per_row * config.batch_size * config.time_steps >= _WORTH_CUTTING else 1


def group_by_data(jobs: Sequence[Job]) -> list[tuple[PreparedData, list[int]]]:
    """Return which jobs learn the very same data."""
    found: dict[int, tuple[PreparedData, list[int]]] = {}
    for number, job in enumerate(jobs):
        found.setdefault(id(job.data), (job.data, []))[1].append(number)
    return list(found.values())


def fill_cores(jobs: Sequence[Job], network: NetworkFunction, placement: Placement) -> bool:
    """Return whether the groups of jobs keep all cores busy: then the parts of a batch need not learn side by side."""
    cores, seeds = count_cores(), [sum(jobs[job].config.seeds for job in mine) for _, mine in group_by_data(jobs)]
    groups = sum(-(-count // size_groups(jobs[0].config, network, placement, count)) for count in seeds)
    return -(-groups // cores) * cores <= _IDLE * groups


def make_groups(
    configs: Sequence[Config],
    data: PreparedData,
    network: NetworkFunction,
    placement: Placement,
    numbers: Sequence[int] = (0,),
) -> Iterator[Group]:
    """Divide the seeds of jobs into groups.

    Args:
        configs: Of the jobs; they differ in hyperparameters and seeds.
        data: What all of them learn.
        network: As a function of its weights.
        placement: Where they are trained.
        numbers: Of the jobs.
    """
    size = size_groups(configs[0], network, placement, sum(config.seeds for config in configs))
    network_name = repr((configs[0].model, plan_layers(configs[0], *data.windows.interface)))
    places = [
        (number, seed)
        for number, config in zip(numbers, configs, strict=True)
        for seed in range(config.seed, config.seed + config.seeds)
    ]
    for first in range(0, len(places), size):
        jobs, seeds = zip(*places[first : first + size], strict=True)
        rows = [_initial_weights(network_name, configs[0], data, network, seed) for seed in seeds]
        yield Group(list(jobs), list(seeds), np.stack(rows + rows[-1:] * (size - len(rows))))


def _initial_weights(name: str, config: Config, data: PreparedData, network: NetworkFunction, seed: int) -> FloatArray:
    """Take initial weights from an ordinary Keras network, built with its own seed as the reference engine does.

    Equal layers have equal ones, whatever the look-back and the state: jobs of a sweep build them once, 10 ms a seed.
    """
    if (name, seed) in _kept:
        return _kept[name, seed]
    # What keras.utils.set_random_seed does for initial weights. It would also drop TensorFlow's compiled kernels, and
    # building a network would take three times as long.
    random.seed(seed)
    built = build_training_network(config, *data.windows.interface)
    packed: FloatArray = network.pack(built.get_weights())
    if packed.size <= _SMALL_TO_KEEP:
        while len(_kept) >= _MOST_KEPT:
            del _kept[next(iter(_kept))]  # the oldest
        _kept[name, seed] = packed
    return packed
