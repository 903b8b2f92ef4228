"""Train one configuration, or every configuration of a sweep: `python -m pipeline.run -m look_back=1,3,6`."""

import logging
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

from pipeline.base.environment import prepare_environment, quick_imports
from pipeline.base.errors import TrainingError, UserError
from pipeline.base.interrupt import check_interrupt, listen_for_interrupts
from pipeline.base.paths import conf_dir
from pipeline.base.record import RunRecord
from pipeline.base.terminal import prepare_terminal, say
from pipeline.command.exits import DONE, FAILED, REPEAT, leave, run_to_exit
from pipeline.command.summary import print_summary
from pipeline.config.schema import Config, Launcher, typed_config
from pipeline.experiment.composing import read_once
from pipeline.experiment.job import train_job
from pipeline.experiment.jobs import Plan, explained, plan_jobs, planned
from pipeline.experiment.sweep import log_kept, log_report, open_store_to_train, open_sweep
from pipeline.experiment.trainer import TrainsJobs
from pipeline.launching.ahead import begin_ahead, make_trainer
from pipeline.launching.launch import find_launcher, launch

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

log = logging.getLogger(__name__)

_FULL_ERROR = "HYDRA_FULL_ERROR"


def main() -> None:
    """Run the command line and exit with 0 (done), 1 (a run failed), 2 (wrong input) or 130 (Ctrl-C; 143: SIGTERM)."""
    prepare_environment()
    prepare_terminal(unread=True)
    listen_for_interrupts()
    logging.raiseExceptions = False  # where the disk is full the job's log file loses a line, and the screen no page
    leave(run_to_exit(lambda: _run_command(sys.argv[1:]), REPEAT))


def run_job(config: DictConfig) -> float:
    """Run one job for Hydra, in this or in a worker process.

    Args:
        config: What Hydra composed.

    Returns:
        The objective of optimizing sweepers: the mean validation RMSE over seeds, of several targets the RMSSE. Never
        the test score.
    """
    return _train_job(config).score("validation")


def _train_job(config: DictConfig, trainer: TrainsJobs | None = None, plan: Plan | None = None) -> RunRecord:
    prepare_terminal(unread=True)  # a worker of a launcher has its own streams
    job = typed_config(config)
    return train_job(job, None if plan is None else plan.series_of(job), trainer)


def _run_command(command: Sequence[str]) -> int:
    ConfigStore.instance().store(name="base_config", node=Config)  # here an interrupt is told as any other
    os.environ[_FULL_ERROR] = "1"  # Hydra then raises instead of printing, and every error is told in one place
    arguments = get_args_parser().parse_intermixed_args(command)  # flags may stand before, between or after keys
    if arguments.help or arguments.hydra_help or arguments.cfg or arguments.info or arguments.shell_completion:
        sys.argv[1:] = _with_absolute_folders(command, arguments)
        with explained():
            _hydra_main(run_job)()
        return DONE
    with read_once(), begin_ahead(arguments) as begun:
        plan = plan_jobs(arguments, tell=say)
        if not plan.is_sweep:
            return _run_once(_open_store(plan), arguments, plan)
        with make_trainer(plan, begun) as trainer:  # it may begin while the store is opened
            return _run_sweep(_open_store(plan), command, arguments, plan, trainer)


def _open_store(plan: Plan) -> "Store":
    with quick_imports():  # what the first job needs, while its training waits for TensorFlow
        import scoringrules  # noqa: F401

        import pipeline.experiment.run  # noqa: F401

        return open_store_to_train(plan.jobs[0].tracking)


def _run_once(store: "Store", arguments: Namespace, plan: Plan) -> int:
    records: list[RunRecord] = []

    def job(config: DictConfig) -> None:
        with suppress(TrainingError):  # train_job has said why
            records.append(_train_job(config, plan=plan))

    sys.argv[1:] = _hydra_arguments(arguments)
    _hydra_main(job)()
    if not records:
        return FAILED
    from pipeline.tracking.past import named_runs

    if (kept := log_kept(store)) is not None:
        raise TrainingError(kept)
    (logged,) = named_runs(store, [records[0].run_id])
    print_summary([replace(logged, record=records[0])], store)
    return DONE


def _run_sweep(store: "Store", command: Sequence[str], arguments: Namespace, plan: Plan, trainer: TrainsJobs) -> int:
    from pipeline.tracking.past import sweep_runs

    launcher, sweep, kept = find_launcher(plan), None, None
    try:
        with open_sweep(store, command, arguments.overrides) as sweep:
            check_interrupt()
            if launcher is Launcher.local:
                _run_in_turn(arguments, plan, sweep.parent, trainer)
            else:
                launch(plan, sweep.parent, store)
    finally:
        if sweep is not None:
            kept = log_kept(store)
            if kept is None:
                print_summary(sweep_runs(store, sweep.parent, say), store)
            else:
                say(f"error: {kept}")
    if kept is not None:
        return FAILED
    check_interrupt()
    log_report(store, sweep.parent)
    check_interrupt()
    if isinstance(sweep.failure, UserError):
        raise sweep.failure
    return DONE if sweep.failure is None else FAILED


def _run_in_turn(arguments: Namespace, plan: Plan, parent: str, trainer: TrainsJobs) -> None:
    """Let Hydra run the jobs, or whatever launcher of its own it was given."""
    keys = ",".join(plan.differing_keys())
    sys.argv[1:] = _hydra_arguments(arguments, [f"tracking.parent_run_id={parent}", f"tracking.sweep_keys=[{keys}]"])
    checked = planned() if plan.in_turn else nullcontext()  # another sweeper chooses jobs that no plan knows
    with checked:
        _hydra_main((lambda job: _train_job(job, trainer, plan).score("validation")) if plan.in_turn else run_job)()


def _hydra_main(job: Callable[[DictConfig], object]) -> Callable[[], None]:
    decorate = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
    start: Callable[[], None] = decorate(job)
    return start


def _with_absolute_folders(command: Sequence[str], arguments: Namespace) -> list[str]:
    """Hydra looks for a relative folder beside this file; people mean the working directory."""
    absolute = list(command)
    for folder in filter(None, (arguments.config_path, arguments.config_dir)):
        resolved = str(Path(folder).resolve())
        absolute = [resolved if word == folder else word.replace(f"={folder}", f"={resolved}") for word in absolute]
    return absolute


def _hydra_arguments(arguments: Namespace, extra: Sequence[str] = ()) -> list[str]:
    """Return a command line for Hydra: all overrides in one block, folders absolute, as Hydra wants them."""
    flags = ["--multirun"] if arguments.multirun else []
    for flag, folder in (("--config-path", arguments.config_path), ("--config-dir", arguments.config_dir)):
        flags += [flag, str(Path(folder).resolve())] if folder else []
    flags += ["--config-name", arguments.config_name] if arguments.config_name else []
    return [*arguments.overrides, *extra, *flags]
