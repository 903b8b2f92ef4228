"""`python -m pipeline.serve` as a team runs it: over a port, with kill -9 in between."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from pipeline.command.served import ServedRun, fetch_model
from pipeline.serving.stream import Stream
from tests.commands import SECONDS, run_command, start_command

MONTHS = ["1961-01-01", "1961-02-01", "1961-03-01", "1961-04-01", "1961-05-01", "1961-06-01"]
VALUES = [450, 418, 472, 487, 500, 579]


@pytest.fixture(scope="module")
def folder(served_sweep: Any) -> Path:
    return Path(served_sweep.folder)


def find_run(folder: Path) -> str:
    """Return the stateful run of one step ahead."""
    client = MlflowClient(environment(folder)["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("lstm-pipeline")
    assert experiment is not None
    asked = "params.stateful = 'true' and params.horizon = '1'"
    (run,) = client.search_runs([experiment.experiment_id], asked)
    return str(run.info.run_id)


def environment(folder: Path, token: str = "") -> dict[str, str]:
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}", "LSTM_PIPELINE_TOKEN": token}
    return {**os.environ, **store}


@contextmanager
def serving(folder: Path, *words: str, token: str = "") -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Start a service and yield it with its address; what it leaves running is killed."""
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    with start_command(
        "pipeline.serve",
        f"run={find_run(folder)}",
        "port=0",
        *words,
        cwd=folder,
        env=environment(folder, token),
        **pipes,
    ) as process:
        try:
            assert process.stderr is not None
            told = ""
            for line in process.stderr:
                told += line
                if "serving run" in line:
                    break
            assert "http://" in told, told
            yield process, told.partition("http://")[2].split()[0]
        finally:
            process.kill()


def ask(address: str, path: str, body: Any = None, token: str = "") -> Any:
    """Ask a service; a refusal is its status and words."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(f"http://{address}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)["error"]


def post(address: str, lane: str, place: int) -> float:
    row = {"month": MONTHS[place], "passengers": VALUES[place]}
    (forecast,) = ask(address, f"/lanes/{lane}/rows", {"rows": [row]})["forecasts"]
    return float(forecast["forecast"])


@pytest.mark.parametrize("durability", ["interval", pytest.param("each", marks=pytest.mark.thorough)])
def test_a_service_that_is_killed_forecasts_on_as_if_it_had_not(folder: Path, tmp_path: Path, durability: str) -> None:
    """Rows that were answered are lost with their process, or the service is another network than the stream."""
    served_run = ServedRun(run=find_run(folder), uri=environment(folder)["MLFLOW_TRACKING_URI"])
    stream = Stream(fetch_model(served_run), True, pytest.fail)
    rows = [f"{month},{value}" for month, value in zip(MONTHS, VALUES, strict=True)]
    expected = [float(numbers[0]) for _, numbers in stream.answer(["month,passengers", *rows])]
    words = (f"state={tmp_path / 's.npz'}", f"durability={durability}")
    with serving(folder, *words) as (process, address):
        served = [post(address, "airline", place) for place in range(3)]
        process.send_signal(signal.SIGKILL)
        process.wait()
    with serving(folder, *words) as (process, address):
        assert post(address, "airline", 2) == served[2]  # an answer that was lost on the way is asked for again
        served.append(post(address, "airline", 3))
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    with serving(folder, *words) as (process, address):
        served += [post(address, "airline", place) for place in (4, 5)]
        assert ask(address, "/lanes/airline")["rows"] == 6
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
    assert served == expected


def test_a_token_of_the_environment_is_required(folder: Path) -> None:
    """A service that others reach answers anybody."""
    with serving(folder, "host=0.0.0.0", token="secret") as (_, address):
        local = address.replace("0.0.0.0", "127.0.0.1")
        assert ask(local, "/lanes")[0] == 401
        found = ask(local, "/lanes", token="secret")
        assert (found["number"], found["lanes"][0]["lane"], found["lanes"][0]["rows"]) == (1, "airline", 0)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["run=nothing"], "nothing"),
        (["run=best", "port=99999"], "port=99999 is no port; choose one from 1 to 65535, or 0 for a free one"),
        (["run=best", "host=0.0.0.0"], "host=0.0.0.0 can be reached by others: set the variable LSTM_PIPELINE_TOKEN"),
        (["run=best", "host=203.0.113.7", "port=0"], "can be reached by others"),
        (["run=best", "lanes=0"], "lanes must be above zero, but got lanes=0"),
        (["run=best", "state=/nowhere/s.npz"], "/nowhere"),
        (["run=best", "state=."], "state=. is a folder; name a file in it, for example state=lanes.npz"),
        (["run=best", "durability=never"], "unknown durability 'never'; choose from each, interval"),
    ],
)
def test_wrong_input_ends_with_2_before_anything_is_served(folder: Path, words: list[str], text: str) -> None:
    """A service starts with a mistake in its command, and is found out when it matters."""
    done = run_command("pipeline.serve", *words, cwd=folder, env=environment(folder))
    assert (done.returncode, done.stdout) == (2, "")
    assert text in done.stderr
