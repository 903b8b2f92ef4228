"""Which jobs one worker trains: those that one program trains side by side stay together, as far as all have work."""

from collections.abc import Sequence

from pipeline.config.schema import Config
from pipeline.training.hyperparameters import without_hyperparameters


def cut_batches(jobs: Sequence[Config], workers: int) -> list[list[int]]:
    """Return the places of the jobs in batches, in the order in which they are begun.

    Args:
        jobs: Of a sweep.
        workers: Processes that share them.
    """
    alike: dict[str, list[int]] = {}
    for place, job in enumerate(jobs):
        alike.setdefault(repr(without_hyperparameters(job)), []).append(place)
    most = -(-len(jobs) // workers)  # a larger one would leave workers idle
    return sorted(places[first : first + most] for places in alike.values() for first in range(0, len(places), most))
