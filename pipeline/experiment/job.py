"""One job of a command or of a notebook: train its configuration, and say what became of it."""

import logging
from typing import TYPE_CHECKING

from pipeline.base.disk import explain_disk
from pipeline.base.errors import PipelineError, TrainingError
from pipeline.base.record import RunRecord
from pipeline.base.terminal import say
from pipeline.base.text import show_number
from pipeline.config.keys import label_run
from pipeline.config.schema import Config, flat_config

if TYPE_CHECKING:
    from pipeline.data.series import Series
    from pipeline.experiment.trainer import TrainsJobs

log = logging.getLogger(__name__)


def train_job(config: Config, series: "Series | None" = None, trainer: "TrainsJobs | None" = None) -> RunRecord:
    """Train one configuration and say on stderr what became of it.

    Args:
        config: The typed configuration.
        series: What the configuration names, already loaded; None: it is loaded.
        trainer: Trains the jobs of the same sweep; None: this one is trained alone.

    Returns:
        The record of the finished run.

    Raises:
        PipelineError: If it did not finish; the reason has been shown.
    """
    label = label_run(flat_config(config), config.tracking.sweep_keys)
    from pipeline.experiment.run import run_experiment

    say(f"{label}: {config.seeds} x at most {config.training.epochs} epochs, engine {config.training.engine.value}")
    try:
        record = run_experiment(config, label, say, series, trainer)
    except PipelineError as error:
        log.error("%s: FAILED: %s", label, error)
        raise
    except Exception as error:
        if (reason := explain_disk(error) or _explain_store(error)) is not None:
            log.error("%s: FAILED: %s", label, reason)
            raise TrainingError(reason) from error
        log.exception("%s: FAILED", label)  # Hydra keeps only the first failure, and workers lose their traceback
        raise TrainingError(f"{type(error).__name__}: {error}") from error
    if record.resumed:
        say(f"{label}: already trained, read back from run {record.run_id}")
    else:
        judged = f"{record.judged} {show_number(record.score('validation'))}"
        say(f"{label}: {judged} in {record.metrics['fit_seconds']:.1f} s")
    return record


def _explain_store(error: Exception) -> str | None:
    """Say that the store did not answer, as for an earlier run that is asked for; an OSError may be about the data."""
    from pipeline.tracking.outage import explain_outage

    return None if isinstance(error, OSError) else explain_outage(error)
