"""Compare runs that are in MLflow: `python -m pipeline.compare sweep=latest by=[look_back,stateful]`."""

import gc
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from pipeline.base.environment import prepare_environment
from pipeline.base.terminal import say
from pipeline.command.arguments import Manual, option, run_entry, write_answer
from pipeline.command.champion import CHAMPION, compare_champion
from pipeline.command.exits import DONE
from pipeline.command.protocol import PROTOCOL, compare_protocols
from pipeline.command.published import PUBLISHED, compare_published
from pipeline.command.selection import Selection, check_selection, select_runs

if TYPE_CHECKING:
    from pipeline.base.document import Document


class Format(Enum):
    """How the answer is written."""

    table = "table"
    csv = "csv"
    json = "json"
    html = "html"


_FILE_WIDTH = 110  # columns of a table in a file


@dataclass(frozen=True)
class Arguments(Selection):
    """The keys of the command line."""

    by: tuple[str, ...] = option(
        (),
        "One row for each combination of these keys; what they leave out is averaged over. Default: every key in which "
        "the runs differ.",
        shown="[KEY,KEY,...]",
    )
    format: Format = option(Format.table, "How the answer is written.")


MANUAL = Manual(
    command="python -m pipeline.compare",
    purpose="Says what the runs of a sweep, an experiment or a list support: mean, spread and 95 % interval over "
    "seeds, paired tests on identical timestamps, the main effect of every swept key, and a verdict. Trains nothing.",
    examples=[
        ("", "the newest sweep"),
        ("by=[look_back]", "one row per look_back, averaged over the rest"),
        ("format=json output=comparison.json", "for a script"),
        ("format=html output=comparison.html", "one page for the browser, nothing is loaded from elsewhere"),
        ("champion", "a run against the champion on rows that arrived since; `champion --help` says more"),
        ("protocol", "how much of each score is protocol; `protocol --help` says more"),
        ("published", "losses that others report for a text beside ours; `published --help` says more"),
        ("experiment=lstm-pipeline where=[dataset.name=airline,horizon=1]", "everything comparable so far"),
        ("runs=[0123abcd...,4567ef01...]", "these runs; `mlflow ui` shows the ids"),
    ],
    notes=[
        "Runs that differ only in seed count as one configuration with all those seeds. Runs scored on different "
        "timestamps or data are refused: where=[...] chooses. A run whose files are damaged is left out with a word, "
        "and refused in runs=[...].",
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
    words = sys.argv[1:] if words is None else words
    if words and words[0] == PROTOCOL:
        return compare_protocols(words[1:])
    if words and words[0] == CHAMPION:
        return compare_champion(words[1:])
    if words and words[0] == PUBLISHED:
        return compare_published(words[1:])
    return run_entry(words, Arguments, MANUAL, _compare)


def _compare(arguments: Arguments) -> int:
    check_selection(arguments)
    write_answer(_format(_read_document(arguments), arguments.format, arguments.output is None), arguments.output)
    return DONE


def _read_document(arguments: Arguments) -> "Document":
    from pipeline.api.comparing import compare
    from pipeline.api.records import Runs

    store, runs, selection = select_runs(arguments)
    gc.freeze()  # thousands of runs are no garbage, and need not be looked through again
    # Who names a run wants to know that it is damaged; who names an experiment wants to see the others.
    tell = None if arguments.runs else say
    return compare(Runs(runs, store, selection), arguments.by, arguments.where, tell).document


def _format(document: "Document", form: Format, on_screen: bool) -> str:
    from pipeline.comparison.formats import write_csv, write_json
    from pipeline.report.page.comparison import write_comparison_page
    from pipeline.report.terminal.comparison import print_comparison

    if form is Format.csv:
        return write_csv(document)
    if form is Format.html:
        return write_comparison_page(document)
    if form is Format.json:
        return write_json(document)
    from pipeline.report.terminal.console import PlainConsole

    lines = io.StringIO()
    seen = PlainConsole()  # what is printed to in the end
    width, coloured = (seen.width, seen.is_terminal) if on_screen else (_FILE_WIDTH, False)
    print_comparison(document, PlainConsole(file=lines, width=width, force_terminal=coloured))
    return lines.getvalue()
