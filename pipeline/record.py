"""The record of a run, as tracking writes it and reports read it back: plain values, no live objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """How a run ended. A run that raised, or whose loss is not a number, is FAILED; a crash is KILLED."""

    running = "RUNNING"
    finished = "FINISHED"
    failed = "FAILED"
    killed = "KILLED"


@dataclass(frozen=True)
class RunRecord:
    """One configuration with all its seeds.

    Attributes:
        run_id: MLflow run id.
        status: How it ended.
        params: The configuration, dotted keys and text values.
        metrics: Final metrics by MLflow name; empty unless finished.
        reason: Why it failed; empty if it did not.
        resumed: True when it was trained by an earlier command and only read back.
    """

    run_id: str
    status: Status
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    reason: str = ""
    resumed: bool = False
