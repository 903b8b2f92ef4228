"""Search the network for a series and train the best one: `python -m pipeline.search dataset=airline budget=5m`."""

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.base.environment import prepare_environment
from pipeline.base.errors import UserError
from pipeline.base.interrupt import listen_for_interrupts
from pipeline.base.paths import check_folder, replace_file
from pipeline.base.terminal import prepare_terminal, say
from pipeline.command.arguments import Manual, describe_arguments, option, parse_arguments
from pipeline.command.exits import DONE, run_to_exit

if TYPE_CHECKING:
    from pipeline.config.schema import Config
    from pipeline.searching.run import Task

_ALL_STEPS = "dataset.horizons=all"
_REPEAT = "repeat the command with resume=true to go on where it ended"


@dataclass(frozen=True)
class Arguments:
    """The keys of the command's own; every other word is a key of `python -m pipeline.run`."""

    budget: str = option(
        "10m", "How long: 90s, 10m or 1h, the champion included; or a number of trainings before it.", shown="TIME|N"
    )
    search: str = option(
        "auto",
        "What is searched: small, medium or large of conf/search, by the length of the series; or a YAML file.",
        shown="auto|small|medium|large|FILE",
    )
    seeds: int = option(16, "Trainings of the champion, with seeds that no trial had.")
    resume: bool = option(False, "Go on with the search that the same words began, also beside it in another process.")
    refit: bool = option(
        False, "Train the champion again on its training and validation part together, and register that."
    )
    output: Path | None = option(None, "A JSON file for the result.")


MANUAL = Manual(
    command="python -m pipeline.search",
    purpose="Searches the network for a series: tries configurations on folds of what lies before the test part, more "
    "seeds and epochs for the better ones, trains the best with fresh seeds, and says what it is worth on the test "
    "part, which chose nothing. Every trial is in MLflow.",
    examples=[
        ("dataset=csv dataset.path=sales.csv dataset.time_column=date budget=10m", "your own file"),
        ("dataset=airline budget=5m output=result.json", "the result for a script"),
        ("dataset=airline 'look_back=choice(6,12,24)' model.units=[8] budget=2m", "other choices; a value is fixed"),
        ("dataset=airline budget=5m resume=true", "go on with the same search"),
    ],
    notes=[
        "Every other key is one of `python -m pipeline.run`. A key with a value is fixed, one with "
        "'choice(a,b)', 'range(1,10)', 'interval(0.1,0.9)' or 'tag(log,interval(0.001,0.1))' is searched, beside or "
        "instead of what search= says; quotes keep the shell away from the brackets.",
        "The champion has the alias champion in MLflow's model registry, under the name of the experiment: "
        "`python -m pipeline.forecast run=champion`, `python -m pipeline.stream run=champion`.",
        "Ctrl-C keeps what was tried and names the best so far. Exit codes: 0 done, 1 nothing could be trained, 2 "
        "wrong input, 130 Ctrl-C.",
    ],
)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    prepare_environment()
    prepare_terminal(unread=True)
    listen_for_interrupts()
    words = list(sys.argv[1:] if words is None else words)
    if any(word in ("--help", "-h") for word in words):
        print(describe_arguments(Arguments, MANUAL))
        return DONE
    logging.raiseExceptions = False  # where the disk is full a line is lost, and the screen gets no page
    return run_to_exit(lambda: _search(words), _REPEAT)


def _search(words: Sequence[str]) -> int:
    own, others = _divide(words)
    arguments = parse_arguments(Arguments, own)
    if arguments.seeds < 1:
        raise UserError(f"seeds must be at least 1, but got seeds={arguments.seeds}")
    if arguments.output is not None:
        check_folder("output", arguments.output)
    from pipeline.searching.run import run_search

    store, result = run_search(_plan_task(arguments, others, words))
    if arguments.output is not None:
        with replace_file(arguments.output) as file:
            file.write(f"{json.dumps(result.as_document(), indent=2)}\n".encode())
        say(f"written to {arguments.output}")
    from pipeline.command.summary import print_summary
    from pipeline.tracking.past import named_runs

    print_summary(named_runs(store, [result.champion.record.run_id]), store)
    for sentence in result.sentences():
        print(sentence)
    print(f"Registered as {result.model}; python -m pipeline.forecast run=champion steps=12")
    return DONE


def _plan_task(arguments: Arguments, others: Sequence[str], words: Sequence[str]) -> "Task":
    """Compose and check what is searched.

    Raises:
        UserError: As `plan_settings`; or if the words make a sweep.
    """
    from pipeline.searching.budget import parse_budget

    budget = replace(parse_budget(arguments.budget), finals=2 if arguments.refit else 1)
    from pipeline.api.settings import plan_settings
    from pipeline.searching.run import Task
    from pipeline.searching.space import is_searched

    choices = [word for word in others if is_searched(word)]
    settings = [word for word in others if word not in choices]
    chosen = any(word.lstrip("+~").startswith("dataset.horizons=") for word in others)
    plan = plan_settings([*settings, *([] if chosen else [_ALL_STEPS])], None, multirun=False)
    if plan.is_sweep:
        raise UserError(
            f"{' '.join(settings)} make a sweep; the search chooses: give choices, e.g. look_back=choice(3,6)"
        )
    config = plan.jobs[0] if chosen else _tell_steps(plan.jobs[0])
    return Task(
        config, plan.series_of(plan.jobs[0]), arguments.search, choices, _set_keys(settings, config), words, budget,
        arguments.seeds, arguments.resume, arguments.refit,
    )  # fmt: skip


def _tell_steps(config: "Config") -> "Config":
    """Say that all steps ahead are forecast; of a single one a run says `one`."""
    from pipeline.config.schema import Horizons

    if config.horizon == 1:
        return replace(config, dataset=replace(config.dataset, horizons=Horizons.one))
    say(
        f"horizon={config.horizon}: every step up to it is forecast and scored ({_ALL_STEPS}), so that differences and "
        f"normalised windows can be searched; dataset.horizons=one forecasts step {config.horizon} alone"
    )
    return config


def _set_keys(settings: Sequence[str], config: "Config") -> list[str]:
    """Return the keys that the command line sets: by name, or by a preset such as model=gru or experiment=NAME."""
    from pipeline.config.keys import Role, varying_keys
    from pipeline.config.schema import Config, flat_config

    named = [word.lstrip("+~").partition("=")[0] for word in settings]
    by_presets = varying_keys([flat_config(config), flat_config(Config())], {Role.recipe})
    return [*named, *by_presets, *(["model.cell"] if "model" in named else [])]


def _divide(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words with the command's own keys, and the others.

    Raises:
        UserError: If a word is a flag.
    """
    known = Arguments.__dataclass_fields__
    for word in words:
        if word.startswith("-"):
            raise UserError(f"{word}: a search has no flags, it is the sweep; --help lists the keys")
    own = [word for word in words if word.partition("=")[0] in known]
    return own, [word for word in words if word not in own]
