"""Compiled trainings that stay open for the next job of a sweep, and what of a job decides its program.

A program is some seconds of compiling. Jobs with the same network whose data have the same shapes use one; a few stay
open, because a sweep goes through its shapes again and again, and each is 25 MB.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import tensorflow as tf

from pipeline.config.schema import Config, DatasetConfig, EvaluationConfig, Source
from pipeline.data.windows import Windows
from pipeline.models.xla_network import NetworkFunction
from pipeline.training.compiled import CompilingSession, Nested
from pipeline.training.hyperparameters import without_hyperparameters
from pipeline.training.program import Program
from pipeline.training.traces import read_trace, write_trace

_MOST_OPEN = 4  # more than the shapes that one call may have: a search has one for each of its folds
# Keys that decide values, and how many there are. The program is given those, and its key has their shapes.
_OF_VALUES = (
    "name", "path", "time_column", "lane_column", "separator", "decimal", "thousands", "date_format", "time_zone",
    "encoding", "features", "targets", "unit", "period", "missing", "gaps", "short_lanes", "transforms", "scaler",
    "scaler_per_lane", "segments", "validation_fraction", "test_fraction", "validation_start", "test_start", "token",
    "vocabulary", "split", "stride", "length", "delay", "noise",
)  # fmt: skip


@dataclass(frozen=True)
class Compiled:
    """A training as functions that XLA compiled.

    Attributes:
        program: What they compute.
        train: Does what `Program.train` does.
        forecast: Does what `Reader.forecast` does.
    """

    program: Program
    train: Callable[..., Any]
    forecast: Callable[..., Any]


class Programs:
    """Keeps compiled trainings open; leaving the block closes them."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[CompilingSession, Compiled]] = {}

    def __enter__(self) -> "Programs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def find(self, key: str, compile_in: Callable[[CompilingSession], Compiled], device: str = "/CPU:0") -> Compiled:
        """Return what was compiled for a key, or compile it, and close what was longest not asked for.

        Args:
            key: As `name_program` gives it.
            compile_in: Compiles it in a session.
            device: TensorFlow's name of the device it runs on.
        """
        if key in self._open:
            self._open[key] = self._open.pop(key)  # the latest comes last
            return self._open[key][1]
        while len(self._open) >= _MOST_OPEN:
            session, _ = self._open.pop(next(iter(self._open)))
            session.close()
        trace = read_trace(key)
        session = CompilingSession(device, trace)
        try:
            self._open[key] = session, compile_in(session)
            if trace is None:
                write_trace(key, session.trace())
        except BaseException:
            session.close()
            raise
        return self._open[key][1]

    def close(self) -> None:
        """Close all of them: what is asked for later is compiled again."""
        while self._open:
            session, _ = self._open.popitem()[1]
            session.close()


def name_program(
    config: Config, network: NetworkFunction, windows: Windows, counted: int, seeds: int, arguments: Nested
) -> str:
    """Name what decides a compiled training: equal names, one program.

    Args:
        config: Of a job.
        network: Its network.
        windows: How windows lie in its series.
        counted: Windows that count in one epoch.
        seeds: Seeds side by side.
        arguments: What its functions are given, as arrays.
    """
    plain = DatasetConfig(name="", source=Source.frame)
    source = config.dataset.source if config.reads_text else Source.frame
    dataset = replace(config.dataset, source=source, **{key: getattr(plain, key) for key in _OF_VALUES})
    rest = without_hyperparameters(replace(config, dataset=dataset, evaluation=EvaluationConfig()))
    spec = replace(
        windows.spec, input_columns=(), target_columns=(), future_columns=(), waits_for_rows=False, levels=()
    )
    numbers = (windows.num_features, windows.num_targets, windows.num_outputs, counted, seeds)
    shapes = [(value.shape, value.dtype.str) for value in tf.nest.flatten(arguments)]
    return repr((rest, network, spec, numbers, shapes))
