"""The MLflow store is there before the first run, where it was asked for, or the user learns why not."""

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

import pipeline
from pipeline.base.errors import UserError
from pipeline.base.paths import home_dir
from pipeline.config.schema import TrackingConfig
from pipeline.tracking.artifacts import local_folder
from pipeline.tracking.live import track_run
from pipeline.tracking.past import fetch_files
from pipeline.tracking.store import Store, find_store, open_store, tracking_uri

NUM_ROUNDS, NUM_WRITERS, NUM_EPOCHS = 1, 8, 50  # ROUNDS=20 for a longer look


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[Store]:
    """A fresh store where a first command was killed; creating its tables takes seconds, so these tests share it."""
    (folder / "deep").mkdir()
    with closing(sqlite3.connect(folder / "deep" / ".mlflow.db.unfinished")) as half:
        half.execute("CREATE TABLE registered_model_tags (key TEXT)")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield open_store(TrackingConfig(uri=f"sqlite:///{folder / 'deep' / 'mlflow.db'}"))


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_fresh_store_keeps_artifacts_beside_its_database(store: Store, folder: Path) -> None:
    """Files of runs land in whatever folder the first command was run from, and are lost when it is cleaned."""
    assert (folder / "deep" / "mlflow.db").is_file()
    experiment = store.client.get_experiment(store.experiment_id)
    assert experiment.name == "lstm-pipeline"
    assert experiment.artifact_location == (folder / "deep" / "mlruns").as_uri()


def test_a_store_whose_making_was_killed_is_made_anew(store: Store, folder: Path) -> None:
    """A kill in the first seconds of the first command leaves a database that no later command can use."""
    with closing(sqlite3.connect(folder / "deep" / "mlflow.db")) as made:
        assert made.execute("SELECT count(*) FROM experiments").fetchone()[0] >= 1
    assert not (folder / "deep" / ".mlflow.db.unfinished").exists()


def test_an_existing_experiment_is_opened_again(store: Store) -> None:
    """The second command makes a second experiment, so runs do not meet in one table."""
    assert open_store(TrackingConfig(uri=store.uri)) == store


def test_a_deleted_experiment_is_refused(store: Store) -> None:
    """Runs are logged into an experiment that nobody sees, or the error is MLflow's."""
    tracking = TrackingConfig(uri=store.uri, experiment_name="old")
    store.client.delete_experiment(open_store(tracking).experiment_id)
    with pytest.raises(UserError, match=r"'old'.*deleted; restore it.*tracking\.experiment_name"):
        open_store(tracking)
    with pytest.raises(
        UserError, match=r"MLFLOW_TRACKING_URI=sqlite:///\S+ mlflow experiments restore --experiment-id \d+,"
    ):
        find_store(tracking, "old")


def test_a_copied_folder_reads_and_logs_its_own_files(
    store: Store, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A project that was moved or handed on must be trained again, or its new runs land in the old place."""
    (tmp_path / "note.txt").write_text("of the run")
    tracking = TrackingConfig(uri=store.uri, experiment_name="moved")
    chosen = tmp_path / "disk" / "mlruns"
    chosen.mkdir(parents=True)
    store.client.create_experiment("chosen", artifact_location=chosen.as_uri())
    with track_run(open_store(tracking), "a run", {}, {}, None) as run:
        run.log_file(tmp_path / "note.txt")
    copy = tmp_path / "new place"
    shutil.copytree(folder / "deep", copy)
    shutil.rmtree(folder / "deep" / "mlruns" / run.run_id)

    moved = replace(tracking, uri=f"sqlite:///{copy / 'mlflow.db'}")
    fetch_files(find_store(moved, "moved"), run.run_id, ["note.txt"], tmp_path / "disk")
    assert (tmp_path / "disk" / "note.txt").read_text() == "of the run"
    for told in (1, 0):
        caplog.clear()
        opened = open_store(moved)
        assert caplog.text.count("the store has moved: new runs log their files beside") == told
    with track_run(opened, "a run", {}, {}, None) as new:
        new.log_file(tmp_path / "note.txt")
    assert (copy / "mlruns" / new.run_id / "artifacts" / "note.txt").is_file()
    experiment = open_store(replace(moved, experiment_name="chosen")).experiment_id
    assert opened.client.get_experiment(experiment).artifact_location == chosen.as_uri()


def test_a_server_that_is_not_there_is_named(free_port: int) -> None:
    """A server that is down means minutes of silent retries instead of a sentence."""
    with pytest.raises(UserError, match=rf"127\.0\.0\.1:{free_port} does not answer.*MLFLOW_TRACKING_URI"):
        open_store(TrackingConfig(uri=f"http://127.0.0.1:{free_port}"))


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """A wrong tracking.uri ends in a traceback of SQLAlchemy."""
    (tmp_path / "notes.db").write_text("not a database, but long enough to have a header of its own\n" * 10)
    with pytest.raises(UserError, match=r"notes\.db cannot be used: file is not a database; check tracking\.uri"):
        open_store(TrackingConfig(uri=f"sqlite:///{tmp_path / 'notes.db'}"))


# What lies where a database should, made by SQL unless it is a folder or empty; and the one line about it.
NO_STORES = {
    "folder": (None, r"it is a folder, not a file; write tracking\.uri=sqlite:///.*/a b\.db/mlflow\.db"),
    "empty": ("", r"the file is empty; train something first"),
    "another program's": ("create table songs (name text)", "a SQLite database, but not one of MLflow"),
    "half-made": ("create table alembic_version (version_num text)", "a SQLite database, but not one of MLflow"),
    "newer": (
        "create table alembic_version (version_num text); insert into alembic_version values ('fedcba987654')",
        "a newer MLflow than .* made it; install that one",
    ),
    "older": (
        "create table alembic_version (version_num text); insert into alembic_version values ('451aebb31d03')",
        r"older than .* made it; copy the file, then run: mlflow db upgrade 'sqlite:///.*/a b\.db'$",
    ),
}


@pytest.mark.parametrize("name", NO_STORES)
def test_what_is_no_store_of_this_mlflow_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    """A traceback, or a database of another version that is changed by a command that only reads."""
    script, told = NO_STORES[name]
    path = tmp_path / "a b.db"
    if script is None:
        path.mkdir()
    else:
        path.touch()
        with closing(sqlite3.connect(path)) as database:
            database.executescript(script)
    before = path.read_bytes() if path.is_file() else None
    commands = [lambda tracking: find_store(tracking, None)] + [open_store] * (name != "empty")  # training fills it
    for command in commands:
        with pytest.raises(UserError, match=told) as error:
            command(TrackingConfig(uri=f"sqlite:///{path}"))
        assert len(str(error.value).splitlines()) == 1
    assert before is None or path.read_bytes() == before


def test_a_store_that_can_only_be_read_is_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs of a colleague cannot be compared, or a training is lost at its end for it cannot be logged."""
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    tracking = TrackingConfig(uri=store.uri)
    assert find_store(tracking, "lstm-pipeline") == store
    with pytest.raises(UserError, match=r"can only be read: no permission to write to .*\.db and .*deep; give it"):
        open_store(tracking)


def test_a_scheme_that_mlflow_does_not_know_is_named() -> None:
    """A misspelt tracking.uri ends in a traceback of MLflow."""
    with pytest.raises(UserError, match=r"sqlit:///mlflow\.db cannot be used: .*; check tracking\.uri"):
        open_store(TrackingConfig(uri="sqlit:///mlflow.db"))


def test_a_second_store_is_the_one_that_was_asked_for(store: Store) -> None:
    """Who opens two stores in one process writes to the first twice: MLflow sets the variable that wins."""
    assert open_store(TrackingConfig(uri=store.uri)).uri == store.uri
    assert tracking_uri(TrackingConfig(uri="sqlite:///second.db")) == "sqlite:///second.db"


def test_the_environment_variable_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that sets MLFLOW_TRACKING_URI finds its runs in a local file instead."""
    given = TrackingConfig(uri="sqlite:///given.db")
    assert tracking_uri(given) == "sqlite:///given.db"
    assert tracking_uri(TrackingConfig()) == f"sqlite:///{home_dir() / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert tracking_uri(given) == tracking_uri(TrackingConfig()) == "http://127.0.0.1:5000"


@pytest.mark.parametrize("uri", ["http://me:secret@host:5000", "postgresql://me:secret@host/runs?x=1"])
def test_a_password_on_the_command_line_is_refused(uri: str) -> None:
    """Hydra keeps it in outputs/.hydra, and everybody who lists processes reads it."""
    with pytest.raises(UserError, match=r"MLFLOW_TRACKING_PASSWORD.*PGPASSWORD.*MLFLOW_TRACKING_URI") as refused:
        tracking_uri(TrackingConfig(uri=uri))
    assert "secret" not in str(refused.value)


def test_a_password_in_the_environment_is_taken_out_of_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's client writes the address, with the password, into each of its error messages."""
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "of another server")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:s%40cret@host:5000/path")
    assert tracking_uri(TrackingConfig()) == "https://host:5000/path"
    assert (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]) == ("me", "s@cret")


def test_artifacts_go_where_an_experiment_says(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A team keeps its files in S3, and the program sends them to a folder of its own, or trains before it asks."""
    asked: list[str] = []
    monkeypatch.setattr("pipeline.tracking.store.check_bucket", asked.append)
    store.client.create_experiment("in a cloud", artifact_location="s3://bucket/path")
    opened = open_store(TrackingConfig(uri=store.uri, experiment_name="in a cloud"))
    assert store.client.get_experiment(opened.experiment_id).artifact_location == "s3://bucket/path"
    open_store(TrackingConfig(uri=store.uri, experiment_name="in a cloud"), wait=True)
    assert asked == ["s3://bucket/path"]  # in the middle of a sweep its files can wait
    run = store.client.create_run(opened.experiment_id).info
    assert run.artifact_uri == f"s3://bucket/path/{run.run_id}/artifacts"
    assert local_folder(opened, run.run_id, run.artifact_uri) is None


WRITE_RUNS = """
import os, sys
from pathlib import Path
import mlflow.store.artifact.artifact_repository_registry
from pipeline.config.schema import TrackingConfig
from pipeline.tracking.live import track_run
from pipeline.tracking.store import open_store

def write_run(uri, writer, num_epochs):
    store = open_store(TrackingConfig(uri=uri))
    with track_run(store, str(writer), {"writer": str(writer)}, {}, None) as run:
        losses = [1.0 / (epoch + 1) for epoch in range(num_epochs)]
        run.log_metrics({"test_rmse": 1.0}, {"loss": losses, "val_loss": losses})
        run.log_file(Path(__file__))

folder, (num_rounds, num_writers, num_epochs) = sys.argv[1], map(int, sys.argv[2:])
for each in range(num_rounds):
    writers = []
    for writer in range(num_writers):  # forked before MLflow opens anything: its import, 3 s, is paid once
        writers.append(os.fork())
        if writers[-1] == 0:
            write_run(f"sqlite:///{folder}/{each}/mlflow.db", writer, num_epochs)
            os._exit(0)
    if any([os.waitpid(writer, 0)[1] for writer in writers]):
        sys.exit(1)
"""


def test_processes_that_start_at_once_in_an_empty_folder_lose_nothing(tmp_path: Path) -> None:
    """A cluster job starts eight trainings together: they die of half-made tables or locks, or values are lost."""
    num_rounds = int(os.environ.get("ROUNDS", NUM_ROUNDS))
    script = tmp_path / "write.py"
    script.write_text(WRITE_RUNS)
    with subprocess.Popen(
        [sys.executable, script, tmp_path, *map(str, (num_rounds, NUM_WRITERS, NUM_EPOCHS))],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as writers:
        try:
            _, errors = writers.communicate(timeout=600)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(writers.pid, signal.SIGKILL)
    assert writers.returncode == 0, errors
    for each in range(num_rounds):
        folder = tmp_path / str(each)
        assert {path.name for path in folder.iterdir()} == {"mlflow.db", ".mlflow.db.lock", "mlruns"}
        assert len(list(folder.glob("mlruns/*/artifacts/write.py"))) == NUM_WRITERS
        with closing(sqlite3.connect(folder / "mlflow.db")) as database:
            ended = database.execute("select status, count(*) from runs group by status").fetchall()
            ((num_writers,),) = database.execute("select count(distinct value) from params where key = 'writer'")
            ((num_values,),) = database.execute("select count(*) from metrics")
            experiments = database.execute("select name from experiments order by experiment_id").fetchall()
        assert ended == [("FINISHED", NUM_WRITERS)]
        assert num_writers == NUM_WRITERS
        assert num_values == NUM_WRITERS * (1 + 2 * NUM_EPOCHS)
        assert experiments == [("Default",), ("lstm-pipeline",)]


def test_reading_creates_nothing(store: Store, tmp_path: Path) -> None:
    """A typo in a path or a name leaves an empty database or experiment behind, and is reported as `no runs`."""
    missing = tmp_path / "typo.db"
    with pytest.raises(UserError, match=r"there is no MLflow store sqlite:///.*typo\.db; train something first"):
        find_store(TrackingConfig(uri=f"sqlite:///{missing}"), "lstm-pipeline")
    assert not missing.exists()
    tracking = TrackingConfig(uri=store.uri)
    with pytest.raises(UserError, match=r"no MLflow experiment 'lstm-pipelin' in .*; did you mean 'lstm-pipeline'\?"):
        find_store(tracking, "lstm-pipelin")
    assert store.client.get_experiment_by_name("lstm-pipelin") is None
    assert find_store(tracking, "lstm-pipeline") == store
    assert find_store(tracking, None).experiment_id == ""


def test_only_tracking_asks_mlflow() -> None:
    """A room reaches through the store to MLflow's client: another way to track runs would have to follow it there."""
    package = Path(pipeline.__file__).parent
    others = [path for path in package.rglob("*.py") if not path.is_relative_to(package / "tracking")]
    assert len(others) > 100
    assert [path.name for path in others if re.search(r"\.client\b", path.read_text())] == []
