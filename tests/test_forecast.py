"""`python -m pipeline.forecast` as a user runs it, and a stream of the same run beside it."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient

from pipeline.command.arguments import run_entry
from pipeline.command.forecast import MANUAL, Arguments, forecast_run
from pipeline.command.served import fetch_model
from tests.commands import run_command

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Place:
    """A folder with a store that holds one run."""

    folder: Path
    run_id: str = ""

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    def run(self, *words: str, fresh: bool = False, **environment: str) -> tuple[int, str, str]:
        """Return exit code, output and complaints."""
        environment = {**os.environ, "MLFLOW_TRACKING_URI": self.uri, **environment}
        done = run_command(*words, fresh=fresh, cwd=self.folder, env=environment)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def place(served_sweep: Any) -> Place:
    """Its run has a state and a vector of three horizons, so that all three kinds of forecast are there."""
    client = MlflowClient(served_sweep.uri)
    experiment = client.get_experiment_by_name("lstm-pipeline")
    assert experiment is not None
    chosen = "params.horizon = '3' and params.stateful = 'true'"
    (run,) = client.search_runs([experiment.experiment_id], chosen)
    return Place(served_sweep.folder, run.info.run_id)


@dataclass(frozen=True)
class Done:
    """What one forecast printed, told and wrote."""

    code: int
    output: str
    complaints: str
    table: pd.DataFrame
    picture: bytes


@pytest.fixture(scope="module")
def done(place: Place) -> Done:
    words = ("pipeline.forecast", f"run={place.run_id}", "steps=24")
    code, output, complaints = place.run(*words, fresh=True, PYTHONPROFILEIMPORTTIME="1")
    assert code == 0, complaints
    table, picture = place.folder / "forecast.csv", place.folder / "forecast.png"
    return Done(code, output, complaints, pd.read_csv(table), picture.read_bytes())


def test_a_table_and_a_picture_are_written(done: Done) -> None:
    """Forecasts are printed and lost, or the picture is empty."""
    columns = ["target", "part", "timestamp", "actual", "free_run"]
    ends = [f"{end}_{level}" for level in (80, 95) for end in ("low", "high")]
    direct = ["one_step_ahead", "direct", *(f"direct_{end}" for end in ends)]
    assert list(done.table.columns) == [*columns, *ends, *direct]
    sure = done.table.dropna(subset=["low_95"])
    assert len(sure) > 24  # of long free runs too few are known for the first half
    assert ((sure["low_95"] <= sure["low_80"]) & (sure["low_80"] < sure["free_run"])).all()
    assert ((sure["high_95"] >= sure["high_80"]) & (sure["high_80"] > sure["free_run"])).all()
    assert done.table["part"].tolist() == ["backtest"] * 24 + ["future"] * 24
    assert done.picture.startswith(b"\x89PNG") and len(done.picture) > 10_000
    for text in ("RMSE over the backtest, in thousand passengers: one step ahead", "free run", "forecast.csv and "):
        assert text in done.output
    assert "1962-12-01" in done.output


def test_months_go_on_after_the_end(done: Done) -> None:
    """Forecasts of months are dated thirty days apart."""
    expected = pd.date_range("1959-01-01", "1962-12-01", freq="MS").strftime("%Y-%m-%d").tolist()
    assert done.table["timestamp"].tolist() == expected


def test_one_step_ahead_is_predictions_csv(place: Place, done: Done) -> None:
    """The forecasts beside the free run are those of another network, or of another month."""
    client = MlflowClient(place.uri)
    seeds, predictions = (
        pd.read_csv(client.download_artifacts(place.run_id, name)) for name in ("seeds.csv", "predictions.csv")
    )
    best = int(seeds.loc[seeds["validation_rmse"].idxmin(), "seed"])
    scored = predictions[predictions["horizon"] == 1].set_index("timestamp")
    back = done.table[done.table["part"] == "backtest"].set_index("timestamp")
    assert back["one_step_ahead"].to_numpy() == pytest.approx(scored[f"seed_{best}"][back.index].to_numpy(), rel=1e-5)
    assert back["actual"].to_numpy() == pytest.approx(scored["actual"][back.index].to_numpy())
    # All three kinds agree on the first step, for which the truth was the last input of each.
    for part in ("backtest", "future"):
        row = done.table[done.table["part"] == part].iloc[0]
        assert row["free_run"] == pytest.approx(row["one_step_ahead"]) == pytest.approx(row["direct"])
    assert done.table["direct"].notna().sum() == 6
    assert done.table["free_run"].notna().all()


def test_a_stream_of_the_last_row_forecasts_the_same(place: Place, done: Done) -> None:
    """Two commands forecast the next month differently from the same run."""
    (place.folder / "airline.csv").write_text((ROOT / "data" / "airline.csv").read_text())
    arguments = (f"run={place.run_id}", "start=cold", "input=airline.csv", "follow=false")
    code, output, complaints = place.run("pipeline.stream", *arguments)
    assert (code, complaints) == (0, "")
    lines = output.splitlines()
    assert lines[0].startswith("lane,timestamp,forecast_1,forecast_2,forecast_3,low_80_1,low_80_2,low_80_3,high_80_1")
    future = done.table[done.table["part"] == "future"]
    assert [float(cell) for cell in lines[-1].split(",")[2:5]] == pytest.approx(future["direct"][:3].tolist(), rel=1e-5)


def test_no_tensorflow_is_imported(done: Done) -> None:
    """A forecast of milliseconds waits ten seconds, and needs 0.8 GB."""
    assert "pipeline.serving.free_run" in done.complaints
    assert re.search(r"\| +(tensorflow|keras)\b", done.complaints) is None


def test_lanes_that_were_left_out_are_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person looks in vain for a shop in forecast.csv: it was too short to be trained on, and nobody says so."""
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place.uri)
    model = fetch_model(Arguments(run=place.run_id))

    def told(*names: str) -> list[str]:
        series = replace(model.data.series, short_lanes=names)
        served = replace(model, data=replace(model.data, series=series))
        monkeypatch.setattr("pipeline.command.forecast.fetch_model", lambda _, future: served)
        assert run_entry([f"run={place.run_id}", "output=lanes.csv"], Arguments, MANUAL, forecast_run) == 0
        return [line for line in capsys.readouterr().out.splitlines() if "Not forecast" in line]

    assert told() == []
    why = "too short to be trained on with look_back=4 and horizon=3 (dataset.short_lanes=leave_out)."
    assert told("north") == [f"Not forecast: north; 1 lane was {why}"]
    assert told(*"abcdefg") == [f"Not forecast: a, b, c, d, e and 2 more; 7 lanes were {why}"]


# Arguments, and what the one line on stderr says; RUN is the run id.
REFUSED = {
    "too many steps": (
        "run=RUN steps=200",
        "error: dataset 'airline' has 144 rows, too few to hold back steps=200 of them as a test; lower steps to 127",
    ),
    "no steps": ("run=RUN steps=0", "error: steps must be at least 1, but got steps=0"),
    "unknown run": ("run=nope", "error: run=nope is not in sqlite:"),
    "no folder": (
        "run=RUN output=none/next.csv",
        "error: output=none/next.csv: the folder none is not there",
    ),
    "unknown key": ("run=RUN step=3", "error: unknown key 'step'; did you mean 'steps'?"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_told_in_one_line_with_exit_code_2(
    place: Place, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake ends in a traceback, or in a file that looks right."""
    arguments, complaint = REFUSED[name]
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place.uri)
    words = arguments.replace("RUN", place.run_id).split()
    assert run_entry(words, Arguments, MANUAL, forecast_run) == 2
    output, complaints = capsys.readouterr()
    assert output == ""
    assert len(complaints.splitlines()) == 1
    assert complaints.startswith(complaint)


def test_a_mistake_is_told_by_the_command_itself(place: Place) -> None:
    """The exit code does not reach the shell."""
    code, output, complaints = place.run("pipeline.forecast", f"run={place.run_id}", "steps=200")
    assert (code, output) == (2, "")
    assert len(complaints.splitlines()) == 1 and complaints.startswith(REFUSED["too many steps"][1])


def test_help_names_every_key() -> None:
    """Nobody can use the command without reading its code."""
    done = run_command("pipeline.forecast", "--help", fresh=True)
    assert done.returncode == 0
    for text in ("run=RUN_ID|best", "steps=INTEGER", "output=FILE", "plot=FILE", "python -m pipeline.forecast"):
        assert text in done.stdout
