"""A store that does not answer for a while: what is asked of it is asked again, and what it may not take is told apart.

MLflow's client repeats a request to a server itself, for four minutes (MLFLOW_HTTP_REQUEST_MAX_RETRIES and
MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR say how often); to a database it does not. There the same numbers hold.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, TypeVar, cast

import mlflow
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR, MLFLOW_HTTP_REQUEST_MAX_RETRIES
from mlflow.exceptions import MlflowException, RestException
from sqlalchemy.exc import InterfaceError, OperationalError

from pipeline.base.disk import explain_disk
from pipeline.base.interrupt import wait_for_safe_point
from pipeline.base.text import hide_password

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_LONGEST_PAUSE = 120.0  # seconds, as MLflow's client has it
_LONGEST_REASON = 200  # characters
_ASKED_LONG = "API request to http"  # what MLflow's client says when it has given up
_DENIED = re.compile(r"error code 40[13] ")  # a password that was changed while something was trained
_STORES = ("botocore.", "boto3.", "google.", "azure.", "requests.", "urllib3.")  # libraries that carry files
_UNREACHED = re.compile("Connect|Timeout|HTTPClient|Streaming|IncompleteRead|Credential|Token")  # what they call it
_REFUSED = ("NoSuchBucket", "ExpiredToken", "RequestTimeout")  # by S3, which says otherwise what is wrong by a status
_REFUSALS = (401, 403, 408, 429)  # and from 500


def describe_outage(error: BaseException) -> str | None:
    """Say in one line that a store did not answer, or let nobody in; None if the error is about something else.

    Example:
        >>> describe_outage(ConnectionRefusedError(111, "Connection refused"))
        '[Errno 111] Connection refused'
        >>> describe_outage(ValueError("no such colour")) is None
        True
    """
    if explain_disk(error) is not None or isinstance(error, RestException):
        return None
    for each in _chain(error):
        text = str(each).strip()
        if _is_outage(each, text):
            line = next(iter(text.splitlines()), type(each).__name__)
            return hide_password(line.rpartition("Caused by ")[2])[:_LONGEST_REASON]
    return None


def explain_outage(error: BaseException) -> str | None:
    """Return what is said where a store that does not answer ends a command, or a job; None: it is something else."""
    reason = describe_outage(error)
    return None if reason is None else f"the MLflow store does not answer: {reason}"


def patiently(act: Callable[[], Answer]) -> Answer:
    """Act; while the store does not answer act again, with longer and longer pauses, for four minutes."""
    for pause in _pauses():
        try:
            return act()
        except Exception as error:
            reason = describe_outage(error)
            if reason is None or _ASKED_LONG in str(error):
                raise
            log.warning("the MLflow store does not answer, asked again in %.0f s: %s", pause, reason)
            time.sleep(pause)
    return act()


def patient_client(uri: str) -> mlflow.MlflowClient:
    """Return a client of a store, each of whose calls is patient.

    A call to a database is done before a first signal counts: of one that is cut off SQLAlchemy may keep the
    transaction, and so the lock of the file, while the run is closed. A server has transactions of its own.
    """
    keeps_locks = not uri.startswith("http")
    return cast(mlflow.MlflowClient, _Patient(mlflow.MlflowClient(uri), keeps_locks))


class _Patient:
    def __init__(self, client: mlflow.MlflowClient, keeps_locks: bool) -> None:
        self._client, self._keeps_locks = client, keeps_locks

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def act(*given: Any, **named: Any) -> Any:
            signalled = threading.current_thread() is threading.main_thread()
            with wait_for_safe_point() if self._keeps_locks and signalled else nullcontext():
                return method(*given, **named)

        return lambda *given, **named: patiently(lambda: act(*given, **named))


def _pauses() -> Iterator[float]:
    retries: Any = MLFLOW_HTTP_REQUEST_MAX_RETRIES  # MLflow has no types here
    factor: Any = MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR
    for attempt in range(retries.get()):
        yield min(factor.get() * 2.0**attempt, _LONGEST_PAUSE)


def _is_outage(error: BaseException, text: str) -> bool:
    if isinstance(error, ConnectionError | TimeoutError | InterfaceError):
        return True
    if isinstance(error, OperationalError):
        return "(sqlite3." not in text or "locked" in text  # of a file nothing else passes by waiting
    if isinstance(error, MlflowException):
        return _ASKED_LONG in text or _DENIED.search(text) is not None
    return _carries_files(error) and _is_away(error)


def _is_away(error: BaseException) -> bool:
    answer = getattr(error, "response", None)
    if not isinstance(answer, dict):
        return _UNREACHED.search(type(error).__name__) is not None
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)  # as botocore has it
    return status >= 500 or status in _REFUSALS or answer.get("Error", {}).get("Code") in _REFUSED


def _carries_files(error: BaseException | None) -> bool:
    return type(error).__module__.startswith(_STORES)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and what led to it; MLflow and boto3 say anew what S3 said, without naming it as the cause."""
    while error is not None:
        yield error
        error = error.__cause__ or (error.__context__ if _carries_files(error.__context__) else None)
