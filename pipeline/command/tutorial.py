"""Train the five presets of the airline tutorial, and place its published numbers among ours: `make tutorial`."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass

from hydra.core.override_parser.overrides_parser import OverridesParser

from pipeline.base.environment import prepare_environment
from pipeline.base.errors import UserError
from pipeline.base.terminal import prepare_terminal
from pipeline.command import run
from pipeline.command.arguments import Manual, describe_arguments
from pipeline.command.exits import DONE, run_to_exit
from pipeline.config.keys import changes_recipe
from pipeline.config.schema import TrackingConfig
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
    return run_to_exit(lambda: _reproduce(words))


def _reproduce(words: Sequence[str]) -> int:
    given = _read_words(words)
    command = ["-m", f"experiment={','.join(PUBLISHED)}", *words]
    code = _train(command)
    if code == DONE:
        changed = [f"{key}={value}" for key, value in given.items() if changes_recipe(key)]
        _print(given, command, changed)
    return code


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


def _train(command: Sequence[str]) -> int:
    """Run the sweep as `python -m pipeline.run` does; its table goes to stderr."""
    sys.argv[1:] = command
    with redirect_stdout(sys.stderr):
        try:
            run.main()
        except SystemExit as end:
            return int(end.code or DONE)
    return DONE


def _print(given: dict[str, str], command: Sequence[str], changed: Sequence[str]) -> None:
    from pipeline.report.terminal.tutorial import print_tutorial
    from pipeline.studies.reproduction import place_published
    from pipeline.tracking.past import LATEST, find_sweep, sweep_runs
    from pipeline.tracking.store import open_store

    uri = given.get("tracking.uri")
    name = given.get("tracking.experiment_name", TrackingConfig().experiment_name)
    store = open_store(TrackingConfig(uri=None if uri == "null" else uri, experiment_name=name))
    sweep = find_sweep(store, LATEST, command)
    print(print_tutorial(place_published(store, sweep_runs(store, sweep.run_id), changed)), end="")
