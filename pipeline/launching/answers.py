"""What a worker says about each job that it was given, as plain values that travel as JSON; no worker is asked how."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from pipeline.base.errors import PipelineError, TrainingError, UserError
from pipeline.base.interrupt import check_interrupt
from pipeline.config.keys import label_run
from pipeline.config.schema import Config, flat_config, plain_config, typed_config
from pipeline.experiment.job import train_job
from pipeline.experiment.trainer import Trainer

if TYPE_CHECKING:
    from pipeline.data.series import Series

ATTEMPTS = 2  # of a job whose worker dies: memory that ran out may be there the second time
_KINDS: Mapping[str, type[PipelineError]] = {kind.__name__: kind for kind in (UserError, TrainingError)}


def write_job(place: int, job: Config) -> dict[str, Any]:
    """Return a job as a worker gets it: `{"place": 0, "config": {...}}`."""
    return {"place": place, "config": plain_config(job)}


def answer_jobs(
    written: Sequence[Mapping[str, Any]], trainer: Trainer, loaded: "dict[str, Series]"
) -> Iterator[dict[str, Any]]:
    """Train a batch of jobs; yield `{"place": 0, "kind": "", "error": ""}` for each as it ends.

    Args:
        written: The jobs, as `write_job` gives them.
        trainer: Keeps compiled programs from batch to batch.
        loaded: Keeps what was read from file, from batch to batch; is added to.
    """
    jobs = [(each["place"], typed_config(OmegaConf.create(each["config"]))) for each in written]
    trainer.expect([job for _, job in jobs])
    for place, job in jobs:
        check_interrupt()
        kind = error = ""
        try:
            train_job(job, _load(job, loaded), trainer)
        except PipelineError as failure:  # train_job has said why
            kind, error = type(failure).__name__, str(failure)
        yield {"place": place, "kind": kind, "error": error}


def label_job(job: Config) -> str:
    """Name a job for people, by the keys in which the jobs of its sweep differ."""
    return label_run(flat_config(job), job.tracking.sweep_keys)


def read_error(answer: Mapping[str, Any]) -> PipelineError | None:
    """Return the error of an answer; None if the run was finished."""
    return _KINDS.get(answer["kind"], TrainingError)(answer["error"]) if answer["kind"] else None


def _load(job: Config, loaded: "dict[str, Series]") -> "Series":
    """Read each file once."""
    from pipeline.data.sources import load_series

    key = repr(job.dataset)
    if key not in loaded:
        loaded[key] = load_series(job.dataset)
    return loaded[key]
