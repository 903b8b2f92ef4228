"""Give a run the name that others serve: `python -m pipeline.promote run=RUN_ID alias=champion`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.environment import prepare_environment
from pipeline.base.errors import UserError
from pipeline.command.arguments import Manual, option, run_entry
from pipeline.command.champion import NEWER_DATA
from pipeline.command.exits import DONE
from pipeline.command.served import ServedRun
from pipeline.config.schema import TrackingConfig

_LONGEST_REASON = 500  # characters


@dataclass(frozen=True, kw_only=True)
class Arguments(ServedRun):
    """The keys of the command."""

    alias: str = option("champion", "The name in the model registry that the run gets; `run=champion` serves that one.")
    data: Path | None = option(
        None,
        f"{NEWER_DATA} The run is judged on these instead of the test part: see python -m pipeline.compare champion.",
    )
    force: str | None = option(
        None, "Why the run gets the name without evidence that it is better; kept in MLflow.", shown="REASON"
    )


MANUAL = Manual(
    command="python -m pipeline.promote",
    purpose=(
        "Makes a run the champion, which forecast, stream and serve find as run=champion. A run that is not shown to "
        "be better than the present champion, on the same test values or on rows that arrived since, is refused."
    ),
    examples=(
        ("run=RUN_ID", "if it beats the champion"),
        (
            "run=best alias=champion",
            "the run with the best validation score of those scored on the newest run's values",
        ),
        ("run=RUN_ID data=rows.csv", "if it beats the champion on rows that arrived since both runs ended"),
        ('run=RUN_ID force="the sensor was replaced in May"', "in any case; the reason stays beside it"),
    ),
    notes=(
        "Better means: a lower test score, p < 0.05 in the Diebold-Mariano test over the test timestamps, and p < 0.05 "
        "in a t test over the seeds; so both runs need two seeds at least. Where there is no champion yet the run "
        "becomes it.",
        "With data=FILE, rows decide that neither run was trained, chosen or scored on: a lower score there, p < 0.05 "
        "over the timestamps, 10 at least, and over the seeds where both runs have several.",
        "Every challenge looks at the same test part once more: of forty equal challengers one may win by chance. "
        "Challenge with the one run that validation chose.",
        "A service with reload= takes the new champion over by itself.",
        "Exit code: 0 promoted, 2 refused, or wrong input.",
    ),
)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    prepare_environment()
    return run_entry(sys.argv[1:] if words is None else words, Arguments, MANUAL, promote)


def promote(arguments: Arguments) -> int:
    """Give the run its name, or say why not.

    Raises:
        UserError: If there is no such run, or it does not beat the champion and nothing forces it.
    """
    _check(arguments)
    from pipeline.api.forecasting import find_run
    from pipeline.tracking.search import find_alias, promote_run
    from pipeline.tracking.store import find_store

    tracking = TrackingConfig(uri=arguments.uri, experiment_name=arguments.experiment)
    store = find_store(tracking, arguments.experiment)
    run_id = find_run(arguments.run, tracking, of_text=None)[1]
    present = find_alias(store, arguments.alias)
    if present == run_id:
        raise UserError(f"run {run_id} is the {arguments.alias} already; choose another run")
    told = _judge(arguments, run_id, present)
    name = promote_run(store, run_id, arguments.alias, told, arguments.force)
    print(f"run {run_id} is {name} now: {told}")
    return DONE


def _judge(arguments: Arguments, run_id: str, present: str | None) -> str:
    """Return why the run gets the name.

    Raises:
        UserError: If it should not.
    """
    if present is None:
        return f"there was no {arguments.alias} before it, so nothing was compared"
    from pipeline.comparison.challenge import challenge
    from pipeline.studies.challenge import challenge_since
    from pipeline.tracking.past import named_runs
    from pipeline.tracking.store import find_store

    forced = None if arguments.force is None else f"forced ({arguments.force})"
    store = find_store(TrackingConfig(uri=arguments.uri), None)
    try:
        if arguments.data is None:
            found = challenge(store, *named_runs(store, [run_id, present]))
        else:
            found = challenge_since(store, run_id, present, arguments.data).found
    except UserError as error:
        if forced is None:
            raise
        return f"{forced}; in place of run {present}, with which it could not be compared: {error}"
    if found.is_better:
        return f"it beats run {present}: {found.sentence()}"
    if forced is not None:
        return f"{forced}; it is not shown to beat run {present}: {found.sentence()}"
    why = "each p must be below 0.05" if found.is_lower else "its score is not the better one"
    raise UserError(
        f"run {run_id} is not shown to beat the {arguments.alias}, run {present}: {found.sentence()}; {why}. "
        'Keep the champion, or give a reason: force="..."'
    )


def _check(arguments: Arguments) -> None:
    if not arguments.alias.replace("-", "").replace("_", "").isalnum() or not arguments.alias.isascii():
        raise UserError(f"alias={arguments.alias} is no name; use letters, digits, - and _")
    if arguments.force is not None and not 0 < len(arguments.force.strip()) <= _LONGEST_REASON:
        raise UserError(f"force must be a reason of 1 to {_LONGEST_REASON} characters, which others will read")
