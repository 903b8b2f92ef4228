"""`make server`: PostgreSQL and MLflow with accounts, on which many train at once, and which may fail in between."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import mlflow
import psutil
import pytest
from mlflow import MlflowClient

from tests.commands import PIPES, run_command, start_command, wait_for_line
from tests.s3_server import BUCKET, run_s3
from tests.team_server import ADMIN_PASSWORD, PASSWORDS, SCRIPT, START_SECONDS, Team, open_team, why_not

SMALL = ("dataset=sine", "dataset.length=60", "seeds=1", "training.epochs=2")


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patch, open_team() as team:
        patch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        patch.setenv("MLFLOW_TRACKING_PASSWORD", ADMIN_PASSWORD)
        yield team
        mlflow.set_tracking_uri(None)


def sweep(experiment: str, *more: str) -> tuple[str, ...]:
    return ("pipeline.run", "-m", "look_back=1,3", *SMALL, f"tracking.experiment_name={experiment}", *more)


def check(team: Team, experiment: str, sweeps: Sequence[int]) -> None:
    """Every configuration has one FINISHED run that is whole, and nothing is left open."""
    jobs, parents = team.runs(experiment)
    finished = [run for run in jobs if run.info.status == "FINISHED"]
    assert sorted(run.data.params["look_back"] for run in finished) == ["1", "3"]
    assert not [run.info.status for run in jobs + parents if run.info.status == "RUNNING"]
    client = MlflowClient(team.address)
    for run in finished:
        files = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert {"weights.npz", "test_errors.npz", "predictions.csv", "config.yaml"} <= files
        assert {"test_rmse", "validation_rmse", "loss"} <= set(run.data.metrics) and "dataset.length" in run.data.params
        assert len(run.outputs.model_outputs) == 1
    assert len(parents) == len(sweeps)


@pytest.mark.parametrize("missing", sorted(PASSWORDS))
def test_a_server_without_a_password_does_not_start(missing: str, tmp_path: Path) -> None:
    """A server is open to everybody because nobody chose a password; or one is asked for that ends in a file."""
    kept = {name: value for name, value in PASSWORDS.items() if name != missing}
    environment = {name: value for name, value in os.environ.items() if name not in PASSWORDS}
    words = [sys.executable, SCRIPT, tmp_path / "server"]
    done = subprocess.run(words, env={**environment, **kept}, capture_output=True, text=True)
    assert done.returncode == 2 and f"export {missing}=" in done.stderr
    assert not list(tmp_path.iterdir())


def test_only_a_service_that_never_lives_is_given_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A database that dies twice in ten seconds ends a team's server; or one that cannot start is tried for ever."""
    spec = spec_from_file_location("server", SCRIPT)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(script := module_from_spec(spec))
    service = script.Service(tmp_path / "log", [sys.executable, "-c", "raise SystemExit(3)"], {})
    service.start()
    with pytest.raises(SystemExit, match="ended with 3; see"):
        for _ in range(10):
            assert service.process.wait() == 3
            service.revive()
    told = capsys.readouterr().err.splitlines()
    assert len(told) == script.MOST_DEATHS - 1 and all("ended with 3: started again" in line for line in told)
    service.started -= script.STEADY_SECONDS  # it lived well, and dies again
    service.revive()
    assert service.process.wait() == 3 and service.deaths == 1


@pytest.mark.thorough
def test_eight_sweeps_at_once_lose_no_row_and_show_no_password(team: Team, tmp_path: Path) -> None:
    """People who train at once lose runs or rows of each other; a password is written to a file that others read."""
    running = []
    for number in range(8):
        folder = tmp_path / str(number)
        folder.mkdir()
        words = sweep(f"team-{number}" if number < 4 else "shared", f"seed={number + 1}")
        with (folder / "output.txt").open("w") as output:
            running.append(start_command(*words, cwd=folder, env=team.environment, stdout=output, stderr=output))
    commands = [" ".join(each.cmdline()) for each in (*team.children("/bin/postgres -D"), *team.children("mlflow"))]
    assert [each.wait() for each in running] == [0] * 8
    for number in range(4):
        check(team, f"team-{number}", [0])
    jobs, parents = team.runs("shared")
    assert [run.info.status for run in jobs + parents] == ["FINISHED"] * 12
    client = MlflowClient(team.address)
    for run in jobs:
        assert len(client.get_metric_history(run.info.run_id, "loss")) == 2
    whole = set(jobs[0].data.metrics)
    assert all(set(run.data.metrics) == whole for run in jobs)
    files = [path for folder in (tmp_path, team.folder) for path in folder.rglob("*") if path.is_file()]
    files = [path for path in files if "database" not in path.parts]  # it keeps a hash of one, scrambled
    assert any(".hydra" in path.parts for path in files)
    for password in PASSWORDS.values():
        assert not [path for path in files if password.encode() in path.read_bytes()]
        assert not [command for command in commands if password in command]
        assert password not in repr([run.data.to_dictionary() for run in jobs + parents])


@pytest.mark.thorough
@pytest.mark.parametrize("fault", ["frozen", "away", "database"])
def test_a_sweep_outlives_a_fault_of_the_server(team: Team, tmp_path: Path, fault: str) -> None:
    """The server hangs for 20 s or is restarted after 60 s, or PostgreSQL is killed: a finished training is lost."""
    process = start_command(*sweep(fault, "training.epochs=40"), cwd=tmp_path, env=team.environment, **PIPES)
    wait_for_line(process, "at most")
    if fault == "frozen":
        frozen = team.children("mlflow")
        for each in frozen:
            each.suspend()
        time.sleep(20)
        for each in frozen:
            each.resume()
    elif fault == "away":
        team.stop()
        time.sleep(60)
        team.start()
    else:
        time.sleep(4)
        (postmaster, *_) = team.children("/bin/postgres -D")
        postmaster.kill()
    output, complaints = process.communicate()
    assert process.returncode == 0 and "Traceback" not in complaints, complaints
    assert "│" in output
    check(team, fault, [0])


@pytest.mark.thorough
def test_a_server_that_stays_away_costs_no_finished_training(team: Team, tmp_path: Path) -> None:
    """A training ends after the server was lost for good: it must be trained again, or is FINISHED twice."""
    impatient = {**team.environment, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    words = sweep("lost", "training.epochs=400", f"tracking.spool={tmp_path / 'spool'}")
    process = start_command(*words, cwd=tmp_path, env=impatient, **PIPES)
    wait_for_line(process, "at most")
    while not [run for run in team.runs("lost")[0] if run.info.status == "RUNNING"]:
        assert process.poll() is None
        time.sleep(0.1)
    team.stop()
    _, complaints = process.communicate()
    assert process.returncode == 1 and "Traceback" not in complaints and "resume=true" in complaints
    (record, *_) = (tmp_path / "spool").rglob("weights.npz")
    before = record.read_bytes()
    team.start()
    done = run_command(*words, "resume=true", cwd=tmp_path, env=team.environment)
    assert done.returncode == 0 and "is logged: FINISHED" in done.stderr and "already trained" in done.stderr
    check(team, "lost", [0, 1])
    assert not list((tmp_path / "spool").iterdir())
    jobs, _ = team.runs("lost")
    client = MlflowClient(team.address)
    kept = [
        client.download_artifacts(run.info.run_id, "weights.npz", str(tmp_path))
        for run in jobs
        if run.data.params["look_back"] == "1" and run.info.status == "FINISHED"
    ]
    assert Path(kept[0]).read_bytes() == before


@pytest.mark.thorough
def test_a_server_that_dies_is_started_again(team: Team) -> None:
    """MLflow is killed, memory having run out; its workers keep the port, and the new one cannot start."""
    time.sleep(10)  # a process that dies at once is given up
    (server, *workers) = team.children("mlflow server")
    server.kill()
    psutil.wait_procs([server, *workers], 60)
    assert not [worker for worker in workers if worker.is_running()]
    deadline = time.monotonic() + START_SECONDS
    while not team.answers():
        assert time.monotonic() < deadline and team.process is not None and team.process.poll() is None, team.log
        time.sleep(0.2)


@pytest.mark.thorough
def test_an_account_is_needed(team: Team, tmp_path: Path) -> None:
    """Anybody on the network reads and changes runs; or who forgot a password reads a traceback."""
    environment = {**team.environment, "MLFLOW_TRACKING_PASSWORD": "a wrong one that is long"}
    done = run_command("pipeline.run", *SMALL, cwd=tmp_path, env=environment)
    assert done.returncode == 2 and "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in done.stderr
    assert "a wrong one" not in done.stderr


@pytest.mark.thorough
def test_a_server_without_its_bucket_does_not_start(tmp_path: Path) -> None:
    """Whoever trains learns after hours that the team's server has nowhere to put files."""
    with run_s3() as s3:
        words = [sys.executable, SCRIPT, tmp_path / "server", "--artifacts", "s3://other/runs"]
        done = subprocess.run(words, env={**os.environ, **PASSWORDS, **s3.variables}, capture_output=True, text=True)
    assert done.returncode == 2 and "NoSuchBucket" in done.stderr and "make the bucket" in done.stderr
    assert s3.secret not in done.stderr and not list(tmp_path.iterdir())


@pytest.mark.thorough
def test_a_server_keeps_files_in_s3_with_keys_that_nobody_else_has(tmp_path: Path) -> None:
    """Whoever trains needs the keys of the team's S3, or a time in which it is away costs a training."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    with run_s3() as s3, open_team(("--artifacts", f"s3://{BUCKET}/runs"), s3.variables) as team:
        process = start_command(*sweep("in-s3"), cwd=tmp_path, env=team.environment, **PIPES)
        wait_for_line(process, "at most")
        s3.stop()
        time.sleep(15)
        s3.start()
        output, complaints = process.communicate()
        assert process.returncode == 0 and "Traceback" not in complaints and "│" in output, complaints
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**team.variables, "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false"}.items():
                patch.setenv(name, value)
            check(team, "in-s3", [0])
            jobs, _ = team.runs("in-s3")
        mlflow.set_tracking_uri(None)
        files = s3.files("runs/")
        for run in jobs:
            assert [path for path in files if path.endswith(f"/{run.info.run_id}/artifacts/weights.npz")]
        assert not (team.folder / "server" / "artifacts").exists()
        told = [path.read_bytes() for folder in (tmp_path, team.folder) for path in folder.rglob("*") if path.is_file()]
        assert not [each for each in [*told, *files.values()] if s3.secret.encode() in each]
