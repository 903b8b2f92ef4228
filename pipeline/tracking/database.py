"""Create MLflow's SQLite file in one move: a killed command leaves none, and commands that start together make one."""

import fcntl
from pathlib import Path

import mlflow

_SCHEME = "sqlite:///"


def database_path(uri: str) -> Path | None:
    """Return the file of a SQLite URI, None for any other store."""
    plain = uri.removeprefix(_SCHEME)
    return Path(plain) if uri.startswith(_SCHEME) and plain and ":memory:" not in plain and "?" not in plain else None


def create_database(uri: str) -> None:
    """Create the SQLite file of a store with all its tables, if it is not there yet.

    MLflow makes its tables in some fifty steps, seconds in all, and never uses a file again that was left between two.
    """
    path = database_path(uri)
    if path is None or _is_there(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process, however it ends
        if _is_there(path):  # another process was faster
            return
        unfinished = path.with_name(f".{path.name}.unfinished")
        for left in (unfinished, unfinished.with_name(f"{unfinished.name}-journal")):
            left.unlink(missing_ok=True)
        mlflow.MlflowClient(f"{_SCHEME}{unfinished}").search_experiments(max_results=1)
        unfinished.replace(path)


def _is_there(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
