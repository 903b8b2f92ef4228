"""Measure `pipeline.serve` under load: single rows over connections that stay open, and blocks of many lanes.

python benchmarks/serve.py                   60 s of each, on this machine
python benchmarks/serve.py --seconds 10      a short look
python benchmarks/serve.py --lanes 10000     memory of so many lanes, too

The load comes from a process of its own. A small model is trained first; what is measured is the service, with its
state file on disk.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

CONNECTIONS = 32
BLOCK = 400
WARM_UP = 2.0  # seconds that are not counted
TRAIN = (
    "dataset=csv", "dataset.time_column=day", "dataset.features=[value]", "dataset.targets=[value]",
    "look_back=1", "stateful=true", "seeds=1", "training.epochs=2", "tracking.log_model=false",
)  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each load; default 60")
    parser.add_argument("--lanes", type=int, default=10_000, help="whose memory is measured; default 10000")
    parser.add_argument("--durability", default="interval", choices=["interval", "each"])
    parser.add_argument("--load", nargs=4, metavar=("PORT", "SECONDS", "KIND", "LANES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        port, seconds, kind, lanes = arguments.load
        asyncio.run(_load(int(port), float(seconds), kind, int(lanes)))
        return
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), arguments.seconds, arguments.lanes, arguments.durability)


def _measure(folder: Path, seconds: float, lanes: int, durability: str) -> None:
    store = f"sqlite:///{folder / 'mlflow.db'}"
    days = pd.date_range("2020-01-01", periods=200)
    values = 100 + 10 * np.sin(np.arange(200) / 5)
    pd.DataFrame({"day": days, "value": values}).to_csv(folder / "data.csv", index=False)
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    words = [word for word in TRAIN if "frequency" not in word]
    subprocess.run(
        [sys.executable, "-m", "pipeline.run", *words, f"dataset.path={folder / 'data.csv'}", f"tracking.uri={store}"],
        cwd=folder, env=environment, check=True, capture_output=True,
    )  # fmt: skip
    print(f"{'load':34} {'rows/s':>9} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8} {'memory MB':>10}")
    for kind, number in (("single", CONNECTIONS), ("block", BLOCK), ("many", lanes)):
        state = folder / f"{kind}.npz"
        command = [
            sys.executable, "-m", "pipeline.serve", "run=latest", "port=0", f"tracking.uri={store}", f"state={state}",
            f"durability={durability}",
        ]  # fmt: skip
        with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as served:
            try:
                port = _find_port(served)
                done = subprocess.run(
                    [sys.executable, __file__, "--load", str(port), str(seconds), kind, str(number)],
                    check=True, capture_output=True, text=True,
                )  # fmt: skip
                found = json.loads(done.stdout)
                memory = psutil.Process(served.pid).memory_info().rss / 2**20
                shown = {
                    "single": f"single rows, {CONNECTIONS} connections",
                    "block": f"blocks of {BLOCK} lanes, CSV",
                    "many": f"blocks of 400 rows, {lanes} lanes",
                }[kind]
                print(
                    f"{shown:34} {found['rows']:9,.0f} {found['requests']:11,.0f} {found['p50']:8.2f} "
                    f"{found['p99']:8.2f} {memory:10,.0f}", flush=True,
                )  # fmt: skip
            finally:
                served.terminate()
                served.wait()


def _find_port(served: "subprocess.Popen[str]") -> int:
    assert served.stderr is not None
    for line in served.stderr:
        if "serving run" in line:
            return int(line.partition("http://")[2].split()[0].rpartition(":")[2])
    raise SystemExit("the service did not start")


class _Client(asyncio.Protocol):
    """A connection that stays open: sends one request after another."""

    def __init__(self, requests: Iterator[bytes], until: float, since: float) -> None:
        self.requests, self.until, self.since = iter(requests), until, since
        self.seconds: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._send()

    def _send(self) -> None:
        request = next(self.requests, None)
        self.began = time.perf_counter()
        if request is None or self.began > self.until:
            self.transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        if b" 200 " not in head[:20]:
            raise SystemExit(f"the service answered {head[:100]!r} {body[:300]!r}")
        now = time.perf_counter()
        if self.began > self.since:
            self.seconds.append(now - self.began)
        self.buffer = b""
        self._send()


def _request(path: str, kind: str, body: bytes) -> bytes:
    accept = "text/csv" if kind == "text/csv" else "application/json"
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\naccept: {accept}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def _singles(lane: int) -> Iterator[bytes]:
    for place, day in enumerate(_days()):
        body = f'{{"rows":[{{"day":"{day}","value":{100 + (place + lane) % 7}}}]}}'
        yield _request(f"/lanes/lane{lane}/rows", "application/json", body.encode())


def _days() -> Iterator[str]:
    """More days than any load takes; minutes are days here, as the series has no need to know."""
    start = np.datetime64("2020-08-01")
    for place in range(10**7):
        yield str(start + place)


def _blocks(lanes: int, first: int, step: int) -> Iterator[bytes]:
    places = [range(start, min(start + BLOCK, lanes)) for start in range(0, lanes, BLOCK)][first::step]
    for place, day in enumerate(_days()):
        for part in places:
            lines = "".join(f"lane{lane},{day},{100 + (place + lane) % 7}\n" for lane in part)
            yield _request("/rows", "text/csv", f"lane,day,value\n{lines}".encode())


async def _load(port: int, seconds: float, kind: str, lanes: int) -> None:
    loop = asyncio.get_running_loop()
    since = time.perf_counter() + WARM_UP
    sources = (
        [_singles(lane) for lane in range(lanes)]
        if kind == "single"
        else [_blocks(lanes, first, 2) for first in range(2)]
        if kind == "many"
        else [_blocks(lanes, 0, 1)]
    )
    clients = []
    for source in sources:
        _, client = await loop.create_connection(lambda s=source: _Client(s, since + seconds, since), "127.0.0.1", port)
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    times = np.concatenate([client.seconds for client in clients]) * 1000
    rows = len(times) * (1 if kind == "single" else BLOCK)
    print(json.dumps({
        "rows": rows / seconds, "requests": len(times) / seconds,
        "p50": float(np.percentile(times, 50)), "p99": float(np.percentile(times, 99)),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
