"""What a worker of launcher=ray needs of a node, and how many of them a cluster holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, Device

_BYTES_OF_A_WORKER = 1_500_000_000  # TensorFlow, MLflow and a small network
_COPIES = 4  # of the series: as read, scaled, in windows, and in Ray


@dataclass(frozen=True)
class Size:
    """What a worker needs, and likewise what a node has.

    Attributes:
        cores: Number of them.
        memory: In bytes.
        gpus: Number of them.
    """

    cores: int
    memory: int
    gpus: int = 0

    def holds(self, worker: "Size") -> int:
        """Return how many workers fit into it."""
        numbers = [self.cores // worker.cores, self.memory // worker.memory]
        return min([*numbers, self.gpus // worker.gpus] if worker.gpus else numbers)

    def describe(self) -> str:
        """Say it, for example `2 core(s), 1.5 GB`."""
        return f"{self.cores} core(s), {self.memory / 1e9:.1f} GB{f', {self.gpus} GPU' if self.gpus else ''}"


def choose_size(config: Config, tasks: int, data: int, nodes: Sequence[Size]) -> Size:
    """Return what a worker needs: cores for its seeds where tasks are few, memory for its data, a GPU if it wants one.

    Args:
        config: The largest job, with ray.cores and ray.memory.
        tasks: That are asked at the same time.
        data: Bytes of the series.
        nodes: Of the cluster.

    Example:
        >>> from pipeline.config.schema import Config
        >>> choose_size(Config(seeds=8), 3, 0, [Size(16, 10**11), Size(4, 10**11)]).describe()
        '6 core(s), 1.5 GB'
    """
    share = sum(node.cores for node in nodes) // tasks
    most = min(config.seeds, max((node.cores for node in nodes), default=1))
    cores = config.ray.cores or max(1, min(share, most))
    memory = int(config.ray.memory * 1e9) if config.ray.memory else _BYTES_OF_A_WORKER + _COPIES * data
    return Size(cores, memory, int(config.training.device is Device.gpu))


def count_workers(size: Size, workers: int | None, tasks: int, nodes: Sequence[Size]) -> int:
    """Return how many workers start: as many as the cluster holds and have something to do; `workers` is the most.

    Raises:
        UserError: If no node holds one.
    """
    held = sum(node.holds(size) for node in nodes)
    if not held:
        have = "; ".join(dict.fromkeys(node.describe() for node in nodes)) or "nothing"
        raise UserError(
            f"launcher=ray: a worker needs {size.describe()}, and no node of the cluster has that (they have: {have}); "
            "lower ray.cores or ray.memory, or add a node"
        )
    return min(tasks, held, workers or held)
