"""A store that does not answer: what is asked again, and what is another error that no waiting mends."""

import os
import signal
from collections.abc import Callable
from errno import ENOSPC

import pytest
from mlflow.exceptions import MlflowException, RestException
from sqlalchemy.exc import OperationalError

from pipeline.base.interrupt import interruptible
from pipeline.tracking import outage
from pipeline.tracking.outage import describe_outage, patiently

REFUSED = (
    "API request to http://me:secret@host:5000/api/2.0/mlflow/runs/log-batch failed with exception HTTPConnectionPool("
    "host='host', port=5000): Max retries exceeded with url: /api (Caused by ResponseError('too many 503 error "
    "responses'))"
)


def lose_connection(text: str) -> MlflowException:
    """What MLflow makes of an error of its database."""
    error = MlflowException(text)
    error.__cause__ = OperationalError(text, None, Exception(text))
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MlflowException(REFUSED), "ResponseError('too many 503 error responses'))"),
        (MlflowException("API request to endpoint /api failed with error code 401 != 200"), "error code 401"),
        (lose_connection("terminating connection due to administrator command"), "administrator command"),
        (lose_connection("(sqlite3.OperationalError) database is locked"), "database is locked"),
        (ConnectionResetError("reset"), "reset"),
        (TimeoutError(), "TimeoutError"),
        (MlflowException("API request to http://me:secret@host failed with timeout exception x"), "me:***@host"),
    ],
)
def test_a_store_that_does_not_answer_is_told_from_other_errors(error: Exception, reason: str) -> None:
    """A finished training is thrown away because its server was restarted; or a password is shown."""
    described = describe_outage(error)
    assert described is not None and reason in described and "secret" not in described


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no such colour"),
        MlflowException("Invalid metric name"),
        RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "API request to http://x failed"}),
        lose_connection("(sqlite3.OperationalError) attempt to write a readonly database"),
        lose_connection("(sqlite3.OperationalError) database or disk is full"),
        OSError(ENOSPC, "No space left on device"),
    ],
)
def test_what_waiting_does_not_mend_is_no_outage(error: Exception) -> None:
    """A wrong name, or a full disk, is tried again for minutes, or kept for ever as a record that nobody can log."""
    assert describe_outage(error) is None


def fail_times(times: int, error: Exception) -> Callable[[], str]:
    left = [error] * times

    def act() -> str:
        if left:
            raise left.pop()
        return "answer"

    return act


def test_a_database_is_asked_again_with_longer_and_longer_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL is restarted, and the run that logs to it fails at once; or it is asked without a pause."""
    pauses: list[float] = []
    monkeypatch.setattr(outage.time, "sleep", pauses.append)
    assert patiently(fail_times(3, ConnectionResetError("reset"))) == "answer"
    assert pauses == [2, 4, 8]
    with pytest.raises(ConnectionResetError, match="reset"):
        patiently(fail_times(8, ConnectionResetError("reset")))
    assert len(pauses) == 3 + 7 and sum(pauses[3:]) == 2 + 4 + 8 + 16 + 32 + 64 + 120


@pytest.mark.parametrize("error", [ValueError("no"), MlflowException(REFUSED)])
def test_what_was_asked_long_enough_is_not_asked_again(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's client has waited for four minutes already, and everything is done seven times more."""
    monkeypatch.setattr(outage.time, "sleep", lambda seconds: pytest.fail("it waited"))
    with pytest.raises(type(error)):
        patiently(fail_times(1, error))


@pytest.mark.parametrize(("keeps_locks", "written"), [(True, ["begun", "done"]), (False, ["begun"])])
def test_a_signal_cuts_off_no_write_to_a_database(
    keeps_locks: bool, written: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is ended keeps the lock of the SQLite file while it closes its run: nobody can write for minutes.

    A call to a server, which may last for minutes where that is away, is cut off.
    """
    monkeypatch.setattr("pipeline.base.interrupt._asked", [])  # no other test hears of this signal
    found: list[str] = []

    class Store:
        def write(self) -> None:
            found.append("begun")
            os.kill(os.getpid(), signal.SIGTERM)
            found.append("done")

    with interruptible(), pytest.raises(KeyboardInterrupt):
        outage._Patient(Store(), keeps_locks).write()  # type: ignore[arg-type]
    assert found == written


def refuse(code: str, status: int) -> Exception:
    """What MLflow raises when S3 refuses: an error that says it anew, without a cause."""
    exceptions = pytest.importorskip("botocore.exceptions", reason="boto3 is not installed")
    answer = {"Error": {"Code": code, "Message": "the reason"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    try:
        try:
            raise exceptions.ClientError(answer, "PutObject")
        except exceptions.ClientError:
            raise MlflowException("Failed to list artifacts in s3://bucket/path")  # noqa: B904 - as it does
    except MlflowException as error:
        return error


@pytest.mark.parametrize(
    ("code", "status"),
    [("ExpiredToken", 400), ("SignatureDoesNotMatch", 403), ("NoSuchBucket", 404), ("SlowDown", 503), ("503", 503)],
)
def test_s3_that_lets_nobody_in_is_away(code: str, status: int) -> None:
    """Keys that expire after an hour, or a bucket that somebody removed, cost a finished training."""
    described = describe_outage(refuse(code, status))
    assert described is not None and code in described and "the reason" in described


@pytest.mark.parametrize(("code", "status"), [("NoSuchKey", 404), ("404", 404), ("InvalidArgument", 400)])
def test_a_file_that_is_not_in_s3_is_no_outage(code: str, status: int) -> None:
    """A run without a file is asked for it for minutes."""
    assert describe_outage(refuse(code, status)) is None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("EndpointConnectionError", {"endpoint_url": "http://host"}),
        ("ReadTimeoutError", {"endpoint_url": "http://host"}),
        ("ConnectionClosedError", {"endpoint_url": "http://host"}),
        ("NoCredentialsError", {}),
        ("CredentialRetrievalError", {"provider": "x", "error_msg": "y"}),
    ],
)
def test_s3_that_does_not_answer_is_away(name: str, values: dict[str, str]) -> None:
    """S3 hangs, or what gives out its keys does, and a finished training is lost."""
    exceptions = pytest.importorskip("botocore.exceptions", reason="boto3 is not installed")
    assert describe_outage(getattr(exceptions, name)(**values)) is not None
