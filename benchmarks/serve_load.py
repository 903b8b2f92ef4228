"""The load of benchmarks/serve.py, from a process of its own: connections that stay open, one request after another.

python benchmarks/serve_load.py PORT single|block|many|soak LANES SECONDS [PERIOD]

Prints one JSON line of rates and latencies; of a soak one after each PERIOD seconds.
"""

import asyncio
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

import numpy as np

BLOCK = 400
WARM_UP = 2.0  # seconds that are not counted
JSON, CSV = "application/json", "text/csv"


@dataclass
class Source:
    """What one connection sends.

    Attributes:
        requests: One after another.
        rows: Of each request.
        every: Seconds between two of them; 0: the next one follows the answer.
        status: What each is answered with.
    """

    requests: Iterator[bytes]
    rows: int
    every: float = 0.0
    status: bytes = b"200"


class Client(asyncio.Protocol):
    """A connection that stays open. The next request is made while the answer is waited for."""

    def __init__(self, source: Source, until: float) -> None:
        self.source, self.until = source, until
        self.answered: list[tuple[float, float]] = []  # when it was sent, and the seconds to its answer
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.next = next(self.source.requests)
        self.due = time.perf_counter()
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(SystemExit(f"the service closed a connection: {error}"))

    def _send(self) -> None:
        self.began = time.perf_counter()
        if self.began > self.until:
            self.done.set_result(None)
            self.transport.close()
            return
        self.transport.write(self.next)
        self.next = next(self.source.requests)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        if head.split(b" ", 2)[1] != self.source.status:
            self.done.set_exception(SystemExit(f"the service answered {head[:100]!r} {body[:300]!r}"))
            return
        now = time.perf_counter()
        self.answered.append((self.began, now - self.began))
        self.buffer = b""
        self.due = max(self.due + self.source.every, now)
        if self.due > now:
            asyncio.get_running_loop().call_later(self.due - now, self._send)
        else:
            self._send()


def ask(path: str, kind: str, body: str) -> bytes:
    """Return a POST request that is answered in its own kind."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\naccept: {kind}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n{body}".encode()


def times(seconds: bool = False) -> Iterator[str]:
    """More of them than any load takes: days, or seconds, of which an hour fits into the years that there are."""
    start = np.datetime64("2020-08-01T00:00:00" if seconds else "2020-08-01")
    return (str(start + place) for place in range(10**7))


def singles(lane: str, seconds: bool = False, repeats: int = 1) -> Iterator[bytes]:
    """Rows of one lane, each in a request of its own, and sent so often."""
    for place, time_ in enumerate(times(seconds)):
        body = f'{{"rows":[{{"day":"{time_}","value":{100 + (place + len(lane)) % 7}}}]}}'
        for _ in range(repeats):
            yield ask(f"/lanes/{lane}/rows", JSON, body)


def blocks(lanes: range, kind: str = CSV, seconds: bool = False, first: int = 0, step: int = 1) -> Iterator[bytes]:
    """A row of each lane, then the next; BLOCK of them in a request, of which every step-th one is sent."""
    parts = [lanes[start : start + BLOCK] for start in range(0, len(lanes), BLOCK)][first::step]
    for place, time_ in enumerate(times(seconds)):
        for part in parts:
            rows = [(f"lane{lane}", 100 + (place + lane) % 7) for lane in part]
            if kind == CSV:
                yield ask("/rows", CSV, "lane,day,value\n" + "".join(f"{lane},{time_},{v}\n" for lane, v in rows))
            else:
                objects = ",".join(f'{{"lane":"{lane}","day":"{time_}","value":{v}}}' for lane, v in rows)
                yield ask("/rows", JSON, f'{{"rows":[{objects}]}}')


def looks() -> Iterator[bytes]:
    """What those who look after a service ask for."""
    for path in cycle(("/metrics", "/lanes?count=50", "/lanes/single0/recent", "/lanes/single0", "/overview")):
        yield f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()


def make_sources(kind: str, lanes: int) -> list[Source]:
    """Return what the connections of a load send."""
    if kind == "single":
        return [Source(singles(f"lane{lane}"), 1) for lane in range(lanes)]
    if kind == "soak":
        return make_soak(lanes)
    if kind == "json":
        return [Source(blocks(range(lanes), JSON), BLOCK)]
    connections = 1 if kind == "block" else 2
    return [Source(blocks(range(lanes), first=each, step=connections), BLOCK) for each in range(connections)]


def make_soak(lanes: int) -> list[Source]:
    """Return everything that a service meets, at a moderate rate: about 4,500 rows and 220 requests a second."""
    return [
        *(Source(singles(f"single{number}", True), 1, 0.04) for number in range(8)),
        Source(blocks(range(lanes), CSV, True), BLOCK, 0.1),
        Source(blocks(range(lanes, lanes + 200), JSON, True), 200, 0.5),
        Source(singles("again", True, repeats=2), 1, 0.1),  # every second one is answered from memory
        Source(cycle([ask("/rows", CSV, "lane,day,value\nlane1,2020-07-20,1\n")]), 0, 0.5, b"409"),
        Source(cycle([ask("/rows", JSON, '{"rows":[{"day":"soon","value":1}]}')]), 0, 0.5, b"422"),
        Source(looks(), 0, 1.0),
    ]


async def load(port: int, kind: str, lanes: int, seconds: float, period: float) -> None:
    """Send, and print what was measured."""
    loop = asyncio.get_running_loop()
    since = time.perf_counter() + WARM_UP
    clients = []
    for source in make_sources(kind, lanes):
        made = lambda source=source: Client(source, since + seconds)  # noqa: E731
        _, client = await loop.create_connection(made, "127.0.0.1", port)
        clients.append(client)
    all_done = asyncio.gather(*(client.done for client in clients))
    begin = since
    while not all_done.done():
        left = max(begin + period - time.perf_counter(), 0)
        await asyncio.wait([all_done], timeout=None if left == math.inf else left)
        end = time.perf_counter()
        if any(client.answered for client in clients):
            print(json.dumps(measure(clients, begin, min(end, since + seconds) - begin)), flush=True)
        for client in clients:
            client.answered.clear()
        begin = end
    await all_done


def measure(clients: list[Client], since: float, seconds: float) -> dict[str, float]:
    """Return what was answered to requests that were sent since then."""
    each = [[took for began, took in client.answered if began > since] for client in clients]
    took = np.concatenate(each) * 1000
    rows = sum(len(some) * client.source.rows for some, client in zip(each, clients, strict=True))
    return {
        "rows": rows / seconds, "requests": len(took) / seconds,
        "p50": float(np.percentile(took, 50)), "p99": float(np.percentile(took, 99)),
    }  # fmt: skip


if __name__ == "__main__":
    port_, kind_, lanes_, seconds_, *period_ = sys.argv[1:]
    asyncio.run(load(int(port_), kind_, int(lanes_), float(seconds_), float((period_ or ["inf"])[0])))
