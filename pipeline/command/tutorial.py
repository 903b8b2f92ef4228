"""Train the five presets of the airline tutorial, and place its published numbers among ours: `make tutorial`."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.override_parser.overrides_parser import OverridesParser

from pipeline.base.environment import prepare_environment
from pipeline.base.errors import UserError
from pipeline.base.record import Status
from pipeline.base.terminal import prepare_terminal
from pipeline.command.arguments import Manual, describe_arguments
from pipeline.command.exits import DONE, FAILED, REPEAT, run_to_exit
from pipeline.command.summary import print_summary
from pipeline.config.keys import changes_recipe
from pipeline.experiment.jobs import explained
from pipeline.studies.published import PUBLISHED


@dataclass(frozen=True)
class Arguments:
    """No keys of its own: every key of `python -m pipeline.run` is handed on."""


MANUAL = Manual(
    command="python -m pipeline.tutorial",
    purpose="Trains the five published variants of the airline tutorial with 32 seeds each, as one sweep, and prints "
    "where the published scores fall among ours. The table of the sweep goes to stderr.",
    examples=[
        ("", "all five, a minute"),
        ("seeds=64", "more seeds"),
        ("resume=true", "train only what has no finished run yet"),
        ("tracking.uri=sqlite:////tmp/tutorial.db", "recorded elsewhere; MLFLOW_TRACKING_URI wins"),
    ],
    notes=[
        "Every key of `python -m pipeline.run` is handed on; one that changes a recipe (training.epochs=10) is named "
        "in the answer. Exit codes are those of pipeline.run: 0 done, 1 a run failed, 2 wrong input.",
    ],
)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    prepare_environment()
    prepare_terminal(unread=True)
    words = list(sys.argv[1:] if words is None else words)
    if any(word in ("--help", "-h") for word in words):
        print(describe_arguments(Arguments, MANUAL))
        return DONE
    logging.raiseExceptions = False  # where the disk is full a line is lost, and the screen gets no page
    return run_to_exit(lambda: _reproduce(words), REPEAT)


def _reproduce(words: Sequence[str]) -> int:
    given = _read_words(words)
    from pipeline.api.training import sweep
    from pipeline.report.terminal.tutorial import print_tutorial
    from pipeline.studies.reproduction import place_published

    runs = sweep(f"experiment={','.join(PUBLISHED)}", *words)
    print_summary(runs.logged, runs.store, sys.stderr)
    if any(record.status is not Status.finished for record in runs):
        return FAILED
    changed = [f"{key}={value}" for key, value in given.items() if changes_recipe(key)]
    print(print_tutorial(place_published(runs.store, runs.logged, changed)), end="")
    return DONE


def _read_words(words: Sequence[str]) -> dict[str, str]:
    """Return the overrides by key.

    Raises:
        UserError: If a word is no override, has several values, or names another preset.
    """
    with explained():
        overrides = OverridesParser.create().parse_overrides(list(words))
    given = {}
    for word, override in zip(words, overrides, strict=True):
        if override.is_sweep_override():
            raise UserError(f"{word} gives several values; the five variants are the sweep: give one")
        if override.key_or_group == "experiment":
            raise UserError(f"{word}: the presets are chosen already; python -m pipeline.run {word} runs one of them")
        given[str(override.key_or_group)] = word.partition("=")[2]
    return given
