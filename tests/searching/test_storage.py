"""Where trials are kept: a file, or PostgreSQL, whose password nobody reads."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.searching.space import Options, Space
from pipeline.searching.storage import choose_place
from pipeline.searching.trials import open_trials
from tests.commands import run_command

PASSWORD = "not-for-your-eyes"
SPACE = Space({"look_back": Options(("1", "2"))}, {})


def find_program(name: str) -> str | None:
    """Debian keeps the server's programs off the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(debian[-1]) if debian else None)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL of this test's own; it refuses to run as root."""
    initdb, postgres = find_program("initdb"), find_program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("there is no PostgreSQL server on this machine: apt-get install postgresql")
    if find_spec("psycopg") is None:
        pytest.skip("there is no driver for PostgreSQL: pip install psycopg[binary]")
    owner = "postgres" if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp())
    (folder / "password").write_text(PASSWORD)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if owner is not None:
        for path in (folder, folder / "password"):
            shutil.chown(path, owner)
    made = [initdb, "-D", folder / "data", "-U", "me", "-A", "scram-sha-256", "--pwfile", folder / "password"]
    subprocess.run(made, check=True, capture_output=True, user=owner, cwd=folder)
    words = [postgres, "-D", folder / "data", "-p", str(port), "-h", "127.0.0.1", "-k", folder]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, user=owner, cwd=folder, **quiet) as process:
        try:
            yield wait_for(f"postgresql://me:{PASSWORD}@127.0.0.1:{port}/postgres")
        finally:
            process.terminate()
            process.wait(60)
    shutil.rmtree(folder)


def wait_for(uri: str) -> str:
    import time

    import psycopg

    for _ in range(300):
        try:
            psycopg.connect(uri).close()
            return uri
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise RuntimeError("the server does not answer")


def test_a_store_says_where_its_trials_are_kept(tmp_path: Path) -> None:
    """The trials of a PostgreSQL store go to a file that no other machine sees, or a password is printed."""
    assert choose_place("sqlite:////x/mlflow.db", tmp_path).name == str(tmp_path / "search.db")
    assert choose_place("http://127.0.0.1:5000", tmp_path).name == str(tmp_path / "search.db")
    for driver in ("", "+psycopg"):
        place = choose_place(f"postgresql{driver}://me:{PASSWORD}@host/runs", tmp_path)
        assert place.name == f"postgresql{driver}://me:***@host/runs"


@pytest.mark.skipif(find_spec("psycopg") is None, reason="there is no driver for PostgreSQL: psycopg[binary]")
def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """A search that cannot reach its database ends in a traceback, or prints the password."""
    place = choose_place(f"postgresql://me:{PASSWORD}@127.0.0.1:1/runs", tmp_path)
    with pytest.raises(UserError, match=r"the trials cannot be kept in postgresql://me:\*\*\*@127") as found:
        open_trials(place, "name", SPACE, "me", 1, resume=True)
    assert PASSWORD not in str(found.value)


@pytest.mark.thorough
def test_a_search_and_its_trials_live_in_postgresql(server: str, tmp_path: Path) -> None:
    """A search cannot be shared over machines, breaks MLflow's tables, or shows the password on the way."""
    (tmp_path / "mine.yaml").write_text(
        "look_back: choice(1,2)\ntraining.epochs: 2\nbatch_size: 16\nmodel.units: [2]\n"
    )
    words = ("dataset=airline", "search=mine.yaml", "budget=1", "seeds=1")
    environment = {**os.environ, "MLFLOW_TRACKING_URI": server}
    told = ""
    for more in ((), ("resume=true",)):
        done = run_command("pipeline.search", *words, *more, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
        told += done.stdout + done.stderr
    assert "resumed: 1 complete, " in told and PASSWORD not in told
    done = run_command("pipeline.forecast", "run=champion", cwd=tmp_path, env=environment)
    assert done.returncode == 0 and PASSWORD not in done.stdout + done.stderr, done.stderr
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(PASSWORD.encode() in text for text in texts)  # pages and tables
    assert not list(tmp_path.rglob("search.db"))
    import psycopg

    with psycopg.connect(server) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from lstm_pipeline_search.studies")
        assert cursor.fetchone() == (1,)
        cursor.execute("select value from tags")
        assert not any(PASSWORD in value for (value,) in cursor.fetchall())
