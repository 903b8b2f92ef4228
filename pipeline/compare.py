"""Compare runs that are in MLflow: `python -m pipeline.compare sweep=latest by=[look_back,stateful]`."""

import gc
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pipeline.arguments import DONE, Manual, option, run_entry
from pipeline.config import TrackingConfig
from pipeline.environment import prepare_environment
from pipeline.errors import UserError


class Format(Enum):
    """How the answer is written."""

    table = "table"
    csv = "csv"
    json = "json"
    html = "html"


_MOST_INDENTED = 100  # configurations; JSON of more is for programs, and Python indents slowly
_DEFAULTS = TrackingConfig()


@dataclass(frozen=True)
class Arguments:
    """The keys of the command line."""

    sweep: str = option(
        "latest", "The runs of a sweep: the newest one, or the one with this run id.", shown="latest|ID"
    )
    experiment: str | None = option(
        None, "All finished runs of an MLflow experiment, instead of a sweep.", shown="NAME"
    )
    runs: tuple[str, ...] = option((), "These runs, instead of a sweep.", shown="[ID,ID,...]")
    where: tuple[str, ...] = option(
        (), "Of the runs, only those with these values; dataset_sha256=START works as well.", shown="[KEY=VALUE,...]"
    )
    by: tuple[str, ...] = option(
        (),
        "One row for each combination of these keys; what they leave out is averaged over. Default: every key in which "
        "the runs differ.",
        shown="[KEY,KEY,...]",
    )
    format: Format = option(Format.table, "How the answer is written.")
    output: Path | None = option(None, "A file for the answer. Default: the screen.")
    uri: str | None = option(
        None,
        "The MLflow store; MLFLOW_TRACKING_URI wins. Default: mlflow.db in the clone, else in the working directory.",
        name="tracking.uri",
        shown="URI",
    )
    experiment_name: str = option(
        _DEFAULTS.experiment_name,
        "The MLflow experiment in which sweep=latest looks.",
        name="tracking.experiment_name",
        shown="NAME",
    )


MANUAL = Manual(
    command="python -m pipeline.compare",
    purpose="Says what the runs of a sweep, an experiment or a list support: mean, spread and 95 % interval over "
    "seeds, paired tests on identical timestamps, the main effect of every swept key, and a verdict. Trains nothing.",
    examples=[
        ("", "the newest sweep"),
        ("by=[look_back]", "one row per look_back, averaged over the rest"),
        ("format=json output=comparison.json", "for a script"),
        ("format=html output=comparison.html", "one page for the browser, nothing is loaded from elsewhere"),
        ("experiment=lstm-pipeline where=[dataset.name=airline,horizon=1]", "everything comparable so far"),
        ("runs=[0123abcd...,4567ef01...]", "these runs; `mlflow ui` shows the ids"),
    ],
    notes=[
        "Runs that differ only in seed count as one configuration with all those seeds. Runs scored on different "
        "timestamps or data are refused: where=[...] chooses.",
        "How to read it: the best configuration is chosen by validation RMSE, never by the test. Every other one is "
        "compared with it, every level of an axis with the level before it, and it with the baselines. p comes from "
        "the Diebold-Mariano test with the correction of Harvey, Leybourne and Newbold, then Holm's correction for all "
        "comparisons together. 'evidence' needs p < 0.05 there and in a t test over the seeds.",
        "Exit codes: 0 done, 2 wrong input (one line says what to change).",
    ],
)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    gc.disable()  # a short process that reads many small objects: looking for garbage would take a third of its time
    prepare_environment()
    return run_entry(sys.argv[1:] if words is None else words, Arguments, MANUAL, _compare)


def _compare(arguments: Arguments) -> int:
    _check_selection(arguments)
    if arguments.output is not None and not arguments.output.absolute().parent.is_dir():
        raise UserError(
            f"output={arguments.output}: the folder {arguments.output.parent} is not there; create it first"
        )
    document = _read_document(arguments)
    if arguments.output is None:
        _write(document, arguments.format, None)
    else:
        _write(document, arguments.format, arguments.output)
        print(f"written to {arguments.output}", file=sys.stderr)
    return DONE


def _check_selection(arguments: Arguments) -> None:
    chosen = [f"experiment={arguments.experiment}"] if arguments.experiment is not None else []
    chosen += ["runs=[...]"] if arguments.runs else []
    chosen += [f"sweep={arguments.sweep}"] if arguments.sweep != Arguments.sweep else []
    if len(chosen) > 1:
        raise UserError(f"{' and '.join(chosen)} are given; choose one of sweep, experiment and runs")


def _read_document(arguments: Arguments) -> dict[str, Any]:
    from pipeline.comparison import compare_runs, keep_where
    from pipeline.tracking.past import LATEST, experiment_runs, find_sweep, named_runs, sweep_runs
    from pipeline.tracking.store import find_store

    tracking = TrackingConfig(uri=arguments.uri)
    if arguments.runs:
        store = find_store(tracking, None)
        runs, selection = named_runs(store, arguments.runs), f"runs=[{','.join(arguments.runs)}]"
    elif arguments.experiment is not None:
        store = find_store(tracking, arguments.experiment)
        runs, selection = experiment_runs(store), f"experiment={arguments.experiment}"
    else:
        store = find_store(tracking, arguments.experiment_name if arguments.sweep == LATEST else None)
        sweep = find_sweep(store, arguments.sweep)
        runs, selection = sweep_runs(store, sweep.run_id), f"sweep={sweep.run_id} ({sweep.name})"
    gc.freeze()  # statsmodels looks for garbage once more
    kept = keep_where(runs, arguments.where)
    return compare_runs(store, kept, arguments.by, selection)


def _write(document: dict[str, Any], form: Format, path: Path | None) -> None:
    from pipeline.report.comparison_text import print_comparison, write_csv
    from pipeline.report.html import write_comparison_page

    if form is Format.table:
        from rich.console import Console

        if path is None:
            print_comparison(document, Console(highlight=False))
        else:
            with path.open("w") as file:
                print_comparison(document, Console(file=file, highlight=False, width=110))
        return
    if form is Format.csv:
        text = write_csv(document)
    elif form is Format.html:
        text = write_comparison_page(document)
    else:
        indent = 2 if len(document["configurations"]) <= _MOST_INDENTED else None
        text = json.dumps(document, indent=indent, allow_nan=False, ensure_ascii=False) + "\n"
    if path is None:
        sys.stdout.write(text)
    else:
        path.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
