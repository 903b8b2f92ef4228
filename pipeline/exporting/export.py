"""Write a model as files that travel, and only if they forecast what Keras forecasts."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.base.errors import ExportError
from pipeline.base.paths import check_output, fill_folder
from pipeline.base.text import show_number
from pipeline.exporting.describe import describe_model
from pipeline.exporting.files import open_form, precision, write_form
from pipeline.exporting.formats import ENDINGS, Format, check_installed
from pipeline.exporting.forms import make_step, make_window, why_no_window
from pipeline.exporting.layout import Layout, lay_out, take_state
from pipeline.exporting.parity import LIMIT, measure_step, measure_window
from pipeline.exporting.reference import Reference, make_reference
from pipeline.models.graph import numpy_runner
from pipeline.serving.lanes import Lanes, warm_lanes
from pipeline.serving.model import ServedModel

STEP, WINDOW = "step", "window"
DESCRIPTION, STATE, COLD = "model.json", "state.npz", "cold.npz"


@dataclass(frozen=True)
class Written:
    """One file with one form of a model.

    Attributes:
        file: Its name.
        format: What it is written as.
        form: `step` or `window`.
        rows: That a call reads, of one lane; of a window of any length those that were timed.
        bytes: Its size.
        microseconds: Of a call for one lane.
        largest_difference: To Keras, in units of the scaler.
    """

    file: str
    format: str
    form: str
    rows: int
    bytes: int
    microseconds: float
    largest_difference: float


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files: The models.
        left_out: Why a form of a format is not there, by both.
        compared: Rows after which forecasts were compared with Keras, of all lanes together.
    """

    files: tuple[Written, ...]
    left_out: dict[str, str]
    compared: int


def export_model(model: ServedModel, run_id: str, formats: Sequence[Format], folder: Path) -> Exported:
    """Write a model in some formats, run every file on the last rows of the run's data, and compare with Keras.

    Args:
        model: The seed, with its data.
        run_id: Of its run, for model.json.
        formats: What is written.
        folder: New or empty; it is there as a whole or not at all.

    Raises:
        UserError: If the model cannot be exported, something is not installed, or the folder is not empty.
        ExportError: If a file forecasts something else than Keras.
    """
    check_output(folder)
    check_installed(formats)
    layout = lay_out(model)
    reference = make_reference(model, layout)
    with fill_folder(folder) as unfinished:
        left_out: dict[str, str] = {}
        files = [
            written
            for each in formats
            for written in _write_format(model, layout, reference, each, unfinished, left_out)
        ]
        described = describe_model(model, layout, run_id) | {
            "files": [asdict(each) for each in files],
            "compared_with_keras": {"rows": reference.compared, "limit": LIMIT},
        }
        (unfinished / DESCRIPTION).write_text(_show(described), encoding="utf-8")
        np.savez(unfinished / STATE, allow_pickle=False, **take_state(model, layout, warm_lanes(model)))
        if not model.config.dataset.scaler_per_lane:  # a lane that the run does not know has no scaler then
            np.savez(unfinished / COLD, allow_pickle=False, **take_state(model, layout, _cold_lane(model)))
    return Exported(tuple(files), left_out, reference.compared)


def _write_format(
    model: ServedModel,
    layout: Layout,
    reference: Reference,
    each: Format,
    folder: Path,
    left_out: dict[str, str],
) -> Iterator[Written]:
    """Write both forms, as far as the model and the format have them; why not is noted in `left_out`."""
    about = f"{model.config.dataset.name}: {', '.join(model.output_names())}; see {DESCRIPTION}"

    def write(form: str) -> Written:
        graph = (make_step if form == STEP else make_window)(model, layout, precision(each))
        path = folder / f"{form}.{ENDINGS[each]}"
        write_form(each, graph, path, about)
        run = open_form(each, path)
        length = None if model.config.stateful else layout.lost + layout.rows_needed
        measured = measure_step(run, reference) if form == STEP else measure_window(run, reference, length)
        if not measured.difference <= LIMIT:
            raise ExportError(_explain(each, form, measured.difference))
        took = round(measured.microseconds, 1)
        return Written(path.name, each.value, form, measured.rows, path.stat().st_size, took, measured.difference)

    yield write(STEP)
    if each is Format.numpy:
        shutil.copyfile(numpy_runner.__file__, folder / Path(numpy_runner.__file__).name)
    reason = why_no_window(model)
    if reason is None and each is Format.litert and model.config.stateful:
        reason = "a carried state reads a history of any length, and this format has fixed ones"
    if reason is None:
        yield write(WINDOW)
    else:
        left_out[f"{each.value} {WINDOW}"] = reason


def _explain(each: Format, form: str, difference: float) -> str:
    told = (
        f"the {form} form of format={each.value} forecasts up to {show_number(difference, 2)} of the scaler's unit "
        f"away from Keras, more than {LIMIT:g}; nothing was written"
    )
    if each is Format.litert:
        return f"{told}. It computes with 32 bits, seven digits: large values with small changes need format=onnx"
    return f"{told}; this is a defect of the program, not of the data: please report it"


def _show(described: dict[str, Any]) -> str:
    """Return JSON with a line for each key: of ten thousand lanes a line for each number would be a book."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in described.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _cold_lane(model: ServedModel) -> Lanes:
    """Return one lane that has read nothing."""
    lanes = Lanes(model)
    lanes.open("")
    return lanes
