"""What Prometheus reads of a service."""

from collections.abc import Mapping
from typing import Any

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
        drifting: How many have an alarm.
        alarms: That began.
        outside: Rows with an input outside its training range.
        scored: Rows whose forecasts are scored.
        rmse: On these, of the network and of baselines.
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
        self.drifting = Gauge(
            "lstm_drifting_lanes", "Lanes whose forecasts have become worse: an alarm lasts.", registry=own
        )
        self.alarms = Gauge("lstm_drift_alarms", "Alarms that began, in all lanes.", registry=own)
        self.outside = Gauge("lstm_out_of_range_rows", "Rows with an input outside its training range.", registry=own)
        self.scored = Gauge("lstm_scored_rows", "Rows since the training whose forecasts are scored.", registry=own)
        self.rmse = Gauge(
            "lstm_rmse",
            "Root mean squared error on the scored rows of all lanes.",
            ["target", "forecast"],
            registry=own,
        )

    def show_drift(self, facts: Mapping[str, Any] | None) -> None:
        """Take over what is known of all lanes together: see `LaneDrift.totals`."""
        if facts is None:
            return
        self.drifting.set(facts["lanes"])
        self.alarms.set(facts["alarms"])
        self.outside.set(facts["out_of_range"]["rows"])
        self.scored.set(facts["rows"])
        for name, forecast in (("rmse", "network"), ("rmse_persistence", "persistence"), ("rmse_seasonal", "seasonal")):
            for target, value in facts[name].items():
                if value is not None:
                    self.rmse.labels(target, forecast).set(value)

    def counts(self) -> dict[str, Any]:
        """Return the rows that came, and the requests that were refused, by reason."""
        rejected = {
            sample.labels["reason"]: int(sample.value)
            for metric in self.rejected.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        }
        return {"rows": _read(self.rows), "repeated": _read(self.repeated), "rejected": rejected}

    def write(self) -> bytes:
        """Return all of them, in Prometheus' text format."""
        lines = generate_latest(self._registry).splitlines(keepends=True)
        return b"".join(line for line in lines if b"_created" not in line)  # they double the page


def _read(counter: Counter) -> int:
    (metric,) = counter.collect()
    return int(next(sample.value for sample in metric.samples if sample.name.endswith("_total")))
