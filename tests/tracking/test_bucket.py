"""Files in S3: what keeps them from being had is said at once, in one line, before anything is trained."""

import socket
import sys
from collections.abc import Iterator

import pytest

from pipeline.base.errors import UserError
from pipeline.tracking import bucket
from pipeline.tracking.bucket import ask_bucket, check_bucket
from tests.s3_server import BUCKET, S3Server, run_s3

PLACE = f"s3://{BUCKET}/path"
LINE = rf"^files in {PLACE} cannot be reached: "


@pytest.fixture(autouse=True)
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_usable", set())


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with run_s3() as server:
        yield server


def use(variables: dict[str, str], patch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        patch.setenv(name, value)


@pytest.mark.parametrize("uri", ["file:///folder", "/folder", "mlflow-artifacts:/1"])
def test_of_other_places_nothing_is_asked(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who keeps files on a disk needs boto3, or waits for Amazon."""
    monkeypatch.setattr(bucket, "_make_client", lambda session: pytest.fail("it asked"))
    check_bucket(uri)
    assert ask_bucket(uri) is None


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours of training end with `No module named 'boto3'`, and are lost."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UserError, match=LINE + r".*boto3.*; pip install boto3$"):
        check_bucket(PLACE)


def test_a_server_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client of MLflow asks for minutes; or the line shows the key."""
    pytest.importorskip("boto3", reason="boto3 is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    use(S3Server(0, None, "name", "secret").variables | {"MLFLOW_S3_ENDPOINT_URL": address}, monkeypatch)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=LINE + rf"{address} does not answer; .*MLFLOW_S3_ENDPOINT_URL$"):
        check_bucket(PLACE)
    assert "secret" not in str(ask_bucket(PLACE))


@pytest.mark.thorough
def test_a_bucket_that_can_be_used_is_asked_once(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good keys are refused; or each of a thousand runs asks whether the bucket is there."""
    use(s3.variables, monkeypatch)
    assert ask_bucket(PLACE) is None
    check_bucket(PLACE)
    monkeypatch.setattr(bucket, "_make_client", lambda session: pytest.fail("it asked"))
    check_bucket(f"s3://{BUCKET}/elsewhere")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("wrong", "place", "line"),
    [
        (
            {"AWS_ACCESS_KEY_ID": "wrong"},
            BUCKET,
            "InvalidAccessKeyId.*; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, BUCKET, "SignatureDoesNotMatch.*; set AWS_ACCESS_KEY_ID"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, BUCKET, "missing: AWS_SECRET_ACCESS_KEY; set AWS_ACCESS_KEY_ID"),
        ({"AWS_PROFILE": "nobody"}, BUCKET, r"\(nobody\) could not be found; set AWS_ACCESS_KEY_ID"),
        ({}, "other", "NoSuchBucket: .*; make the bucket"),
        ({"MLFLOW_S3_ENDPOINT_URL": "no address"}, BUCKET, "no address.*; check MLFLOW_S3_ENDPOINT_URL"),
    ],
)
def test_what_is_wrong_is_named(
    s3: S3Server, wrong: dict[str, str], place: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong key costs hours of training, or who gave it must guess what was wrong; or it is shown."""
    use(s3.variables | wrong, monkeypatch)
    with pytest.raises(UserError, match=rf"^files in s3://{place}/x cannot be reached: .*{line}") as refused:
        check_bucket(f"s3://{place}/x")
    assert s3.secret not in str(refused.value) and "\n" not in str(refused.value)
