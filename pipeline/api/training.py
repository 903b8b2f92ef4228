"""Train one configuration, or every configuration of a sweep, in this process."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.api.records import Run, Runs
from pipeline.api.settings import compose, name_table, plan_settings
from pipeline.base.errors import PipelineError, TrainingError, UserError
from pipeline.base.interrupt import check_interrupt, interruptible
from pipeline.base.terminal import say
from pipeline.config.schema import Config, Launcher
from pipeline.experiment.job import train_job
from pipeline.experiment.jobs import Plan
from pipeline.experiment.sweep import Sweep, log_kept, log_report, open_store_to_train, open_sweep
from pipeline.experiment.trainer import Trainer
from pipeline.launching.launch import find_launcher, launch

if TYPE_CHECKING:
    import pandas as pd


def train(*settings: str | Config, data: "pd.DataFrame | None" = None) -> Run:
    """Train one configuration with all its seeds, and log it as `python -m pipeline.run` does.

    Args:
        settings: As on the command line, for example `"look_back=3", "stateful=true"`; or one configuration that
            `compose` gave.
        data: A table to train on instead of a configured dataset.

    Returns:
        The finished run.

    Raises:
        UserError: If configuration and data do not go together.
        TrainingError: If the run failed; in MLflow it is FAILED.
    """
    config = _one_config(settings, data)
    from pipeline.data.sources import load_series

    series = load_series(config.dataset, data=data)
    store = open_store_to_train(config.tracking)
    with interruptible():
        record = train_job(config, series)
    if (kept := log_kept(store)) is not None:
        raise TrainingError(kept)
    return Run(record, store, data)


def sweep(*settings: str, data: "pd.DataFrame | None" = None) -> Runs:
    """Train every combination of settings, and log runs and report as `python -m pipeline.run -m` does.

    A job that fails does not end the sweep: its row in the table says so.

    Args:
        settings: As on the command line, several values with commas: `"look_back=1,3,6", "stateful=true,false"`; or a
            preset that sweeps.
        data: A table to train on instead of a configured dataset.

    Raises:
        UserError: Before anything is trained, if a configuration is wrong or does not go with the data.

    Example:
        >>> runs = sweep("look_back=1,3,6", "stateful=true,false", data=frame)  # doctest: +SKIP
        >>> runs.table()  # doctest: +SKIP
    """
    plan = plan_settings(settings, data, multirun=True)
    launcher = find_launcher(plan)
    store = open_store_to_train(plan.jobs[0].tracking)
    overrides = name_table(settings, data)
    with interruptible(), open_sweep(store, ["-m", *overrides], overrides) as going:
        if launcher is Launcher.local:
            _train_in_turn(plan, going)
        else:
            launch(plan, going.parent, store)
    if (kept := log_kept(store)) is not None:
        raise TrainingError(kept)
    log_report(store, going.parent)
    if isinstance(going.failure, UserError):
        raise going.failure
    from pipeline.tracking.past import sweep_runs

    return Runs(sweep_runs(store, going.parent, say), store, f"sweep={going.parent}", data)


def _train_in_turn(plan: Plan, going: Sweep) -> None:
    with Trainer(plan.jobs) as trainer:
        for job in plan.jobs:
            check_interrupt()
            tracking = replace(job.tracking, parent_run_id=going.parent, sweep_keys=plan.differing_keys())
            try:
                train_job(replace(job, tracking=tracking), plan.series_of(job), trainer)
            except PipelineError as error:  # train_job has said why
                going.failure = going.failure or error


def _one_config(settings: Sequence[str | Config], data: "pd.DataFrame | None") -> Config:
    texts = [each for each in settings if isinstance(each, str)]
    if len(texts) == len(settings):
        return compose(*texts, data=data)
    if len(settings) > 1:
        raise UserError('train takes one configuration, or settings such as "look_back=3", not both')
    (config,) = settings
    if not isinstance(config, Config):
        raise UserError(f"train takes a configuration or settings, but got {type(config).__name__}")
    return config
