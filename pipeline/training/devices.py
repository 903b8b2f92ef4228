"""Where the programs of a training run: on the cores, or on a GPU, and how many seeds share a call there.

On the cores a group is a few seeds, and groups run side by side. A GPU takes nearly the same time for a time step of
one seed as for one of a thousand, until it is full: there all seeds, of all configurations that one program trains, are
one group, or as few as its memory asks for.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

import tensorflow as tf

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, Device
from pipeline.data.prepared import PreparedData
from pipeline.models.plan import GATES, LayerPlan, plan_layers
from pipeline.training.cores import count_cores

log = logging.getLogger(__name__)

# A GPU needs some 50 us for a time step of forward and backward, however small (docs/explanation/devices.md). A core
# does so many multiplications meanwhile.
_OF_A_CORE = 1_000_000
_CORES_OF_A_SEED = 2  # that one seed can keep busy (training/parts.py)
_FORWARD_AND_BACKWARD = 3  # times the multiplications of forward alone
_FOR_PROGRAMS = 0.8  # share of the memory of a GPU that seeds may fill: XLA's own buffers need some
_COPIES_OF_WEIGHTS = 8  # weights, two slots, gradient, best weights, and what a step makes of them
_NUMBERS_OF_A_STEP = 6  # per unit beside the gates: states, their gradients, and what comes in from below

Trained = TypeVar("Trained")


@dataclass(frozen=True)
class Gpu:
    """A GPU as TensorFlow sees it.

    Attributes:
        name: TensorFlow's name, for example `/GPU:0`.
        memory: Bytes that programs may use.
    """

    name: str
    memory: int


@dataclass(frozen=True)
class Placement:
    """Where a training runs, and why.

    Attributes:
        name: TensorFlow's name of the device.
        reason: Why, in one line.
        most_seeds: Seeds that fit into one group of a GPU; None on the cores, where the network decides.
    """

    name: str
    reason: str
    most_seeds: int | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether all seeds are one group, trained by one worker."""
        return self.most_seeds is not None

    def tell(self) -> str:
        """Say where and why, for the tag `device`."""
        return f"{self.name.strip('/').lower()}: {self.reason}"


ON_CORES = Placement("/CPU:0", "TensorFlow sees no GPU")


def place_training(config: Config, data: PreparedData) -> Placement:
    """Choose the device of a run.

    Raises:
        UserError: If training.device=gpu and there is none.
    """
    asked = config.training.device
    if asked is Device.cpu:
        return Placement("/CPU:0", "training.device=cpu asks for it")
    gpu = find_gpu()
    if gpu is None:
        if asked is Device.gpu:
            raise UserError(
                "training.device=gpu, but TensorFlow sees no GPU; on a machine with an NVIDIA card install its CUDA "
                "build, pip install 'lstm-pipeline[gpu]', or use training.device=auto or cpu"
            )
        return ON_CORES
    layers = plan_layers(config, *data.windows.interface)
    most = count_fitting(config, data, layers, gpu.memory)
    if asked is Device.gpu:
        return Placement(gpu.name, "training.device=gpu asks for it", most)
    work = count_multiplications(config, layers) * config.seeds
    cores = min(count_cores(), _CORES_OF_A_SEED * config.seeds)
    if work < _OF_A_CORE * cores:
        return Placement("/CPU:0", f"{work:,} multiplications a time step are done sooner by {cores} core(s)")
    return Placement(gpu.name, f"{work:,} multiplications a time step keep {cores} core(s) longer than a GPU", most)


def count_multiplications(config: Config, layers: list[LayerPlan]) -> int:
    """Return the multiplications for one time step of a batch and one seed, of recurrent layers, both ways."""
    per_row = sum(
        GATES[layer.cell] * layer.outputs * (layer.inputs + layer.outputs) for layer in layers if layer.cell is not None
    )
    return _FORWARD_AND_BACKWARD * per_row * config.batch_size


def count_fitting(config: Config, data: PreparedData, layers: list[LayerPlan], memory: int) -> int:
    """Return how many seeds fit into so many bytes, by what their arrays need: at least 1.

    It is an estimate: a group that does not fit after all is halved, see `train_as_fits`.
    """
    return max(1, int(_FOR_PROGRAMS * memory) // (4 * count_numbers(config, data, layers)))


def count_numbers(config: Config, data: PreparedData, layers: list[LayerPlan]) -> int:
    """Return the float32 numbers that one seed needs.

    What a step of training keeps for its way back, the weights with what the optimizer keeps, and the forecasts at
    every window.
    """
    of_a_step = sum(
        layer.outputs * (GATES[layer.cell] + _NUMBERS_OF_A_STEP) + layer.inputs
        for layer in layers
        if layer.cell is not None
    )
    weights = sum(math.prod(shape) for layer in layers for shape in layer.weight_shapes)
    return (
        config.batch_size * config.time_steps * of_a_step
        + _COPIES_OF_WEIGHTS * weights
        + 2 * len(data.windows.starts) * data.head.kept(data.windows.num_outputs)
    )


def train_as_fits(
    placement: Placement, asked: Device, seeds: int, train: Callable[[Placement], Trained]
) -> tuple[Trained, Placement]:
    """Train, with half as many seeds in a group each time the memory of a GPU is full, in the end on the cores.

    Args:
        placement: Where to begin.
        asked: What training.device asks for.
        seeds: That are trained side by side.
        train: Trains them somewhere; begins anew.

    Returns:
        What `train` returned, and where.

    Raises:
        UserError: If training.device=gpu and not even one seed fits.
    """
    while True:
        try:
            return train(placement), placement
        except tf.errors.ResourceExhaustedError:
            if placement.most_seeds is None:
                raise
        held = min(seeds, placement.most_seeds)
        if held > 1:
            told = f"the memory of {placement.name} is full with {held} seeds in a group; now {held // 2}"
            placement = replace(placement, most_seeds=held // 2)
        elif asked is Device.gpu:
            raise UserError(
                f"training.device=gpu, but one seed does not fit into the memory of {placement.name}; lower "
                "batch_size, look_back or model.units, free the card, or use training.device=auto or cpu"
            )
        else:
            told = f"one seed does not fit into the memory of {placement.name}; now on the cores"
            placement = Placement("/CPU:0", f"one seed does not fit into the memory of {placement.name}")
        log.warning(told)


@cache
def find_gpu() -> Gpu | None:
    """Return the first GPU that TensorFlow sees; None without one.

    Its matrices are multiplied in float32 then, not in TensorFlow's shorter format for GPUs, which keeps three digits:
    the certificate of a run holds all programs to four.
    """
    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return None
    tf.config.experimental.enable_tensor_float_32_execution(False)
    options = tf.compat.v1.GPUOptions(allow_growth=True)  # other processes may want some of it
    with tf.compat.v1.Session(graph=tf.Graph(), config=tf.compat.v1.ConfigProto(gpu_options=options)) as session:
        found = [each for each in session.list_devices() if each.device_type == "GPU"]
    return Gpu("/GPU:0", found[0].memory_limit_bytes) if found else None
