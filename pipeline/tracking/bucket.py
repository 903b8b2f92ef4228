"""Files of runs in S3: whether they can be had, asked once and answered at once, before hours of training.

MLflow's own client of S3 waits for minutes where nothing answers. This one is given the same keys and the same address.
"""

from typing import Any
from urllib.parse import urlsplit

from mlflow.environment_variables import (
    MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE,
    MLFLOW_S3_ENDPOINT_URL,
    MLFLOW_S3_IGNORE_TLS,
)

from pipeline.base.errors import UserError
from pipeline.base.text import hide_password

_SCHEME = "s3://"
_SECONDS = 5
_KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to keys that may list, read and write there"
_REMEDIES = {
    "NoSuchBucket": "make the bucket, or choose another place",
    "ImportError": "pip install boto3",
}
_usable: set[str] = set()  # buckets: asked once by a command


def check_bucket(uri: str) -> None:
    """Refuse files that lie in S3 and cannot be had.

    Args:
        uri: Where the files of an experiment or of a run lie; of another store than S3 nothing is asked.

    Raises:
        UserError: If boto3 is not installed, nobody answers, the bucket is not there, or the keys are not accepted.
    """
    bucket = urlsplit(uri).netloc
    if bucket in _usable:
        return
    if (refused := _ask(uri)) is not None:
        reason, remedy = refused
        raise UserError(f"{_describe(uri, reason)}; {remedy}")
    if uri.startswith(_SCHEME):
        _usable.add(bucket)


def ask_bucket(uri: str) -> str | None:
    """Ask once for files that lie in S3; return why they cannot be had, None if they can, or lie elsewhere."""
    refused = _ask(uri)
    return None if refused is None else _describe(uri, refused[0])


def _describe(uri: str, reason: str) -> str:
    return f"files in {uri} cannot be reached: {reason}"


def _ask(uri: str) -> tuple[str, str] | None:
    """Return why files cannot be had, and what to do."""
    if not uri.startswith(_SCHEME):
        return None
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
    except ImportError as error:
        return str(error), _REMEDIES["ImportError"]
    address = ""
    try:
        client = _make_client(boto3.Session())  # not the one it keeps, which in a notebook keeps what was refused
        address, parts = hide_password(client.meta.endpoint_url), urlsplit(uri)
        client.list_objects_v2(Bucket=parts.netloc, Prefix=parts.path.lstrip("/"), MaxKeys=1)
    except ClientError as error:
        told = error.response["Error"]
        reason = f"{address} says {told['Code']}: {told.get('Message', '').rstrip('.')}"
        return reason, _REMEDIES.get(told["Code"], _KEYS)
    except (ConnectionError, HTTPClientError):
        return f"{address} does not answer", "start it, or check MLFLOW_S3_ENDPOINT_URL"
    except BotoCoreError as error:  # no keys or half of them, a profile that is not there
        return str(error).rstrip("."), _KEYS
    except ValueError as error:
        return hide_password(str(error)), "check MLFLOW_S3_ENDPOINT_URL"
    return None


def _make_client(session: Any) -> Any:
    from botocore.config import Config

    style: Any = MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE  # MLflow has no types here
    endpoint: Any = MLFLOW_S3_ENDPOINT_URL
    ignore: Any = MLFLOW_S3_IGNORE_TLS
    quick = Config(
        connect_timeout=_SECONDS,
        read_timeout=_SECONDS,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": style.get()},
    )
    return session.client("s3", endpoint_url=endpoint.get(), verify=False if ignore.get() else None, config=quick)
