"""A Redis server of the tests' own: on a free port of this machine, in memory, gone with the test."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

PATIENCE_SECONDS = 60


@contextmanager
def run_redis(folder: Path) -> Iterator["redis.Redis[bytes]"]:
    """Run a server while the block lasts; without Debian's redis-server the test is skipped."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        try:
            client = redis.Redis(port=port)
            end = time.monotonic() + PATIENCE_SECONDS
            while True:
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    assert time.monotonic() < end and process.poll() is None, "redis-server did not start"
                    time.sleep(0.02)
            yield client
            client.close()
        finally:
            process.kill()


def address_of(client: "redis.Redis[bytes]", stream: str) -> str:
    """Return how the keys of a command name a stream."""
    return f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}/0?stream={stream}"
