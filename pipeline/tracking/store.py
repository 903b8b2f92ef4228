"""Open the MLflow store: where it is, that it can be used, and its experiment, before any run starts."""

import logging
import os
import sqlite3
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from urllib.parse import unquote, urlsplit

import mlflow
from mlflow.entities import Experiment, LifecycleStage, Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.base.disk import explain_disk
from pipeline.base.errors import PipelineError, TrainingError, UserError
from pipeline.base.paths import home_dir
from pipeline.base.text import hide_password, suggest
from pipeline.config.gates import check_address
from pipeline.config.schema import TrackingConfig
from pipeline.tracking.bucket import ask_bucket, check_bucket
from pipeline.tracking.database import (
    artifact_folder,
    check_database,
    check_writable,
    database_path,
    follow_move,
    make_database,
)
from pipeline.tracking.outage import describe_outage, patient_client

log = logging.getLogger(__name__)

_VARIABLE = "MLFLOW_TRACKING_URI"
_SQLITE = "sqlite:///"
_SERVER = ("http://", "https://")
_SPOOL = "spool"
_SERVER_TIMEOUT_SECONDS = 5
PAGE = 1000  # runs that MLflow returns at once, at most


@dataclass(frozen=True)
class Store:
    """An MLflow store that answered, and the experiment that runs go to."""

    uri: str
    experiment_id: str
    spool: Path = field(default_factory=lambda: home_dir() / _SPOOL)  # keeps records while the store does not answer

    @property
    def client(self) -> mlflow.MlflowClient:
        """A client of this store: while that does not answer, it asks again for minutes."""
        return patient_client(self.uri)

    @property
    def shown(self) -> str:
        """Its address for people, without a password."""
        return hide_password(self.uri)

    @property
    def folder(self) -> Path | None:
        """The folder of a SQLite store, None of a server."""
        database = database_path(self.uri)
        return None if database is None else database.resolve().parent


def tracking_uri(tracking: TrackingConfig) -> str:
    """Return MLFLOW_TRACKING_URI if it is set, else tracking.uri, else the SQLite file in the project's folder.

    A name and password in the address of a server go where MLflow's client looks for them as well: in an address they
    would be part of its error messages.

    Raises:
        UserError: If tracking.uri holds a password.
    """
    given = os.environ.get(_VARIABLE)
    if not given:
        check_address(tracking.uri)
        given = tracking.uri
    if not given:
        return f"{_SQLITE}{home_dir() / 'mlflow.db'}"
    return _take_credentials(given) if given.startswith(_SERVER) else given


def _take_credentials(uri: str) -> str:
    parts = urlsplit(uri)
    names, at, host = parts.netloc.rpartition("@")
    if not at:
        return uri
    name, _, password = names.partition(":")
    os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(name), unquote(password)
    return parts._replace(netloc=host).geturl()


def open_store(tracking: TrackingConfig, wait: bool = False) -> Store:
    """Create the database and the experiment where they are missing, and make them MLflow's current ones.

    Any number of processes may do so at once.

    Args:
        tracking: Where the store is.
        wait: Whether a store that does not answer is asked again for minutes, as in the middle of a sweep.

    Raises:
        UserError: If the store cannot be used.
        TrainingError: If it could be used before, and does not answer.
    """
    _quieten()
    uri = tracking_uri(tracking)
    if not wait:
        _check_server(uri)
    database = database_path(uri)
    try:
        if database is not None:
            make_database(database)
            check_database(database)
            check_writable(database)
        _set_tracking_uri(uri)
        client = patient_client(uri) if wait else mlflow.MlflowClient(uri)
        found = client.get_experiment_by_name(tracking.experiment_name)
        experiment = found if found is not None else _create_experiment(client, uri, tracking.experiment_name)
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:  # ImportError: a database's driver
        if wait and (reason := describe_outage(error)) is not None:
            raise TrainingError(f"the MLflow store {hide_password(uri)} does not answer: {reason}") from error
        raise _unusable(uri, error) from error
    experiment_id = str(experiment.experiment_id)
    if found is not None:
        check_experiment(uri, found)
        if database is not None and (before := _follow_move(uri, database, experiment_id)) is not None:
            log.warning("the store has moved: new runs log their files beside %s, no longer in %s", database, before)
    if not wait:
        check_bucket(experiment.artifact_location)
    return Store(uri, experiment_id, Path(tracking.spool or home_dir() / _SPOOL).absolute())


def ask_store(store: Store) -> str | None:
    """Ask a store once; return why it does not answer, None if it does."""
    if (reason := _ask_server(store.uri)) is not None:
        return reason
    try:
        experiment = mlflow.MlflowClient(store.uri).get_experiment(store.experiment_id)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        return describe_outage(error)
    return ask_bucket(experiment.artifact_location)


def find_store(tracking: TrackingConfig, experiment: str | None) -> Store:
    """Open a store to read it: neither the store nor the experiment is created where it is missing.

    Args:
        tracking: Where the store is.
        experiment: Name of an experiment; None if the runs are known by their ids.

    Raises:
        UserError: If the store or the experiment is not there, or cannot be used.
    """
    uri = tracking_uri(tracking)
    database = database_path(uri)
    if database is not None and not database.exists():
        raise UserError(
            f"there is no MLflow store {uri}; train something first (python -m pipeline.run), or check tracking.uri "
            "and MLFLOW_TRACKING_URI"
        )
    _check_server(uri)
    _quieten()
    try:
        if database is not None:
            check_database(database)
        _set_tracking_uri(uri)
        client = mlflow.MlflowClient(uri)
        if experiment is None:
            return Store(uri, "")
        found = client.get_experiment_by_name(experiment)
        names = [] if found is not None else [each.name for each in client.search_experiments()]
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise _unusable(uri, error) from error
    if found is None:
        near = suggest(experiment, names, f"it has: {', '.join(sorted(names))}")
        raise UserError(f"there is no MLflow experiment '{experiment}' in {hide_password(uri)}; {near}")
    check_experiment(uri, found)
    return Store(uri, str(found.experiment_id))


def _follow_move(uri: str, database: Path, experiment_id: str) -> Path | None:
    try:
        return follow_move(database, experiment_id)
    except (sqlite3.Error, OSError) as error:
        raise _unusable(uri, error) from error


def search_runs(store: Store, filter_string: str, experiment_id: str | None = None) -> list[Run]:
    """Return the runs that MLflow finds in an experiment, by default the store's; the oldest first, no deleted ones."""
    experiment = store.experiment_id if experiment_id is None else experiment_id
    runs: list[Run] = []
    token = None
    while True:
        page = store.client.search_runs(
            [experiment], filter_string, max_results=PAGE, page_token=token, order_by=["attributes.start_time ASC"]
        )
        runs += page
        token = page.token
        if not token:
            return runs


def check_experiment(uri: str, experiment: Experiment) -> None:
    """Refuse an experiment that is deleted.

    Raises:
        UserError: With the command that restores it.
    """
    if experiment.lifecycle_stage != LifecycleStage.ACTIVE:
        command = restore_command(uri, "experiments", experiment.experiment_id)
        raise UserError(
            f"the MLflow experiment '{experiment.name}' in {hide_password(uri)} is deleted; restore it: {command}, "
            "or choose another tracking.experiment_name"
        )


def restore_command(uri: str, what: str, identity: str) -> str:
    """Return the command that brings back a deleted thing, ready to paste.

    Example:
        >>> restore_command("sqlite:////my runs/mlflow.db", "experiments", "1")
        "MLFLOW_TRACKING_URI='sqlite:////my runs/mlflow.db' mlflow experiments restore --experiment-id 1"
    """
    return f"{_VARIABLE}={quote(hide_password(uri))} mlflow {what} restore --{what.removesuffix('s')}-id {identity}"


def _unusable(uri: str, error: Exception) -> PipelineError:
    disk = explain_disk(error)
    if disk is not None:
        return TrainingError(f"the MLflow store {hide_password(uri)} cannot be used: {disk}")
    reason = hide_password(str(error).strip().splitlines()[0])
    if "error code 401" in reason or "error code 403" in reason:
        return UserError(
            f"the MLflow server {hide_password(uri)} lets nobody in by this name and password; set "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
    return UserError(
        f"the MLflow store {hide_password(uri)} cannot be used: {reason}; check tracking.uri and MLFLOW_TRACKING_URI"
    )


def _quieten() -> None:
    """Keep off the screen how MLflow creates its tables, and the traceback it logs of each error that it raises."""
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


def _set_tracking_uri(uri: str) -> None:
    """Make a store MLflow's current one, but leave the variable that wins over tracking.uri as the user set it."""
    before = os.environ.get(_VARIABLE)
    mlflow.set_tracking_uri(uri)
    if before is None:
        os.environ.pop(_VARIABLE, None)
    else:
        os.environ[_VARIABLE] = before


def _create_experiment(client: mlflow.MlflowClient, uri: str, name: str) -> Experiment:
    try:
        return client.get_experiment(client.create_experiment(name, artifact_location=_artifact_location(uri)))
    except MlflowException:
        found = client.get_experiment_by_name(name)  # another process was faster
        if found is None:
            raise
        return found


def _artifact_location(uri: str) -> str | None:
    """Put artifacts beside a SQLite file; a server decides for itself."""
    database = database_path(uri)
    return None if database is None else artifact_folder(database).as_uri()


def _check_server(uri: str) -> None:
    if (reason := _ask_server(uri)) is not None:
        raise UserError(
            f"the MLflow server {hide_password(uri)} does not answer ({reason}); start it, or change tracking.uri or "
            "MLFLOW_TRACKING_URI"
        )


def _ask_server(uri: str) -> str | None:
    """Ask a server once, a database not at all: MLflow's own retries would wait for minutes."""
    if not uri.startswith(_SERVER):
        return None
    try:
        address = f"{uri.rstrip('/')}/health"
        urllib.request.urlopen(address, timeout=_SERVER_TIMEOUT_SECONDS).close()  # noqa: S310 - http or https, see above
    except urllib.error.HTTPError:
        return None  # it answered; a proxy may not offer /health
    except (OSError, ValueError) as error:
        return hide_password(str(error))
    return None
