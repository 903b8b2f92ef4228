"""Files of runs in S3, past any server: a sweep whose experiment lies in a bucket, and S3 that goes away in between."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.commands import PIPES, run_command, start_command, wait_for_line
from tests.conftest import MakeStore
from tests.s3_server import BUCKET, S3Server, run_s3

pytestmark = pytest.mark.thorough  # whole sweeps; tests/tracking/test_bucket.py has the errors without them

SMALL = ("dataset=sine", "dataset.length=60", "seeds=1", "training.epochs=2")
ESSENTIAL = {"config.yaml", "predictions.csv", "test_errors.npz", "weights.npz", "scaling.json"}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with run_s3() as server:
        yield server


@dataclass(frozen=True)
class Place:
    """An experiment whose numbers are in a database of its own and whose files are in S3."""

    s3: S3Server
    folder: Path
    uri: str

    @property
    def experiment(self) -> str:
        return self.folder.name

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.s3.variables, "MLFLOW_TRACKING_URI": self.uri}

    def words(self, *more: str) -> tuple[str, ...]:
        """Return a sweep of two configurations."""
        own = (f"tracking.experiment_name={self.experiment}", f"tracking.spool={self.folder / 'spool'}")
        return ("pipeline.run", "-m", "look_back=1,3", *SMALL, *own, *more)

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        done = run_command(*words, cwd=self.folder, env=self.environment | variables)
        assert "Traceback" not in done.stderr and self.s3.secret not in done.stdout + done.stderr
        return done

    def jobs(self) -> list[Run]:
        client = MlflowClient(self.uri)
        found = client.get_experiment_by_name(self.experiment)
        assert found is not None
        return [run for run in client.search_runs([found.experiment_id]) if "config_hash" in run.data.tags]

    def check(self) -> dict[str, dict[str, bytes]]:
        """Every configuration has one FINISHED run that is whole, nothing is open; return the files of each run."""
        jobs = self.jobs()
        finished = {run.info.run_id: run for run in jobs if run.info.status == "FINISHED"}
        assert sorted(run.data.params["look_back"] for run in finished.values()) == ["1", "3"]
        assert not [run for run in jobs if run.info.status == "RUNNING"]
        files: dict[str, dict[str, bytes]] = {}
        for path, content in self.s3.files(f"{self.experiment}/").items():
            _, run_id, _, name = path.split("/", 3)
            files.setdefault(run_id, {})[name] = content
        for run_id in finished:
            assert files[run_id].keys() >= ESSENTIAL and all(files[run_id][name] for name in ESSENTIAL)
        return {run_id: files[run_id] for run_id in finished}


@pytest.fixture
def place(s3: S3Server, tmp_path: Path, make_store: MakeStore) -> Iterator[Place]:
    uri = make_store(tmp_path)
    MlflowClient(uri).create_experiment(tmp_path.name, artifact_location=f"s3://{BUCKET}/{tmp_path.name}")
    yield Place(s3, tmp_path, uri)
    mlflow.set_tracking_uri(None)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert tmp_path / "mlflow.db" in files
    everything = {**files, **s3.files(f"{tmp_path.name}/")}  # logs, settings, tags, records that were kept
    assert not [path for path, content in everything.items() if s3.secret.encode() in content]


def test_a_sweep_keeps_its_files_in_s3_and_every_command_reads_them(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A team's files go elsewhere, cannot be read back, or are trained again.

    That the secret key is in no file is looked at after every test.
    """
    done = place.run(*place.words())
    assert done.returncode == 0 and "│" in done.stdout, done.stderr
    before = place.check()
    assert not list(place.folder.rglob("weights.npz")) and not (place.folder / "mlruns").exists()

    again = place.run(*place.words("resume=true"))
    assert again.returncode == 0 and again.stderr.count("already trained") == 2 and place.check() == before
    compared = place.run("pipeline.compare", f"experiment={place.experiment}")
    assert compared.returncode == 0 and "look_back" in compared.stdout, compared.stderr
    run_id = next(run.info.run_id for run in place.jobs() if run.data.params["look_back"] == "3")
    forecast = place.run("pipeline.forecast", f"run={run_id}", "output=forecast.csv")
    assert forecast.returncode == 0 and len(pd.read_csv(place.folder / "forecast.csv")) > 0, forecast.stderr
    exported = place.run("pipeline.export", f"run={run_id}", "format=numpy", "output=model")
    assert exported.returncode == 0 and list((place.folder / "model").iterdir()), exported.stderr

    for name, value in place.s3.variables.items():
        monkeypatch.setenv(name, value)
    (output,) = MlflowClient(place.uri).get_run(run_id).outputs.model_outputs
    mlflow.set_tracking_uri(place.uri)
    answers = mlflow.pyfunc.load_model(f"models:/{output.model_id}").predict(rows_of(before[run_id], place.folder))
    assert np.isfinite(answers.select_dtypes("number").to_numpy()).all()


def rows_of(files: dict[str, bytes], folder: Path) -> pd.DataFrame:
    """Return the rows that a run read."""
    (folder / "predictions.csv").write_bytes(files["predictions.csv"])
    read = pd.read_csv(folder / "predictions.csv").rename(columns={"timestamp": "step", "actual": "value"})
    return read[["step", "value"]]


def test_s3_that_is_away_for_a_while_costs_nothing(place: Place) -> None:
    """S3 is restarted in the middle of a sweep, and a finished training is FAILED."""
    process = start_command(*place.words(), cwd=place.folder, env=place.environment, **PIPES)
    wait_for_line(process, "at most")
    place.s3.stop()
    try:
        wait_for_line(process, "asked again in")
    finally:
        place.s3.start()
    output, complaints = process.communicate()
    assert process.returncode == 0 and "Traceback" not in complaints and "│" in output, complaints
    place.check()
    assert not list((place.folder / "spool").glob("*"))


def test_s3_that_stays_away_costs_no_finished_training(place: Place) -> None:
    """A training ends after S3 was lost for good: it must be trained again, is FINISHED without files, or twice."""
    environment = place.environment | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    process = start_command(*place.words(), cwd=place.folder, env=environment, **PIPES)
    wait_for_line(process, "at most")
    place.s3.stop()
    try:
        _, complaints = process.communicate()
        assert process.returncode == 1 and "Traceback" not in complaints and "resume=true" in complaints
        assert place.s3.address in complaints and place.s3.secret not in complaints
        kept = {path.parts[-4]: path.read_bytes() for path in (place.folder / "spool").rglob("weights.npz")}
        assert len(kept) == 2 and not [run for run in place.jobs() if run.info.status == "FINISHED"]
        refused = place.run(*place.words("resume=true"))
        compared = place.run("pipeline.compare", f"experiment={place.experiment}")
    finally:
        place.s3.start()
    assert refused.returncode == 2 and "does not answer; start it" in refused.stderr
    assert compared.returncode == 2 and "none" in compared.stderr  # of them is finished
    done = place.run(*place.words("resume=true"))
    assert done.returncode == 0 and done.stderr.count("is logged: FINISHED") == 2, done.stderr
    assert done.stderr.count("already trained") == 2
    assert {run_id: files["weights.npz"] for run_id, files in place.check().items()} == kept
    assert not list((place.folder / "spool").iterdir())


def test_files_that_cannot_be_read_now_are_not_taken_for_lost(place: Place) -> None:
    """S3 is away, and who compares or forecasts is told that the files are gone and to train again."""
    assert place.run(*place.words()).returncode == 0
    run_id = place.jobs()[0].info.run_id
    commands = (("pipeline.compare", f"experiment={place.experiment}"), ("pipeline.forecast", f"run={run_id}"))
    place.s3.stop()
    try:
        away = [place.run(*words) for words in commands]
    finally:
        place.s3.start()
    for done in away:
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
        assert f"{place.s3.address} does not answer; start it" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "a wrong one"}, "SignatureDoesNotMatch"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "InvalidAccessKeyId"),
        ({"PYTHONPATH": "without"}, "pip install boto3"),
    ],
)
def test_what_keeps_a_sweep_from_s3_is_said_before_it_is_trained(
    place: Place, wrong: dict[str, str], line: str
) -> None:
    """A wrong key, or a missing package, is found after hours of training, and costs them."""
    (place.folder / "without").mkdir()
    (place.folder / "without" / "boto3.py").write_text("raise ModuleNotFoundError(\"No module named 'boto3'\")\n")
    fresh = "PYTHONPATH" in wrong
    done = run_command(*place.words(), cwd=place.folder, env=place.environment | wrong, fresh=fresh)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and line in done.stderr, done.stderr
    assert done.stderr.startswith("error: files in s3://") and "wrong one" not in done.stderr
    assert not place.jobs()
