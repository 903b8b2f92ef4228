"""`launcher=ray`: workers on the nodes of a Ray cluster, by actors that keep TensorFlow and compiled programs warm."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pipeline.base.errors import PipelineError
from pipeline.config.schema import Config, Device
from pipeline.data.series_file import write_series
from pipeline.launching.answers import load_once
from pipeline.launching.batches import train_in_batches
from pipeline.launching.ray_cluster import check, connect, read_nodes, settings_of_mlflow
from pipeline.launching.ray_sizes import Size, choose_size, count_workers
from pipeline.launching.relay import ANSWERED, DONE, SAID, Relay
from pipeline.launching.workers import Answer, Task, Workers

if TYPE_CHECKING:
    from pipeline.data.series import Series
    from pipeline.tracking.store import Store

__all__ = ["check", "open_workers", "train_jobs"]

_SECONDS_TO_START = 1.0  # that one look takes
_SECONDS_UNTIL_TOLD = 30.0
_SECONDS_TO_END = 60.0


def train_jobs(jobs: Sequence[Config], store: "Store", tell: Callable[[str], None]) -> list[PipelineError]:
    """Train the jobs of a sweep; as `pipeline.launching.launch.Engine` says."""
    loaded: dict[str, Series] = {}
    for job in jobs:
        load_once(job.dataset, loaded)
    widest = max(jobs, key=lambda job: (job.training.device is Device.gpu, job.seeds))
    return train_in_batches(jobs, lambda work: open_workers(widest, len(jobs), work, store, tell, loaded))


def open_workers(
    config: Config, tasks: int, work: str, store: "Store", tell: Callable[[str], None], series: "Mapping[str, Series]"
) -> Workers:
    """Return workers; as `pipeline.launching.launch.Engine` says."""
    from pipeline.tracking.past import kill_crashed

    ray = connect(config)
    written = write_series(series)
    nodes = read_nodes(ray)
    size = choose_size(config, tasks, len(written), nodes)
    number = count_workers(size, config.workers, tasks, nodes)
    tell(f"launcher=ray: {number} worker(s) with {size.describe()} each on {len(nodes)} node(s), for {tasks} job(s)")
    shipped = ray.put(written)  # once to each node
    environment = settings_of_mlflow(store.uri)

    def start(place: int) -> RayWorker:
        return RayWorker(ray, size, (work, size.cores, environment, shipped), tell)

    return Workers(number, start, tell, lambda: kill_crashed(store))


class RayWorker:
    """A worker on a node, as the command sees it.

    Args:
        ray: The package, connected.
        size: What it needs.
        arguments: Of its `Relay`.
        tell: Shows what it says.
    """

    def __init__(self, ray: Any, size: Size, arguments: Sequence[Any], tell: Callable[[str], None]) -> None:
        options = {"num_cpus": size.cores, "memory": size.memory, "num_gpus": size.gpus, "max_concurrency": 8}
        self._ray, self._tell, self._size = ray, tell, size
        self._relay = ray.remote(Relay).options(**options).remote(*arguments)
        self._ready = self._relay.is_ready.remote()
        self._started: float | None = time.monotonic()
        self._lost = ""

    def is_ready(self) -> bool:
        """Return whether it has a place in the cluster; looks for a second."""
        ready, _ = self._ray.wait([self._ready], timeout=_SECONDS_TO_START)
        if not ready and self._started is not None and time.monotonic() - self._started > _SECONDS_UNTIL_TOLD:
            self._started = None
            self._tell(f"launcher=ray: a worker waits for {self._size.describe()} in the cluster")
        return bool(ready)

    def ask(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """Yield the answer to each task as it comes; too few if the worker, or its node, is lost."""
        try:
            self._ray.get(self._relay.ask.remote(list(tasks)))
            done = False
            while not done:
                for kind, what in self._ray.get(self._relay.take.remote()):
                    if kind == SAID:  # also after it is done
                        self._tell(what)
                    elif kind == ANSWERED:
                        yield what
                    done = done or kind == DONE
        except self._ray.exceptions.RayError as error:
            self._lost = f"was lost ({type(error).__name__})"

    def signal(self, number: int) -> None:
        """Send it a signal; one that is lost gets none."""
        with suppress(self._ray.exceptions.RayError):
            self._relay.signal.remote(number)

    def end(self) -> str:
        """Let it end, and say how it did."""
        how = self._lost
        if not how and self.is_ready():
            with suppress(self._ray.exceptions.RayError):
                how = self._ray.get(self._relay.end.remote(), timeout=_SECONDS_TO_END)
        self._ray.kill(self._relay)
        return how or "was lost"
