"""Train a run's recipe again on all rows that there are now: `python -m pipeline.refit run=champion`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.base.environment import prepare_environment
from pipeline.base.errors import UserError
from pipeline.base.interrupt import listen_for_interrupts
from pipeline.command.arguments import Manual, option, run_entry
from pipeline.command.exits import DONE
from pipeline.command.served import ServedRun
from pipeline.config.schema import TrackingConfig

if TYPE_CHECKING:
    from pipeline.studies.refit import Refit
    from pipeline.studies.refit_judgement import Judgement
    from pipeline.tracking.store import Store


@dataclass(frozen=True, kw_only=True)
class Arguments(ServedRun):
    """The keys of the command."""

    data: Path | None = option(
        None,
        "A file with all rows, those of the run and newer ones, and the same columns. Default: the run's own file, "
        "which may have grown.",
    )
    promote: bool = option(
        False, "Make the new run the champion if it is shown to be better than the present one; needs run=champion."
    )


MANUAL = Manual(
    command="python -m pipeline.refit",
    purpose=(
        "Trains the recipe of a run again, same seeds, on all rows that there are now, and says whether it is better: "
        "the recipe trained before the newest rows, which are held out, beside the run on the same rows."
    ),
    examples=(
        ("run=champion", "its own file has grown"),
        ("run=champion data=sales.csv", "another file with all rows, the old and the new ones"),
        ("run=champion promote=true", "and if it is shown to be better, it is the champion"),
    ),
    notes=(
        "The new run has training.all_rows=true: it is scored like any other, then each seed is trained once more on "
        "all rows, and that network forecasts. No row is left that could score that one; what is compared is the "
        "training before.",
        "Newer rows move all parts on, so that the new test part ends with the newest row; dates of the parts become "
        "the shares that they were. Neither run was trained on it, nor chosen by it.",
        "Better means: a lower test score, p < 0.05 in the Diebold-Mariano test over the test timestamps, and p < 0.05 "
        "in a t test over the seeds. Where no row arrived since, nothing can be shown; the run is made all the same.",
        "Exit code: 0 trained, 1 the training failed, 2 wrong input, or with promote=true not shown to be better: the "
        "run is there, the champion stays.",
    ),
)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    prepare_environment()
    listen_for_interrupts()
    return run_entry(sys.argv[1:] if words is None else words, Arguments, MANUAL, refit)


def refit(arguments: Arguments) -> int:
    """Train a run again and say what is known of it.

    Raises:
        UserError: If there is no such run, its recipe or rows cannot be used, or what was to be promoted is not shown
            to be better.
        TrainingError: If the training failed.
    """
    from pipeline.api.forecasting import find_run
    from pipeline.experiment.job import train_job
    from pipeline.studies.refit import plan_refit
    from pipeline.studies.refit_judgement import judge_refit
    from pipeline.tracking.past import named_runs
    from pipeline.tracking.search import tag_refitted
    from pipeline.tracking.store import find_store

    tracking = TrackingConfig(uri=arguments.uri, experiment_name=arguments.experiment)
    _, run_id = find_run(arguments.run, tracking, of_text=False)
    store = find_store(tracking, arguments.experiment)
    if arguments.promote:
        _check_champion(store, run_id)
    plan = plan_refit(store, run_id, arguments.data, tracking)
    if plan.is_done:
        print(f"run {run_id} was trained on all {len(plan.series)} rows that there are: nothing to train.")
        return DONE
    new_id = train_job(plan.config, plan.series).run_id
    (run,) = named_runs(store, [new_id])
    judgement = judge_refit(store, plan, run)
    tag_refitted(store, new_id, run_id, judgement.told)
    print(_describe(plan, new_id))
    print(judgement.told)
    print(
        f"What forecasts now are its seeds, each trained once more on all {len(plan.series)} rows: no row is left that "
        "could score them."
    )
    if arguments.promote:
        _promote(store, plan, new_id, judgement)
    return DONE


def _describe(plan: "Refit", new_id: str) -> str:
    newer = str(plan.newer) if plan.newer else "none"
    return f"run {new_id}: the recipe of run {plan.run_id}, on {len(plan.series)} rows, {newer} of which arrived since."


def _check_champion(store: "Store", run_id: str) -> None:
    from pipeline.tracking.search import ALIAS, find_alias

    present = find_alias(store, ALIAS)
    if present != run_id:
        holder = "there is none" if present is None else f"run {present} is"
        raise UserError(
            f"promote=true replaces the champion by its own recipe, but run {run_id} is not the champion, {holder}; "
            "choose run=champion, or leave promote out"
        )


def _promote(store: "Store", plan: "Refit", new_id: str, judgement: "Judgement") -> None:
    from pipeline.tracking.search import ALIAS, promote_run

    if not judgement.is_better:
        raise UserError(
            f"run {new_id} is trained, but not shown to be better, so run {plan.run_id} stays the champion; to prefer "
            f'the newest rows give a reason: python -m pipeline.promote run={new_id} force="..."'
        )
    _check_champion(store, plan.run_id)  # training takes long: another may have become it
    name = promote_run(store, new_id, ALIAS, judgement.told, None)
    print(f"run {new_id} is {name} now.")
