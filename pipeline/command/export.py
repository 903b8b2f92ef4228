"""Write a run's model as files that others run: `python -m pipeline.export run=best format=onnx output=FOLDER`."""

import sys
from dataclasses import MISSING, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.base.environment import prepare_environment
from pipeline.base.errors import UserError
from pipeline.base.interrupt import listen_for_interrupts
from pipeline.base.paths import check_output
from pipeline.base.text import show_number, show_text
from pipeline.command.arguments import Manual, option, run_entry
from pipeline.command.exits import DONE
from pipeline.command.served import FUTURE, ServedRun, fetch_model, find_served
from pipeline.exporting.formats import Format, check_installed

if TYPE_CHECKING:
    from pipeline.exporting.export import Exported


@dataclass(frozen=True, kw_only=True)
class Arguments(ServedRun):
    """The keys of the command."""

    format: tuple[Format, ...] = option(
        MISSING,
        "One or several, [onnx,numpy]: onnx (step.onnx, window.onnx), litert (.tflite, 32-bit numbers), keras (.keras, "
        "of Keras' own layers), numpy (.npz, and numpy_runner.py that runs it).",
        shown="onnx|litert|keras|numpy",
    )
    output: Path = option(
        Path("exported"), "The folder, new or empty: it is there as a whole or not at all.", shown="FOLDER"
    )
    future: Path | None = option(None, FUTURE)


MANUAL = Manual(
    command="python -m pipeline.export",
    purpose=(
        "Writes the best seed of a run as files that others run without this package. The step form takes a row and a "
        "state, and gives a forecast and the new state, as pipeline.stream does; the window form takes the last rows. "
        "Transforms and scaler are inside: rows and forecasts are in the data's own units."
    ),
    examples=(
        ("run=best format=onnx", "the best run by validation RMSE, in the folder exported"),
        ("run=champion format=[onnx,litert,keras,numpy] output=models", "every format, and what each costs"),
        ("run=RUN_ID format=numpy output=small", "where there is nothing but NumPy"),
    ),
    notes=(
        "Every file is run on the last 100 rows of up to four lanes of the run's data and compared with the run's "
        "Keras network: with a forecast that is more than 1e-5 of the scaler's unit away nothing is written. "
        "That unit is what the scaler makes 1: with dataset.scaler=minmax the range of the training part; with a "
        "logarithm, times the forecast.",
        "Beside the models: model.json says what goes in and comes out, what the scaler is, how far intervals reach; "
        "state.npz is what every lane remembers after the run's history, cold.npz what a new one does.",
        "format=onnx and format=litert need the extra export: pip install 'lstm-pipeline[export]'. No file holds code.",
        "Exit code: 0 done, 1 a file did not forecast what Keras does, 2 wrong input, 130 Ctrl-C.",
    ),
)


def main() -> None:
    """Run the command line and exit with 0, 1, 2 or 130."""
    prepare_environment()
    listen_for_interrupts()
    sys.exit(run_entry(sys.argv[1:], Arguments, MANUAL, export_run))


def export_run(arguments: Arguments) -> int:
    """Write the files, and print what they are.

    Raises:
        UserError: If the run cannot be exported, or the folder is not empty.
        ExportError: If a file forecasts something else than Keras.
    """
    check_output(arguments.output)
    formats = list(dict.fromkeys(arguments.format))
    if not formats:
        raise UserError(f"format= names no format; choose from {', '.join(each.value for each in Format)}")
    check_installed(formats)
    from pipeline.exporting.export import export_model

    run_id = find_served(arguments)
    model = fetch_model(replace(arguments, run=run_id), future=arguments.future)
    exported = export_model(model, run_id, formats, arguments.output)
    print(_show(exported))
    print(
        f"Microseconds: of a call for one lane on one core, the median. Off Keras by: the largest difference over "
        f"{exported.compared} rows of the run's data, in units of the scaler."
    )
    for left_out, reason in exported.left_out.items():
        print(show_text(f"No {left_out} form: {reason}."))
    print(f"{arguments.output} holds it, with model.json and the states to begin with.")
    return DONE


def _show(exported: "Exported") -> str:
    """Return a table of the files."""
    rows = [("format", "form", "file", "rows", "bytes", "microseconds", "off Keras by")]
    rows += [
        (
            each.format,
            each.form,
            each.file,
            str(each.rows),
            f"{each.bytes:,}",
            show_number(each.microseconds, 3),
            f"{each.largest_difference:.1e}",
        )
        for each in exported.files
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 3 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
