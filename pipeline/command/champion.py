"""Challenger against champion on rows that arrived since: `python -m pipeline.compare champion CHALLENGER`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.errors import UserError
from pipeline.base.paths import check_folder
from pipeline.base.terminal import say
from pipeline.command.arguments import AnswerFormat, Manual, option, run_entry, store_option, write_answer
from pipeline.command.exits import DONE
from pipeline.config.schema import TrackingConfig

CHAMPION = "champion"  # the first word of the command

NEWER_DATA = (
    "A file of rows as the run's dataset has them, up to those that arrived since; it must hold every row after the "
    "end of either run's data."
)


@dataclass(frozen=True)
class ChampionArguments:
    """The keys of the command line."""

    run: str | None = option(
        None,
        "The challenger: its id, best or latest. Default: the newest finished run that is not the champion.",
        shown="RUN_ID|best|latest",
    )
    data: Path | None = option(None, f"{NEWER_DATA} Default: the challenger's own file, if it has grown.")
    alias: str = option("champion", "The name of the champion in the model registry.")
    format: AnswerFormat = option(AnswerFormat.table, "How the answer is written.")
    output: Path | None = option(None, "A file for the answer. Default: the screen.")
    uri: str | None = store_option()
    experiment_name: str = option(
        TrackingConfig.experiment_name, "The MLflow experiment.", name="tracking.experiment_name", shown="NAME"
    )


MANUAL = Manual(
    command="python -m pipeline.compare champion",
    purpose="Says whether a challenger forecasts the rows that arrived since better than the champion. Both forecast "
    "every row that is later than the end of both runs' data, so that neither was trained, chosen or scored on it. "
    "Trains nothing.",
    examples=[
        ("", "the newest run that is not the champion, on the rows its own file has got since"),
        ("RUN_ID data=rows.csv", "this run, on these rows"),
        ("best data=rows.csv format=json output=champion.json", "for a script"),
    ],
    notes=[
        "The word behind champion is run=. Forecasts are those of stream and serve, to the bit: a lane begins with the "
        "run's own history and reads the rows that came since, one after another. All seeds of a run forecast; the "
        "intervals are those of the best one, which is served.",
        "The two must forecast the same targets, steps ahead and lanes; look_back, transforms, features and the rest "
        "may differ.",
        "Evidence needs p < 0.05 in the Diebold-Mariano test over the timestamps, 10 of them at least, and where both "
        "runs have several seeds p < 0.05 in a t test over the seeds. python -m pipeline.promote run=RUN_ID data=FILE "
        "promotes by it.",
        "Exit codes: 0 done, whoever is better; 2 wrong input, or nothing to compare (one line says what to change).",
    ],
)


def compare_champion(words: Sequence[str]) -> int:
    """Run the command line after the word `champion`, and return its exit code."""
    if words and "=" not in words[0] and not words[0].startswith("-"):
        words = [f"run={words[0]}", *words[1:]]
    return run_entry(words, ChampionArguments, MANUAL, _compare)


def _compare(arguments: ChampionArguments) -> int:
    if arguments.output is not None:
        check_folder("output", arguments.output)
    from pipeline.report.terminal.newer import print_newer
    from pipeline.studies.challenge import compare_since
    from pipeline.studies.formats import write_json, write_newer_csv
    from pipeline.tracking.past import choose_run, named_runs, newest_besides
    from pipeline.tracking.search import find_alias
    from pipeline.tracking.store import find_store

    store = find_store(TrackingConfig(uri=arguments.uri), arguments.experiment_name)
    champion = find_alias(store, arguments.alias)
    if champion is None:
        raise UserError(
            f"there is no {arguments.alias} in experiment {arguments.experiment_name}; make a run it: python -m "
            "pipeline.promote run=RUN_ID"
        )
    chosen = newest_besides(store, champion) if arguments.run is None else arguments.run
    challenger = choose_run(store, chosen, of_text=False).run_id
    if challenger == champion:
        raise UserError(f"run {challenger} is the {arguments.alias} itself; name another run as its challenger")
    say(f"challenger {challenger}, {arguments.alias} {champion}")
    mine, theirs = named_runs(store, [challenger, champion])
    document = compare_since(store, mine, theirs, arguments.data)
    if arguments.format is AnswerFormat.json:
        text = write_json(document)
    elif arguments.format is AnswerFormat.csv:
        text = write_newer_csv(document)
    else:
        text = print_newer(document)
    write_answer(text, arguments.output)
    return DONE
