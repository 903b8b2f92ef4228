"""Train one configuration, or every configuration of a sweep: `python -m pipeline.run -m look_back=1,3,6`."""

import logging
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig

from pipeline.base.disk import explain_disk
from pipeline.base.environment import prepare_environment
from pipeline.base.errors import PipelineError, TrainingError, UserError
from pipeline.base.interrupt import check_interrupt, listen_for_interrupts
from pipeline.base.paths import conf_dir
from pipeline.base.record import LoggedRun, RunRecord, Status
from pipeline.base.salvage import Salvage
from pipeline.base.terminal import prepare_terminal
from pipeline.base.text import show_number
from pipeline.command.exits import DONE, FAILED, leave, run_to_exit
from pipeline.config.keys import LABELS, label_run, varying_keys
from pipeline.config.schema import Config, flat_config, typed_config
from pipeline.experiment.jobs import explained, plan_jobs

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

log = logging.getLogger(__name__)

_FULL_ERROR = "HYDRA_FULL_ERROR"
_REPEAT = "repeat the command with resume=true to train only what is missing"


def main() -> None:
    """Run the command line and exit with 0 (done), 1 (a run failed), 2 (wrong input) or 130 (Ctrl-C; 143: SIGTERM)."""
    prepare_environment()
    prepare_terminal(unread=True)
    listen_for_interrupts()
    logging.raiseExceptions = False  # where the disk is full the job's log file loses a line, and the screen no page
    ConfigStore.instance().store(name="base_config", node=Config)
    leave(run_to_exit(lambda: _run_command(sys.argv[1:]), _REPEAT))


def run_job(config: DictConfig) -> float:
    """Run one job for Hydra, in this or in a worker process.

    Args:
        config: What Hydra composed.

    Returns:
        The objective of optimizing sweepers: the mean validation RMSE over seeds, of several targets the RMSSE. Never
        the test score.
    """
    return train_job(config).score("validation")


def train_job(config: DictConfig) -> RunRecord:
    """Run one job and say what became of it.

    Args:
        config: What Hydra composed.

    Returns:
        The record of the finished run.

    Raises:
        PipelineError: If it did not finish; the reason has been shown.
    """
    prepare_terminal(unread=True)  # a worker of a launcher has its own streams
    typed = typed_config(config)
    label = _label(typed)
    from pipeline.experiment.run import run_experiment

    _say(f"{label}: {typed.seeds} x at most {typed.training.epochs} epochs, engine {typed.training.engine.value}")
    try:
        record = run_experiment(typed, label, tell=_say)
    except PipelineError as error:
        log.error("%s: FAILED: %s", label, error)
        raise
    except Exception as error:
        if (disk := explain_disk(error)) is not None:
            log.error("%s: FAILED: %s", label, disk)
            raise TrainingError(disk) from error
        log.exception("%s: FAILED", label)  # Hydra keeps only the first failure, and workers lose their traceback
        raise TrainingError(f"{type(error).__name__}: {error}") from error
    if record.resumed:
        _say(f"{label}: already trained, read back from run {record.run_id}")
    else:
        _say(
            f"{label}: validation {record.measure.upper()} {show_number(record.score('validation'))} in "
            f"{record.metrics['fit_seconds']:.1f} s"
        )
    return record


def _run_command(command: Sequence[str]) -> int:
    os.environ[_FULL_ERROR] = "1"  # Hydra then raises instead of printing, and every error is told in one place
    arguments = get_args_parser().parse_intermixed_args(command)  # flags may stand before, between or after keys
    if arguments.help or arguments.hydra_help or arguments.cfg or arguments.info or arguments.shell_completion:
        sys.argv[1:] = _with_absolute_folders(command, arguments)
        with explained():
            _hydra_main(run_job)()
        return DONE
    plan = plan_jobs(arguments, tell=_say)
    from pipeline.tracking.past import kill_crashed
    from pipeline.tracking.store import open_store

    store = open_store(plan.jobs[0].tracking)
    if crashed := kill_crashed(store):
        _say(f"{crashed} run(s) that a crash left open are now marked KILLED")
    if plan.is_sweep:
        return _run_sweep(store, command, arguments, plan.differing_keys())
    return _run_once(store, arguments)


def _run_once(store: "Store", arguments: Namespace) -> int:
    records: list[RunRecord] = []

    def job(config: DictConfig) -> None:
        with suppress(TrainingError):  # train_job has said why
            records.append(train_job(config))

    sys.argv[1:] = _hydra_arguments(arguments)
    _hydra_main(job)()
    if not records:
        return FAILED
    from pipeline.tracking.past import named_runs

    (logged,) = named_runs(store, [records[0].run_id])
    _summarize([replace(logged, record=records[0])], store)
    return DONE


def _run_sweep(store: "Store", command: Sequence[str], arguments: Namespace, keys: Sequence[str]) -> int:
    from pipeline.tracking.live import close_parent, open_parent
    from pipeline.tracking.past import sweep_runs

    parent = open_parent(store, name=" ".join(["sweep", *arguments.overrides]), command=command)
    ending, failure = "FAILED", None
    try:
        told = [f"tracking.parent_run_id={parent}", f"tracking.sweep_keys=[{','.join(keys)}]"]
        sys.argv[1:] = _hydra_arguments(arguments, told)
        check_interrupt()
        _hydra_main(run_job)()
        ending = "FINISHED"
    except KeyboardInterrupt:
        ending = "KILLED"
        raise
    except PipelineError as error:  # of the first job that failed; the summary lists every one
        failure = error
    finally:
        try:
            close_parent(store, parent, ending)
        except Exception as error:  # must not hide what ended the sweep
            _say(f"the sweep stays open in MLflow, the next training will close it: {explain_disk(error) or error}")
        _summarize(sweep_runs(store, parent, _say), store)
    _report(store, parent)
    if isinstance(failure, UserError):
        raise failure
    return DONE if failure is None else FAILED


def _report(store: "Store", parent: str) -> None:
    """Log the report of a sweep on its parent run; whatever goes wrong here, the runs are safe."""
    salvage = Salvage(_say)
    with salvage.attempt("the report of the sweep"):
        from pipeline.experiment.sweep_report import FOLDER, report_sweep

        report_sweep(store, parent, salvage)
        _say(f"report: {FOLDER}/report.html of run {parent} in MLflow")
    if salvage.lost:
        from pipeline.tracking.live import note_incomplete

        note_incomplete(store, parent, salvage.lost)


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


def _label(config: Config) -> str:
    """Name a run by what sets it apart in its sweep, otherwise by the keys that matter most."""
    return label_run(flat_config(config), config.tracking.sweep_keys)


def _summarize(runs: Sequence[LoggedRun], store: "Store") -> None:
    """Print a table and a verdict for each group of comparable runs, what failed, and how to see more."""
    from pipeline.comparison.groups import group_by_truth
    from pipeline.comparison.runs import compare_runs
    from pipeline.report.terminal.console import PlainConsole
    from pipeline.report.terminal.table import print_table

    console = PlainConsole()
    finished = [run for run in runs if run.record.status is Status.finished]
    unfinished = [run.record for run in runs if run.record.status is not Status.finished]
    groups = group_by_truth(store, finished) or [[]]
    for group in groups:
        print_table([run.record for run in group] + (unfinished if len(groups) == 1 else []), console)
        if not group:
            console.print("No run finished, so there is nothing to compare.")
            continue
        salvage = Salvage(_say)
        with salvage.attempt("the verdict"):
            console.print(" ".join(compare_runs(store, group).verdict), soft_wrap=True)
    keys = varying_keys([run.record.params for run in runs], LABELS)
    for record in unfinished:
        console.print(f"{record.status.value}: {label_run(record.params, keys)}: {record.reason}", soft_wrap=True)
    console.print(f"Every run with its files: {_way_to(store)}", soft_wrap=True)


def _way_to(store: "Store") -> str:
    if store.uri.startswith(("http://", "https://")):
        return f"open {store.uri}"
    default = store.uri == f"sqlite:///{Path.cwd() / 'mlflow.db'}"
    ui = "mlflow ui" if default else f"mlflow ui --backend-store-uri {quote(store.uri)}"
    return f"{ui}   (in a clone: make ui)"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
