"""What Prometheus reads of a service."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """Counters of one service.

    Attributes:
        rows: Rows that lanes have read.
        repeated: Rows that were answered from memory.
        rejected: Requests that were refused, by reason.
        responses: By status.
        seconds: How long requests with rows took.
        lanes: How many there are.
    """

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        self.rows = Counter("lstm_rows", "Rows that lanes have read.", registry=own)
        self.repeated = Counter("lstm_repeated_rows", "Rows that were answered from memory.", registry=own)
        self.rejected = Counter("lstm_rejected_requests", "Requests that were refused.", ["reason"], registry=own)
        self.responses = Counter("lstm_responses", "Answers to requests.", ["status"], registry=own)
        self.seconds = Histogram(
            "lstm_request_seconds", "Seconds from a request with rows to its answer.", buckets=_SECONDS, registry=own
        )
        self.lanes = Gauge("lstm_lanes", "Lanes that are kept.", registry=own)

    def write(self) -> bytes:
        """Return all of them, in Prometheus' text format."""
        lines = generate_latest(self._registry).splitlines(keepends=True)
        return b"".join(line for line in lines if b"_created" not in line)  # they double the page
