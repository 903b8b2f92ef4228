"""A sweep on a real MLflow server is read back over HTTP, and its models answer with the numbers of predictions.csv."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from mlflow.pyfunc import load_model

from tests.commands import run_command, start_command

pytestmark = pytest.mark.thorough  # two servers; tests/serving/test_frames.py has the answers without them

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS, ANSWER_SECONDS = 600, 600
LOOK_BACK = 4
AIRLINE = pd.read_csv(ROOT / "data" / "airline.csv")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve(arguments: Sequence[str], port: int, health: str, folder: Path, **environment: str) -> Iterator[str]:
    """Start `python -m mlflow ARGUMENTS` on a loopback port; give its address once it answers; end all of it."""
    address = f"http://127.0.0.1:{port}"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # MLflow starts uvicorn by its name
    with (folder / f"{port}.log").open("w+") as log:
        words = ("mlflow", *arguments, "--host", "127.0.0.1", "--port", str(port))
        environment = {**os.environ, "PATH": path, **environment}
        process = start_command(*words, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not answers(f"{address}{health}"):
                assert process.poll() is None and time.monotonic() < deadline, (folder / f"{port}.log").read_text()
                time.sleep(0.2)
            yield address
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=ANSWER_SECONDS).close()
    except urllib.error.HTTPError:
        raise
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Served:
    """A stateless and a stateful run, logged to a server that is running."""

    address: str
    done: subprocess.CompletedProcess[str]
    folder: Path

    @property
    def runs(self) -> dict[str, Run]:
        """The runs by `stateful`, and the sweep above them by `sweep`."""
        client = MlflowClient(self.address)
        experiment = client.get_experiment_by_name("lstm-pipeline")
        assert experiment is not None
        return {run.data.params.get("stateful", "sweep"): run for run in client.search_runs([experiment.experiment_id])}

    def file(self, stateful: str, name: str) -> Path:
        run_id = self.runs[stateful].info.run_id
        target = self.folder / stateful
        target.mkdir(exist_ok=True)
        return Path(download_artifacts(run_id=run_id, artifact_path=name, dst_path=target, tracking_uri=self.address))

    def model(self, stateful: str) -> str:
        """Return the URI of the run's model."""
        (model,) = self.runs[stateful].outputs.model_outputs
        return f"models:/{model.model_id}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    port = free_port()
    arguments = (
        "server",
        "--backend-store-uri",
        f"sqlite:///{folder / 'server.db'}",
        "--artifacts-destination",
        str(folder / "server_artifacts"),
        "--workers",
        "1",
    )
    sweep = (
        "-m",
        "stateful=false,true",
        f"look_back={LOOK_BACK}",
        "batch_size=4",
        "training.epochs=2",
        "seeds=2",
    )
    with serve(arguments, port, "/health", folder, MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false") as address:
        environment = {**os.environ, "MLFLOW_TRACKING_URI": address}
        done = run_command("pipeline.run", *sweep, cwd=folder, env=environment)
        yield Served(address, done, folder)


def test_a_sweep_is_logged_to_a_server_and_read_back(served: Served) -> None:
    """Runs cannot be shared on a server: they are missing, unfinished or without scores when read over HTTP."""
    assert served.done.returncode == 0, served.done.stderr
    runs = served.runs
    assert set(runs) == {"sweep", "true", "false"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    for stateful in ("true", "false"):
        run = runs[stateful]
        assert run.data.tags["mlflow.parentRunId"] == runs["sweep"].info.run_id
        table = pd.read_csv(served.file(stateful, "predictions.csv"))
        test = table[table["part"] == "test"]
        each = [np.sqrt(np.mean((test[f"seed_{seed}"] - test["actual"]) ** 2)) for seed in (1, 2)]
        assert run.data.metrics["test_rmse"] == pytest.approx(np.mean(each), rel=1e-9)
    assert not (served.folder / "mlruns").exists()


def test_the_summary_sends_people_to_the_server(served: Served) -> None:
    """The last line names a command that does not work: `mlflow ui` cannot open a server's address as its database."""
    assert served.address in served.done.stdout.splitlines()[-1]
    assert "--backend-store-uri http" not in served.done.stdout


def check(served: Served, stateful: str, answer: pd.DataFrame) -> None:
    """Compare forecasts made at each row with what the run itself has forecast for the row after it."""
    seeds = pd.read_csv(served.file(stateful, "seeds.csv"))
    best = int(seeds.loc[seeds["validation_rmse"].idxmin(), "seed"])
    table = pd.read_csv(served.file(stateful, "predictions.csv"))
    test = table[table["part"] == "test"]
    times = pd.to_datetime(answer["month"]).dt.strftime("%Y-%m-%d")
    assert times.iloc[-1] == test["timestamp"].iloc[-1]
    assert answer["forecast"].to_numpy()[-len(test) - 1 : -1] == pytest.approx(
        test[f"seed_{best}"].to_numpy(), rel=1e-5
    )


def test_a_served_model_answers_raw_rows_with_the_numbers_of_predictions_csv(served: Served) -> None:
    """What is deployed forecasts something else than what was scored."""
    rows = AIRLINE.to_dict(orient="split", index=False)
    arguments = ("models", "serve", "--model-uri", served.model("false"), "--env-manager", "local")
    with serve(arguments, free_port(), "/ping", served.folder, MLFLOW_TRACKING_URI=served.address) as address:
        request = urllib.request.Request(
            f"{address}/invocations",
            json.dumps({"dataframe_split": rows}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            predictions = json.load(answer)["predictions"]
    assert len(predictions) == len(AIRLINE) - LOOK_BACK + 1
    check(served, "false", pd.DataFrame(predictions))


def test_a_stateful_model_reads_its_past_from_the_rows_it_is_given(served: Served) -> None:
    """A model of a stateful run is served without the state that made its scores."""
    mlflow.set_tracking_uri(served.address)
    try:
        model = load_model(served.model("true"))
    finally:
        mlflow.set_tracking_uri(None)
    check(served, "true", model.predict(AIRLINE))
