"""What a person sees when the training of a command is over: tables, verdicts, failures, and the way to the files."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, TextIO

from pipeline.base.record import LoggedRun, Status
from pipeline.base.salvage import Salvage
from pipeline.base.terminal import say
from pipeline.config.keys import LABELS, label_run, varying_keys

if TYPE_CHECKING:
    from pipeline.tracking.store import Store


def print_summary(runs: Sequence[LoggedRun], store: "Store", file: TextIO | None = None) -> None:
    """Print a table and a verdict for each group of comparable runs, what failed, and how to see more.

    Args:
        runs: Any runs, for example those of a sweep.
        store: Where they are recorded.
        file: Where it is printed; None: stdout.
    """
    from pipeline.comparison.groups import group_by_truth
    from pipeline.comparison.runs import compare_runs
    from pipeline.report.terminal.console import PlainConsole
    from pipeline.report.terminal.table import print_table

    console = PlainConsole(file=file)
    finished = [run for run in runs if run.record.status is Status.finished]
    unfinished = [run.record for run in runs if run.record.status is not Status.finished]
    groups = group_by_truth(store, finished) or [[]]
    for group in groups:
        print_table([run.record for run in group] + (unfinished if len(groups) == 1 else []), console)
        if not group:
            console.print("No run finished, so there is nothing to compare.")
            continue
        salvage = Salvage(say)
        with salvage.attempt("the verdict"):
            console.print(" ".join(compare_runs(store, group).verdict), soft_wrap=True)
    keys = varying_keys([run.record.params for run in runs], LABELS)
    for record in unfinished:
        console.print(f"{record.status.value}: {label_run(record.params, keys)}: {record.reason}", soft_wrap=True)
    console.print(f"Every run with its files: {_way_to(store)}", soft_wrap=True)


def _way_to(store: "Store") -> str:
    if store.uri.startswith(("http://", "https://")):
        return f"open {store.shown}"
    default = store.uri == f"sqlite:///{Path.cwd() / 'mlflow.db'}"
    ui = "mlflow ui" if default else f"mlflow ui --backend-store-uri {quote(store.shown)}"
    return f"{ui}   (in a clone: make ui)"
