"""Where the trials of searches are kept: a SQLite file, or the PostgreSQL database that MLflow uses as well.

sqlite:///mlflow.db             search.db beside it          a lock file beside that
postgresql://host/runs          a schema of its own there    an advisory lock of the server
http://server:5000              search.db in the project     as with SQLite
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.base.text import hide_password

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

Lock = Callable[[], AbstractContextManager[None]]

FILE = "search.db"
_SCHEMA = "lstm_pipeline_search"  # MLflow and Optuna both have a table alembic_version
_KEY = 7_514_230_611  # of the advisory lock: any number that nobody else takes
_LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Place:
    """Where trials are kept.

    Attributes:
        name: For people, without a password.
        lock: Held by one process at a time; it ends with its process.
        open: Opens it for Optuna, and makes what is missing; called under the lock.
        remedy: What a person can do where it cannot be used.
    """

    name: str
    lock: Lock
    open: "Callable[[], RDBStorage]"
    remedy: str = "choose another tracking.uri"


def choose_place(uri: str, folder: Path) -> Place:
    """Return where the trials of an MLflow store are kept.

    Args:
        uri: Of the store.
        folder: For a file, where the store is no PostgreSQL database.
    """
    return place_on_server(uri) if uri.startswith(("postgresql:", "postgresql+")) else place_in_file(folder / FILE)


def place_in_file(file: Path) -> Place:
    """Keep trials in a SQLite file; it is made where it is missing."""
    return Place(
        name=str(file),
        lock=lock_by_file(file.with_name(f".{file.name}.lock")),
        open=lambda: _open_file(file),
        remedy="move that file away, or choose another tracking.uri",
    )


def place_on_server(uri: str) -> Place:
    """Keep trials in a PostgreSQL database, in a schema of their own."""
    return Place(hide_password(uri), lambda: _hold_server(uri), lambda: _open_server(uri))


def lock_by_file(path: Path) -> Lock:
    """Return a lock that the processes of one machine share."""
    return lambda: _hold_file(path)


def _open_file(file: Path) -> "RDBStorage":
    """Open the file: one write is one append to its log, which a killed process cannot tear."""
    import optuna
    from sqlalchemy import event

    def prepare(connection: Any, record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    storage = optuna.storages.RDBStorage(
        f"sqlite:///{file}", engine_kwargs={"connect_args": {"timeout": _LOCK_SECONDS}}
    )
    event.listen(storage.engine, "connect", prepare)
    storage.engine.dispose()
    return storage


@contextmanager
def _hold_file(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _open_server(uri: str) -> "RDBStorage":
    import optuna
    from sqlalchemy import NullPool, create_engine, make_url, text

    with create_engine(uri, poolclass=NullPool).begin() as connection:
        connection.execute(text(f"create schema if not exists {_SCHEMA}"))
    url = make_url(uri)
    given = url.query.get("options", "")
    options = f"{given if isinstance(given, str) else ' '.join(given)} -csearch_path={_SCHEMA}".strip()
    ours = url.update_query_dict({"options": options})  # not as arguments: Optuna's migrations know the URL alone
    return optuna.storages.RDBStorage(ours.render_as_string(hide_password=False), engine_kwargs={"pool_pre_ping": True})


@contextmanager
def _hold_server(uri: str) -> Iterator[None]:
    from sqlalchemy import NullPool, create_engine, text

    with create_engine(uri, poolclass=NullPool).begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _KEY})
        yield
