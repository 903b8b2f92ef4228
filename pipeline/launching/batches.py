"""Which jobs one worker trains: those that one program trains side by side stay together, as far as all have work."""

from collections.abc import Callable, Sequence

from pipeline.base.errors import PipelineError
from pipeline.config.schema import Config
from pipeline.launching import answers
from pipeline.launching.answers import read_error, write_job
from pipeline.launching.workers import Workers
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


def train_in_batches(jobs: Sequence[Config], open_workers: Callable[[str], Workers]) -> list[PipelineError]:
    """Train every job of a sweep; return the errors of those that failed, in the order of the jobs.

    Args:
        jobs: Each is idempotent.
        open_workers: Given the module that says what they do.

    Raises:
        KeyboardInterrupt: If a signal came; the workers have got it, too, and have ended.
    """
    with open_workers(answers.__name__) as workers:
        batches = [[write_job(place, jobs[place]) for place in batch] for batch in cut_batches(jobs, workers.number)]
        found = {answer["place"]: read_error(answer) for answer in workers.ask(batches)}
    return [error for place in sorted(found) if (error := found[place]) is not None]
