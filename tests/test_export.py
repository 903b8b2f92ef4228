"""`python -m pipeline.export` as a person uses it, and what they find in the folder."""

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from pipeline.command.arguments import run_entry
from pipeline.command.export import MANUAL, Arguments, export_run
from pipeline.command.served import fetch_model
from pipeline.exporting.files import Run, open_form
from pipeline.exporting.formats import ENDINGS, Format
from pipeline.serving.lanes import warm_lanes
from tests.commands import run_command
from tests.conftest import ROOT, Swept

PAGE = ROOT / "docs" / "how-to" / "export.md"
EVERY = ("onnx", "litert", "keras", "numpy")


@dataclass(frozen=True)
class Place:
    """A store, a folder for what is exported, and the runs by whether they carry a state."""

    uri: str
    folder: Path
    runs: dict[bool, str]

    def export(self, *words: str) -> int:
        return run_entry([*words, f"tracking.uri={self.uri}"], Arguments, MANUAL, export_run)

    def output(self, name: str) -> str:
        return f"output={self.folder / name}"


@pytest.fixture(scope="module")
def place(served_sweep: Swept, tmp_path_factory: pytest.TempPathFactory) -> Place:
    client = MlflowClient(served_sweep.uri)
    experiment = client.get_experiment_by_name("lstm-pipeline")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], "params.horizon = '3'")
    runs = {run.data.params["stateful"] == "true": run.info.run_id for run in found}
    return Place(served_sweep.uri, tmp_path_factory.mktemp("exports"), runs)


def export_every(place: Place, stateful: bool) -> Path:
    folder = f"every_{stateful}"
    words = (f"run={place.runs[stateful]}", f"format=[{','.join(EVERY)}]", place.output(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.exporting.parity._SECONDS", 0.01)  # nobody reads the times
        assert place.export(*words) == 0
    return place.folder / folder


@pytest.fixture(scope="module")
def exported(place: Place) -> Path:
    """Every format of the run that carries a state: of LiteRT the step form only, which is converted at once."""
    return export_every(place, True)


@pytest.fixture(scope="module")
def exported_stateless(place: Place) -> Path:
    return export_every(place, False)


def last_rows(place: Place, stateful: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the airline data, (time, 1), and what `stream` would forecast after a next row of 450."""
    model = fetch_model(Arguments(run=place.runs[stateful], uri=place.uri, format=()))
    return model.data.rows, warm_lanes(model).advance(np.array([0]), np.array([[450.0]]))


def open_files(folder: Path, name: str) -> tuple[Run, Run | None]:
    """Return both forms of a format, the window if it is there."""
    step, window = (folder / f"{form}.{ENDINGS[Format[name]]}" for form in ("step", "window"))
    return open_form(Format[name], step), open_form(Format[name], window) if window.exists() else None


@pytest.mark.parametrize("name", EVERY)
def test_every_format_forecasts_what_stream_does(name: str, place: Place, exported: Path) -> None:
    """onnxruntime, the LiteRT interpreter, Keras or NumPy forecasts the next month differently from `stream`."""
    rows, expected = last_rows(place, True)
    step, window = open_files(exported, name)
    with np.load(exported / "state.npz", allow_pickle=False) as state:
        made = step({"row": np.array([[450.0]]), **state})
    assert made["forecast"] == pytest.approx(expected, rel=1e-5)
    assert (window is None) == (name == "litert")
    if window is not None:
        whole = np.concatenate([rows, [[450.0]]])[None]
        assert window({"rows": whole})["forecast"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("name", EVERY)
def test_every_format_reads_windows(name: str, place: Place, exported_stateless: Path) -> None:
    """A network without a carried state forecasts something else than `stream` in one of the formats."""
    rows, expected = last_rows(place, False)
    step, window = open_files(exported_stateless, name)
    with np.load(exported_stateless / "state.npz", allow_pickle=False) as state:
        made = step({"row": np.array([[450.0]]), **state})
    assert made["forecast"] == pytest.approx(expected, rel=1e-5)
    assert window is not None
    latest = np.concatenate([rows[-15:], [[450.0]]])[None]
    assert window({"rows": np.repeat(latest, 2, axis=0)})["forecast"] == pytest.approx(
        np.repeat(expected, 2, 0), rel=1e-5
    )


def test_what_goes_in_and_comes_out_is_described(exported: Path, place: Place) -> None:
    """Nobody can use the files without reading the code that wrote them."""
    about = json.loads((exported / "model.json").read_text())
    assert (about["run"], about["columns"], about["targets"]) == (place.runs[True], ["passengers"], ["passengers"])
    assert about["horizon_steps"] == [1, 2, 3] and about["rows_before_the_first_forecast"] == 12
    assert about["state"] == {"missing": [1], "seasonal_difference_2": [12, 1], "h_1": [4], "c_1": [4]}
    assert about["last_timestamps"] == ["1960-12-01 00:00:00"]
    radii = np.array(about["intervals"]["radii"], float)
    assert radii.shape == (1, 3, 1, 2) and (radii[..., 1] > radii[..., 0]).all() and (radii > 0).all()
    everything = {(name, form) for name in EVERY for form in ("step", "window")}
    assert {(each["format"], each["form"]) for each in about["files"]} == everything - {("litert", "window")}
    for each in about["files"]:
        assert (exported / each["file"]).stat().st_size == each["bytes"]
        assert 0 <= each["largest_difference"] <= 1e-5 and each["microseconds"] > 0


def test_no_file_holds_code_or_needs_this_package(exported: Path) -> None:
    """Loading a model executes something, or fails where this package is not installed."""
    with zipfile.ZipFile(exported / "step.keras") as archive:
        config = archive.read("config.json").decode()
    assert "pipeline" not in config and "Lambda" not in config
    for name in ("step.npz", "window.npz", "state.npz", "cold.npz"):
        with np.load(exported / name, allow_pickle=False) as file:
            assert all(file[each].dtype != object for each in file.files)
    imports = re.findall(r"^(?:import|from) (\S+)", (exported / "numpy_runner.py").read_text(), re.MULTILINE)
    assert set(imports) == {"json", "numpy", "collections.abc", "typing"}


def test_the_table_names_every_file(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """A person does not see what a format costs, or cannot fill a folder they made."""
    (place.folder / "table").mkdir()
    assert place.export(f"run={place.runs[False]}", "format=numpy", place.output("table")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["format", "form", "file", "rows", "bytes", "microseconds", "off", "Keras", "by"]
    size = (place.folder / "table" / "step.npz").stat().st_size
    assert lines[1].split()[:5] == ["numpy", "step", "step.npz", "1", f"{size:,}"]
    assert lines[2].split()[:4] == ["numpy", "window", "window.npz", "16"]
    assert lines[-1].endswith("table holds it, with model.json and the states to begin with.")


def test_another_forecast_than_that_of_keras_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that forecasts something else leaves the house, or half a folder stays behind."""
    monkeypatch.setattr("pipeline.exporting.export.LIMIT", -1.0)
    assert place.export(f"run={place.runs[True]}", "format=numpy", place.output("refused")) == 1
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert "error: the step form of format=numpy forecasts up to" in complaint and "nothing was written" in complaint
    assert [path.name for path in place.folder.iterdir() if "refused" in path.name] == []


def test_mistakes_are_told_before_anything_is_loaded(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder is overwritten, or a person waits for TensorFlow only to read that a package is missing."""
    full = place.folder / "full"
    full.mkdir(exist_ok=True)
    (full / "mine.txt").write_text("mine")
    words = (f"run={place.runs[True]}", "format=onnx")

    def complain(*words: str) -> str:
        assert place.export(*words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert "full is there and is not empty; name a new folder, nothing is overwritten" in complain(
        *words, place.output("full")
    )
    assert "the folder" in complain(*words, place.output("none/inner"))
    assert "format= names no format" in complain(words[0], "format=[]", place.output("new"))
    monkeypatch.setattr("pipeline.exporting.formats.find_spec", lambda name: None)
    needs = "format=onnx needs onnx and onnxruntime: pip install 'lstm-pipeline[export]'"
    assert needs in complain(*words, place.output("new"))
    assert (full / "mine.txt").read_text() == "mine" and len(list(full.iterdir())) == 1


def test_help_names_every_key() -> None:
    """Nobody can use the command without reading its code."""
    done = run_command("pipeline.export", "--help")
    assert done.returncode == 0
    for text in ("format=onnx|litert|keras|numpy", "output=FOLDER", "run=RUN_ID|best", "python -m pipeline.export"):
        assert text in done.stdout


def ask(port: int, lane: str, row: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/lanes/{lane}", json.dumps(row).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def serve(script: Path, folder: Path) -> tuple[subprocess.Popen[str], int]:
    words: Sequence[str] = (sys.executable, "-I", str(script), str(folder), "0")
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    return server, int(server.stdout.readline().rsplit(":", 1)[1])


def test_the_example_serves_a_model_without_this_package(place: Place, exported: Path, tmp_path: Path) -> None:
    """The 60 lines that the docs show do not run, import this package, or mix up the states of lanes."""
    (shown,) = re.findall(r"<!-- file: serve_onnx.py -->\n```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert len(shown.splitlines()) <= 60 and not re.search(r"^\s*(import|from) pipeline", shown, re.M)
    script = tmp_path / "serve_onnx.py"
    script.write_text(shown)
    server, port = serve(script, exported)
    try:
        _, expected = last_rows(place, True)
        status, answer = ask(port, "airline", {"passengers": 450})
        assert status == 200
        assert [each["forecast"] for each in answer["forecasts"]] == pytest.approx(expected.ravel().tolist(), rel=1e-5)
        assert answer["forecasts"][0]["low_95"] < answer["forecasts"][0]["forecast"]
        new = [ask(port, "new", {"passengers": 400 + row})[1]["forecasts"][0]["forecast"] for row in range(13)]
        assert new[:12] == [None] * 12 and new[12] > 0
        assert ask(port, "airline", {"pilots": 3})[0] == 400
        assert ask(port, "airline", {"passengers": "many"})[0] == 400
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
