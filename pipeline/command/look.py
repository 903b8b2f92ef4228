"""Step through what a network does while it reads: `python -m pipeline.look run=best`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.base.environment import prepare_environment
from pipeline.base.errors import UserError
from pipeline.base.interrupt import listen_for_interrupts
from pipeline.base.paths import check_folder
from pipeline.base.text import show_time, suggest
from pipeline.command.arguments import Manual, option, run_entry, write_answer
from pipeline.command.exits import DONE
from pipeline.command.served import ServedRun
from pipeline.config.schema import TrackingConfig

if TYPE_CHECKING:
    from pipeline.serving.excerpt import Excerpt
    from pipeline.serving.model import ServedModel

_STEPS, _STEPS_OF_A_TEXT = 120, 400
_MOST_UNITS = 256
_MOST_STEPS = 2000  # the gradients of all pairs of steps lie in the page


@dataclass(frozen=True, kw_only=True)
class Arguments(ServedRun):
    """The keys of the command."""

    output: Path = option(Path("gates.html"), "The page; a file that is there is replaced.")
    steps: int | None = option(None, "Time steps that are shown. Default: 120 of a series, 400 tokens of a text.")
    start: str | None = option(
        None,
        "Timestamp of the first step shown, as the data write it; of a text the number of its token, from 0. Default: "
        "the test part begins in the middle, or with the text.",
        shown="TIME",
    )
    series: str | None = option(None, "Which series, of a run of many. Default: the first.", shown="NAME")
    seed: int | None = option(None, "Which seed. Default: the best by validation.")
    against: str | None = option(None, "Another run beside it, on the same data.", shown="RUN_ID|best|latest")
    against_seed: int | None = option(None, "Another seed beside it: of the run, or of `against`.")


MANUAL = Manual(
    command="python -m pipeline.look",
    purpose=(
        "Writes one page in which one steps through time: gates, candidate and states of every unit as maps along the "
        "series, the cell with the numbers of the step, what each unit follows, and how much each past step moved the "
        "forecast. A text is coloured by what a unit does. It needs no network and can be sent to anybody."
    ),
    examples=(
        ("run=best", "the best run by validation: gates.html"),
        ("run=latest steps=60 start=1958-01-01", "another excerpt"),
        ("run=RUN_ID seed=3 against_seed=4", "two seeds of one run side by side"),
        ("run=best against=RUN_ID output=two.html", "two runs on the same data side by side"),
    ),
    notes=(
        "A stateless network reads each window from a state of zero: its windows are laid end to end, and a line marks "
        "where each begins. Wirings without a carried state (one_to_one, one_to_many, encoder_decoder) have no such "
        "sequence and are refused.",
        "Every run logs such a page as gates.html, 120 steps or 240 tokens, of large networks half as many, and the "
        "first 16 units of a layer.",
    ),
)


def main() -> None:
    """Run the command line and exit with 0, 1, 2 or 130."""
    prepare_environment()
    listen_for_interrupts()
    sys.exit(run_entry(sys.argv[1:], Arguments, MANUAL, write_page))


def write_page(arguments: Arguments) -> int:
    """Write the page.

    Raises:
        UserError: If a run, a seed or the excerpt cannot be shown.
    """
    check_folder("output", arguments.output)
    if arguments.steps is not None and not 1 <= arguments.steps <= _MOST_STEPS:
        raise UserError(f"steps must be from 1 to {_MOST_STEPS}, but got steps={arguments.steps}")
    name, model = _open(arguments.run, arguments.seed, arguments)
    named = [(name, model)]
    if arguments.against is not None or arguments.against_seed is not None:
        chosen = arguments.run if arguments.against is None else arguments.against
        named.append(_open(chosen, arguments.against_seed, arguments))
        if named[1][1].data.series.digest() != model.data.series.digest():
            raise UserError(f"against={chosen} was trained on other data; choose runs of the same dataset")
    from pipeline.report.page.gates import write_gates_page
    from pipeline.serving.gates import describe_ahead, look_at_network, name_target

    config, data = model.config, model.data
    member = _find_series(arguments.series, data.series.series_ids)
    excerpt = _find_excerpt(arguments, model, member)
    looks = [look_at_network(name, each, excerpt) for name, each in named]
    heading = f"Gates: {config.dataset.name}" + (
        f", {data.series.series_ids[member]}" if data.series.series_ids else ""
    )
    target, unit = name_target(config, data)
    page = write_gates_page(heading, target, unit, describe_ahead(data), looks, _MOST_UNITS)
    write_answer(page, arguments.output)
    return DONE


def _open(chosen: str, seed: int | None, arguments: Arguments) -> tuple[str, "ServedModel"]:
    """Return what a page calls a network, and the network."""
    from pipeline.api.forecasting import find_run, open_model

    tracking = TrackingConfig(uri=arguments.uri, experiment_name=arguments.experiment)
    _, run_id = find_run(chosen, tracking)
    model = open_model(run_id, tracking, seed)
    return f"run {run_id[:8]}, seed {model.seed}", model


def _find_series(name: str | None, known: tuple[str, ...]) -> int:
    if name is None:
        return 0
    if not known:
        raise UserError(f"series={name}: the run has one series only; leave series out")
    if name not in known:
        raise UserError(f"series={name} is not one of the run's; {suggest(name, known, f'there is {known[0]!r}.')}")
    return known.index(name)


def _find_excerpt(arguments: Arguments, model: "ServedModel", member: int) -> "Excerpt":
    import pandas as pd

    from pipeline.serving.excerpt import Excerpt
    from pipeline.serving.gates import choose_excerpt

    series, start = model.data.series, arguments.start
    steps = arguments.steps
    if steps is None:
        steps = _STEPS_OF_A_TEXT if model.config.reads_text else _STEPS
    if start is None:
        return choose_excerpt(model, member, steps)
    rows = series.slices()[member]
    times = series.timestamps[rows]
    try:
        dated = isinstance(times, pd.DatetimeIndex)
        sought = pd.Timestamp(start).tz_localize(times.tz) if isinstance(times, pd.DatetimeIndex) else float(start)
    except ValueError as error:
        raise UserError(
            f"start={start} is no {'time' if dated else 'number'}; write it like start={show_time(times[0])}"
        ) from error
    if sought > times[-1]:
        raise UserError(f"start={start} is after the last row, {show_time(times[-1])}; choose an earlier one")
    return Excerpt(member, int(rows.start + (times >= sought).argmax()), steps)
