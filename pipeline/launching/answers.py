"""What a worker of a sweep does: it trains jobs, and says of each what became of it, as plain values.

In: `{"place": 0, "config": {...}}`, with `"again": true` where a worker has died of it; out: `{"place": 0, "kind": "",
"error": ""}`.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from pipeline.base.disk import explain_disk
from pipeline.base.errors import PipelineError, TrainingError, UserError
from pipeline.base.interrupt import check_interrupt
from pipeline.config.keys import label_run
from pipeline.config.schema import Config, DatasetConfig, flat_config, plain_config, typed_config
from pipeline.experiment.job import train_job
from pipeline.experiment.trainer import Trainer

if TYPE_CHECKING:
    from pipeline.data.series import Series

ATTEMPTS = 2  # of a job whose worker dies: memory that ran out may be there the second time
AGAIN = "again"
_KINDS: Mapping[str, type[PipelineError]] = {kind.__name__: kind for kind in (UserError, TrainingError)}

Loaded = MutableMapping[str, "Series"]  # what was read from file, by `name_dataset`
Work = Callable[[Sequence[Mapping[str, Any]]], Iterator[dict[str, Any]]]  # answers tasks, one after another


@contextmanager
def open_work(loaded: Loaded) -> Iterator[Work]:
    """Give what trains batches of jobs; compiled programs and what was read stay from batch to batch."""
    with Trainer() as trainer:
        yield lambda tasks: answer_jobs(tasks, trainer, loaded)


def write_job(place: int, job: Config) -> dict[str, Any]:
    """Return a job as a worker gets it."""
    return {"place": place, "config": plain_config(job)}


def answer_jobs(tasks: Sequence[Mapping[str, Any]], trainer: Trainer, loaded: Loaded) -> Iterator[dict[str, Any]]:
    """Train a batch of jobs; yield the answer to each as it ends.

    Args:
        tasks: The jobs, as `write_job` gives them.
        trainer: Keeps compiled programs from batch to batch.
        loaded: Is added to.
    """
    jobs = [(task["place"], read_job(task)) for task in tasks]
    trainer.expect([job for _, job in jobs])
    for place, job in jobs:
        check_interrupt()
        try:
            train_job(job, load_once(job.dataset, loaded), trainer)
        except PipelineError as error:  # train_job has said why
            yield write_error(place, error)
        else:
            yield {"place": place, "kind": "", "error": ""}


def read_job(task: Mapping[str, Any]) -> Config:
    """Return the configuration of a task; a worker may have died after its run was finished: then it is read back."""
    job = typed_config(OmegaConf.create(task["config"]))
    return replace(job, resume=True) if task.get(AGAIN) else job


def write_error(place: int, error: PipelineError) -> dict[str, Any]:
    """Return the answer to a task that failed."""
    return {"place": place, "kind": type(error).__name__, "error": explain_disk(error) or str(error)}


def write_failure(task: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Return the answer to a task that no worker answers any more."""
    return write_error(task["place"], TrainingError(reason))


def label_job(job: Config) -> str:
    """Name a job for people, by the keys in which the jobs of its sweep differ."""
    return label_run(flat_config(job), job.tracking.sweep_keys)


def read_error(answer: Mapping[str, Any]) -> PipelineError | None:
    """Return the error of an answer; None if the task was done."""
    return _KINDS.get(answer["kind"], TrainingError)(answer["error"]) if answer["kind"] else None


def name_dataset(dataset: DatasetConfig) -> str:
    """Name what is read for a dataset."""
    return repr(dataset)


def load_once(dataset: DatasetConfig, loaded: Loaded) -> "Series":
    """Read each file once."""
    from pipeline.data.sources import load_series

    key = name_dataset(dataset)
    if key not in loaded:
        loaded[key] = load_series(dataset)
    return loaded[key]
