"""Place what others report for a text beside our runs: `python -m pipeline.compare published`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.command.arguments import AnswerFormat, Manual, option, run_entry, store_option, write_answer
from pipeline.command.exits import DONE
from pipeline.command.selection import Selection, check_selection, select_runs
from pipeline.config.schema import TrackingConfig

PUBLISHED = "published"  # the first word of the command


@dataclass(frozen=True)
class PublishedArguments:
    """The keys of the command line."""

    runs: tuple[str, ...] = option((), "These runs, instead of all of an MLflow experiment.", shown="[ID,ID,...]")
    where: tuple[str, ...] = option((), "Of the runs, only those with these values.", shown="[KEY=VALUE,...]")
    format: AnswerFormat = option(AnswerFormat.table, "How the answer is written.")
    output: Path | None = option(None, "A file for the answer. Default: the screen.")
    uri: str | None = store_option()
    experiment_name: str = option(
        TrackingConfig.experiment_name, "The MLflow experiment.", name="tracking.experiment_name", shown="NAME"
    )


MANUAL = Manual(
    command="python -m pipeline.compare published",
    purpose="Prints the newest run of each configuration on tiny shakespeare (by characters) beside the losses that "
    "others report for networks that read the text alike, and what differs in the protocol. Trains nothing.",
    examples=[
        ("", "every configuration of the MLflow experiment"),
        ("where=[experiment=char_rnn]", "those of one preset"),
        ("format=json output=published.json", "for a script"),
    ],
    notes=[
        "Every reported number has its source below the table. The presets with such neighbours: char_rnn, keras_text, "
        "tensorflow_text (python -m pipeline.run experiment=char_rnn).",
        "Exit codes: 0 done, 2 wrong input, or no such run (one line says what to train).",
    ],
)


def compare_published(words: Sequence[str]) -> int:
    """Run the command line after the word `published`, and return its exit code."""
    return run_entry(words, PublishedArguments, MANUAL, _compare)


def _compare(arguments: PublishedArguments) -> int:
    from pipeline.comparison.runs import keep_where
    from pipeline.report.terminal.neighbours import print_neighbours
    from pipeline.studies.formats import write_json, write_neighbours_csv
    from pipeline.studies.neighbourhood import place_neighbours

    chosen = Selection(
        runs=arguments.runs,
        experiment=None if arguments.runs else arguments.experiment_name,
        output=arguments.output,
        uri=arguments.uri,
    )
    check_selection(chosen)
    store, runs, selection = select_runs(chosen)
    document = place_neighbours(store, keep_where(runs, arguments.where), selection)
    if arguments.format is AnswerFormat.json:
        text = write_json(document)
    elif arguments.format is AnswerFormat.csv:
        text = write_neighbours_csv(document)
    else:
        text = print_neighbours(document)
    write_answer(text, arguments.output)
    return DONE
