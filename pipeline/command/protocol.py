"""Re-score the weights of runs under both protocols: `python -m pipeline.compare protocol sweep=latest`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.command.arguments import AnswerFormat, Manual, option, run_entry, write_answer
from pipeline.command.exits import DONE, FAILED, USER_ERROR
from pipeline.command.selection import Selection, check_selection, select_runs

PROTOCOL = "protocol"  # the first word of the command


@dataclass(frozen=True)
class ProtocolArguments(Selection):
    """The keys of the command line."""

    format: AnswerFormat = option(AnswerFormat.table, "How the answer is written.")


MANUAL = Manual(
    command="python -m pipeline.compare protocol",
    purpose="Scores the weights of finished runs, all seeds, under protocol=fair and protocol=tutorial, and says how "
    "much of the score is protocol. Trains nothing.",
    examples=[
        ("", "every run of the newest sweep"),
        ("sweep=0123abcd... where=[look_back=3]", "some runs of that sweep"),
        ("format=json output=protocol.json", "for a script"),
    ],
    notes=[
        "fair scores every test row, and a forecast may know the whole true past. tutorial windows the training and "
        "the test part apart, drops one sample of each, and starts the test with a zero state. Each run keeps the "
        "scaler that it was trained with: what a run trained under tutorial has learnt from a scaler that saw the test "
        "part cannot be taken back.",
        "Exit codes: 0 done; 1 a score under a run's own protocol is not the one in MLflow; 2 wrong input, or a run "
        "that cannot be re-scored (one line says which and why; the others are re-scored).",
    ],
)


def compare_protocols(words: Sequence[str]) -> int:
    """Run the command line after the word `protocol`, and return its exit code."""
    return run_entry(words, ProtocolArguments, MANUAL, _compare)


def _compare(arguments: ProtocolArguments) -> int:
    check_selection(arguments)
    from pipeline.comparison.runs import keep_where
    from pipeline.report.terminal.protocol import print_protocols
    from pipeline.studies.formats import write_csv, write_json
    from pipeline.studies.rescoring import rescore_runs

    store, runs, selection = select_runs(arguments)
    document = rescore_runs(store, keep_where(runs, arguments.where), selection)
    if arguments.format is AnswerFormat.json:
        text = write_json(document)
    elif arguments.format is AnswerFormat.csv:
        text = write_csv(document)
    else:
        text = print_protocols(document)
    write_answer(text, arguments.output)
    sys.stdout.flush()
    for mismatch in document.mismatches:
        print(f"error: {mismatch}", file=sys.stderr)
    for refused in document.refused:
        told = f"error: run {refused.run} ({refused.label}) cannot be re-scored: {refused.reason}"
        print(told, file=sys.stderr)
    if document.refused:
        return USER_ERROR
    return FAILED if document.mismatches else DONE
