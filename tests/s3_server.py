"""A server like Amazon's S3 of the tests' own: moto's, in a process of its own on a free port of this machine.

It checks keys and signatures. Its files are in the memory of the process: they outlast a time in which it does not
listen, and are gone with the test. This file is also the script that the process runs.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import pytest

BUCKET = "bucket"
_ALLOWED = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


@dataclass(frozen=True)
class S3Server:
    """A server that can be away, and the keys of its only account.

    Attributes:
        port: On this machine.
        process: Does what it reads, word by word: guard, stop, start.
        key_id: Names the key.
        secret: The key itself, which nothing may show.
    """

    port: int
    process: subprocess.Popen[str]
    key_id: str = ""
    secret: str = ""

    @property
    def address(self) -> str:
        """Of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """What a command that keeps its files there finds in its environment."""
        keys = {"AWS_ACCESS_KEY_ID": self.key_id, "AWS_SECRET_ACCESS_KEY": self.secret}
        return {**keys, "AWS_DEFAULT_REGION": "us-east-1", "MLFLOW_S3_ENDPOINT_URL": self.address}

    def client(self, service: str = "s3") -> Any:
        """Return a client of boto3."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.address,
            region_name="us-east-1",
            aws_access_key_id=self.key_id or "nobody",
            aws_secret_access_key=self.secret or "nobody",
        )

    def files(self, prefix: str = "", bucket: str = BUCKET) -> dict[str, bytes]:
        """Return every file below a path, by its path."""
        client = self.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        names = [each["Key"] for page in pages for each in page.get("Contents", [])]
        return {name: client.get_object(Bucket=bucket, Key=name)["Body"].read() for name in names}

    def stop(self) -> None:
        """Listen no longer."""
        self._tell("stop")

    def start(self) -> None:
        """Listen again, with all files."""
        self._tell("start")

    def _tell(self, word: str) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == f"{word}\n"


@contextmanager
def run_s3() -> Iterator[S3Server]:
    """Run a server with a bucket while the block lasts; without moto or boto3 the test is skipped."""
    for name in ("moto", "boto3"):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install --no-deps -r .ci/moto-requirements.txt boto3")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, __file__], text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            server = S3Server(int(process.stdout.readline()), process)
            server.client().create_bucket(Bucket=BUCKET)
            accounts = server.client("iam")
            accounts.create_user(UserName="trainer")
            accounts.put_user_policy(UserName="trainer", PolicyName="files", PolicyDocument=json.dumps(_ALLOWED))
            key = accounts.create_access_key(UserName="trainer")["AccessKey"]
            server._tell("guard")
            yield S3Server(server.port, process, key["AccessKeyId"], key["SecretAccessKey"])
        finally:
            process.kill()


def _serve() -> None:
    from moto import settings
    from moto.server import ThreadedMotoServer

    quiet: dict[str, Any] = {"ip_address": "127.0.0.1", "verbose": False}
    server = ThreadedMotoServer(port=0, **quiet)
    server.start()
    _, port = server.get_host_and_port()
    print(port, flush=True)
    for line in sys.stdin:
        if line == "guard\n":
            settings.INITIAL_NO_AUTH_ACTION_COUNT = 0  # who comes from now on needs a key
        elif line == "stop\n":
            server.stop()
        else:
            server = ThreadedMotoServer(port=port, **quiet)
            server.start()
        print(line, end="", flush=True)


if __name__ == "__main__":
    _serve()
