"""The SQLite file of a store: made once, whole, by one process, however many start together; looked at before use."""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import unquote, urlsplit

import mlflow
import sqlalchemy
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from pipeline.base.errors import UserError

_LOCK_SECONDS = 120.0  # making the tables takes 3 s on a slow machine
_BUSY_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 0.05
_SIDE_FILES = ("-journal", "-wal", "-shm")


def database_path(uri: str) -> Path | None:
    """Return the file of a SQLite store, None for any other store.

    Example:
        >>> database_path("sqlite:////data/my runs/mlflow.db")
        PosixPath('/data/my runs/mlflow.db')
        >>> database_path("http://127.0.0.1:5000") is None
        True
    """
    if not uri.startswith("sqlite:///"):
        return None
    name = sqlalchemy.make_url(uri).database
    return None if name in (None, "", ":memory:") or str(name).startswith("file:") else Path(str(name))


def artifact_folder(database: Path) -> Path:
    """Return the folder in which the artifacts of a SQLite store lie: beside its file."""
    return database.resolve().parent / "mlruns"


def local_path(uri: str) -> Path | None:
    """Return the folder of a file URI or a plain path, None for what a server or a cloud keeps."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else None


def follow_move(database: Path, experiment_id: str) -> Path | None:
    """Let new runs of an experiment log beside the database, where it was moved or copied from another folder.

    MLflow records for good where the artifacts of an experiment go. A place that somebody chose is left alone: moved is
    what went to `mlruns` beside a database, and now that folder is gone, or the files of its runs lie beside this one.

    Returns:
        The folder that was recorded, None if nothing had moved.
    """
    beside = artifact_folder(database)
    with closing(sqlite3.connect(database, timeout=_BUSY_SECONDS)) as connection, connection:
        where = "where experiment_id = ?"
        ((location,),) = connection.execute(f"select artifact_location from experiments {where}", [int(experiment_id)])
        recorded = local_path(location or "")
        if recorded is None or recorded.name != beside.name or recorded == beside:
            return None
        if recorded.is_dir() and beside.is_dir() and recorded.samefile(beside):
            return None
        runs = connection.execute(f"select run_uuid from runs {where}", [int(experiment_id)])
        if recorded.parent.is_dir() and not any((beside / run_id).is_dir() for (run_id,) in runs):
            return None
        connection.execute(
            f"update experiments set artifact_location = ? {where}", [beside.as_uri(), int(experiment_id)]
        )
    return recorded


def make_database(database: Path) -> None:
    """Make the file of a store with all its tables, unless it is there.

    The tables are made in a file of another name that is moved in one step: who comes meanwhile, or after a crash,
    finds no database or a whole one. A lock beside it lets one process do the work and the others wait.

    Raises:
        UserError: If the lock is held for minutes.
        OSError: If the folder cannot be written to.
    """
    if _has_content(database):
        return
    database = database.resolve()
    database.parent.mkdir(parents=True, exist_ok=True)
    with _lock(database.with_name(f".{database.name}.lock")):
        if _has_content(database):
            return
        unfinished = database.with_name(f".{database.name}.unfinished")
        for name in ("", *_SIDE_FILES):  # left by a process that was killed
            unfinished.with_name(unfinished.name + name).unlink(missing_ok=True)
        _make_tables(unfinished, artifact_folder(database))
        unfinished.replace(database)


def _make_tables(database: Path, artifacts: Path) -> None:
    make: Any = SqlAlchemyStore  # MLflow has no types here
    make(f"sqlite:///{database}", artifacts.as_uri()).engine.dispose()


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock that ends with its process; the file stays, for removing it would let two processes hold it."""
    with path.open("a") as file:
        end = time.monotonic() + _LOCK_SECONDS
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > end:
                raise UserError(
                    f"another process has been making the MLflow database for {_LOCK_SECONDS:.0f} s (it holds {path}); "
                    "wait for it or end it, then start again"
                )
            time.sleep(_LOOK_AGAIN_SECONDS)
        yield


def check_database(database: Path) -> None:
    """Refuse a file that MLflow would answer with a traceback, or that it would change without being asked.

    Raises:
        UserError: If it is no file, no database, one of something else, or one of another version of MLflow.
    """
    where = f"the MLflow store sqlite:///{database} cannot be used"
    elsewhere = "check tracking.uri and MLFLOW_TRACKING_URI"
    if database.is_dir():
        raise UserError(f"{where}: it is a folder, not a file; write tracking.uri=sqlite:///{database}/mlflow.db")
    if not _has_content(database):
        raise UserError(f"{where}: the file is empty; train something first (python -m pipeline.run), or {elsewhere}")
    try:
        version = _read_version(database)
    except sqlite3.DatabaseError as error:
        if "no such table" in str(error):
            reason = "it is a SQLite database, but not one of MLflow"
        elif "locked" in str(error):
            return  # MLflow waits for it
        else:
            reason = str(error)
        raise UserError(f"{where}: {reason}; {elsewhere}") from error
    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    if version == scripts.get_current_head():
        return
    try:
        scripts.get_revision(version)
    except CommandError as error:
        raise UserError(
            f"{where}: a newer MLflow than {mlflow.__version__} made it; install that one, or choose another "
            "tracking.uri"
        ) from error
    raise UserError(
        f"{where}: a version of MLflow older than {mlflow.__version__} made it; copy the file, then run: "
        f"mlflow db upgrade {quote(f'sqlite:///{database}')}"
    )


def check_writable(database: Path) -> None:
    """Refuse a store that can only be read, before anything is trained for it.

    Raises:
        UserError: Naming what cannot be written to; SQLite needs its folder, too.
    """
    locked = [str(path) for path in (database, database.resolve().parent) if not os.access(path, os.W_OK)]
    if locked:
        raise UserError(
            f"the MLflow store sqlite:///{database} can only be read: no permission to write to "
            f"{' and '.join(locked)}; give it, or choose another tracking.uri"
        )


def _read_version(database: Path) -> str:
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=rw", uri=True)) as connection:
        row = connection.execute("select version_num from alembic_version").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("no such table")
    return str(row[0])


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
