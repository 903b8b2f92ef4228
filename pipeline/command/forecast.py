"""Forecast beyond the end of a run's data: `python -m pipeline.forecast run=best steps=24`."""

import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.base.environment import prepare_environment
from pipeline.base.errors import UserError
from pipeline.base.interrupt import listen_for_interrupts
from pipeline.base.moments import root_mean_square
from pipeline.base.paths import check_folder, replace_file
from pipeline.base.text import show_name, show_names, show_number, show_text
from pipeline.command.arguments import Manual, option, run_entry
from pipeline.command.exits import DONE
from pipeline.command.served import FUTURE, ServedRun, fetch_model

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.serving.model import ServedModel


@dataclass(frozen=True, kw_only=True)
class Arguments(ServedRun):
    """The keys of the command."""

    steps: int = option(
        24, "Time steps that are forecast: so many beyond the end, and the last ones before it as a test."
    )
    future: Path | None = option(None, FUTURE)
    output: Path = option(Path("forecast.csv"), "The CSV file; a file that is there is replaced.")
    plot: Path | None = option(None, "The PNG file; by default the CSV file's name with .png.")
    samples: int = option(
        0,
        "So many sample paths of the rows beyond the end are written, too: drawn step after step, each draw fed back.",
    )
    sample_seed: int = option(1, "Of their random numbers: the same paths again.")
    sample_output: Path | None = option(None, "Their CSV file; by default samples.csv beside output.")


_MOST_ROWS = 200  # on the screen
_MOST_VALUES = 10_000_000  # of the sample paths of a lane: half a gigabyte of text

MANUAL = Manual(
    command="python -m pipeline.forecast",
    purpose=(
        "Forecasts the next time steps in two ways, side by side, in the data's own units: free run, where the network "
        "is fed with its own forecasts, and one step ahead, where it is fed with what really came."
    ),
    examples=(
        ("run=best steps=24", "the best run by validation RMSE; forecast.csv and forecast.png"),
        ("run=latest steps=24", "the newest run that finished"),
        ("run=best steps=7 future=prices.csv", "a run with dataset.future=[price]: prices of the next 7 days"),
        ("run=RUN_ID steps=12 output=next.csv", "another run, other files"),
        ("run=best steps=12 samples=500", "samples.csv: 500 ways in which it may go on"),
    ),
    notes=(
        "A sample path is drawn from the distribution of the head; of model.head=quantile by its quantile function, of "
        "model.head=point the forecast and an error of the validation part. Columns: path, lane, timestamp, step, "
        "target, value. A head with quantiles has those of the free run from such paths: quantile_0.05, ...",
        "What comes after the end nobody knows, so the same is done with the last `steps` known values as if they were "
        "not known (part `backtest`): its error says how far a free run can be trusted, and so do the "
        "intervals (low_95, high_95, ...), from the errors of free runs in the validation and test parts. Timestamps "
        "go on in the series' own frequency. A free run needs every feature to be a target, or known ahead "
        "(dataset.future, dataset.calendar).",
    ),
)


def main() -> None:
    """Run the command line and exit with 0, 1, 2 or 130."""
    prepare_environment()
    listen_for_interrupts()
    sys.exit(run_entry(sys.argv[1:], Arguments, MANUAL, forecast_run))


def forecast_run(arguments: Arguments) -> int:
    """Forecast, write both files and print what they say.

    Raises:
        UserError: If the run cannot be served, or its data are too short.
    """
    from pipeline.report.figures.forecast import draw_free_run

    for name, least in {"steps": 1, "samples": 0, "sample_seed": 0}.items():
        if getattr(arguments, name) < least:
            raise UserError(f"{name} must be at least {least}, but got {name}={getattr(arguments, name)}")
    if arguments.steps * arguments.samples > _MOST_VALUES:
        raise UserError(
            f"samples={arguments.samples} of steps={arguments.steps} are more than {_MOST_VALUES:,} values of a lane; "
            "lower samples"
        )
    samples_file = arguments.sample_output or arguments.output.with_name("samples.csv")
    plot = arguments.output.with_suffix(".png") if arguments.plot is None else arguments.plot
    check_folder("output", arguments.output)
    check_folder("plot", plot)
    check_folder("sample_output", samples_file)
    from pipeline.serving.clock import Clock
    from pipeline.serving.feed_back import can_run_free, unknown_ahead
    from pipeline.serving.free_run import forecast_steps, name_true, sample_steps

    model = fetch_model(arguments, future=arguments.future)
    table = forecast_steps(model, arguments.steps)
    picture = BytesIO()
    title = f"{model.config.dataset.name}: {arguments.steps} steps back and {arguments.steps} ahead"
    draw_free_run(picture, title, model.config.dataset.unit, table, _past(model, arguments.steps), name_true(model))
    samples = (
        sample_steps(model, arguments.steps, arguments.samples, arguments.sample_seed) if arguments.samples else None
    )
    with replace_file(arguments.output) as file:
        table.to_csv(file, index=False)
    with replace_file(plot) as file:
        file.write(picture.getvalue())
    if samples is not None:
        with replace_file(samples_file) as file:
            samples.to_csv(file, index=False)
    seen = [name for name in table if "_quantile_" not in str(name)]  # a screen is not as wide
    shown = table[seen].head(_MOST_ROWS).to_string(index=False, na_rep="", float_format="{:.6g}".format)
    print(show_text(shown))
    if len(table) > _MOST_ROWS:
        print(f"... and {len(table) - _MOST_ROWS} more rows: {arguments.output} has them all.")
    if not Clock(model.data.series, model.config.dataset.time_column is None).has_calendar:
        print("The timestamps follow no calendar, so nobody knows the next ones: rows ahead are counted +1, +2, ...")
        if model.data.series.computed:
            print("No free run beyond the end either: dataset.calendar makes inputs of the timestamps.")
    print(_judge(model, table, name_true(model)))
    if not can_run_free(model):
        unknown = ", ".join(unknown_ahead(model))
        print(
            f"No free run: nobody knows the next values of {unknown}; make every feature a target, or name what is "
            "known ahead in dataset.future."
        )
    if model.data.series.short_lanes:
        print(_say_left_out(model))
    print(f"{arguments.output} and {plot} hold it.")
    if samples is not None:
        print(f"{samples_file} holds {arguments.samples} sample paths of {arguments.steps} steps.")
    return DONE


def _say_left_out(model: "ServedModel") -> str:
    short = model.data.series.short_lanes
    lanes = "1 lane was" if len(short) == 1 else f"{len(short)} lanes were"
    return (
        f"Not forecast: {show_names(short)}; {lanes} too short to be trained on with look_back="
        f"{model.config.look_back} and horizon={model.config.horizon} (dataset.short_lanes=leave_out)."
    )


def _past(model: "ServedModel", steps: int) -> list["pd.Series"]:
    """Return what is known before the backtest, one series per lane and target."""
    import pandas as pd

    series = model.data.series
    return [
        pd.Series(series.actual()[rows, column][:-steps], index=series.timestamps[rows][:-steps])
        for rows in series.slices()
        for column in range(len(series.targets))
    ]


def _judge(model: "ServedModel", table: "pd.DataFrame", fed: str) -> str:
    """Say what the backtest is worth, beside two forecasts that need no network."""
    from pipeline.serving.free_run import BACKTEST

    rows = table[table["part"] == BACKTEST]
    naive = _naive(model, len(rows) // len(_past(model, 1)))
    targets = model.data.series.targets

    def rmse(forecast: "pd.Series | np.ndarray") -> str:
        errors = rows["actual"].to_numpy() - np.asarray(forecast)
        each = [errors[(rows["target"] == target).to_numpy()] for target in targets]  # units may differ: never pooled
        found = [show_number(root_mean_square(some[np.isfinite(some)])) for some in each]
        return found[0] if len(found) == 1 else f"[{', '.join(found)}]"

    parts = [f"{fed.replace('_', ' ')} {rmse(rows[fed])}"]
    if rows["free_run"].notna().any():
        parts.append(f"free run {rmse(rows['free_run'])}")
    parts += [f"{name} {rmse(values)}" for name, values in naive.items()]
    of = "" if len(targets) == 1 else f" of [{', '.join(map(show_name, targets))}]"
    return f"RMSE over the backtest{of}, in {model.config.dataset.unit}: {', '.join(parts)}."


def _naive(model: "ServedModel", steps: int) -> dict[str, np.ndarray]:
    """Return forecasts of the backtest from its origin alone: the last value, and the last season repeated."""
    period = model.config.dataset.period
    last, season = [], []
    for past in _past(model, steps):
        values = past.to_numpy()
        last.append(np.full(steps, values[-1]))
        season.append(np.resize(values[-period:], steps))
    named = {"repeating the last value": np.concatenate(last)}
    return named | ({"repeating the last season": np.concatenate(season)} if period > 1 else {})
