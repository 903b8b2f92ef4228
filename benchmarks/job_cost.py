"""What a job costs, from its size: processor seconds and memory, as sums of a few terms with fitted factors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

_BOTH_WAYS = 3  # times the work of reading a sequence: reading it, and two products of the gradient
_BYTES = 4  # of a float32


@dataclass(frozen=True)
class JobSize:
    """What there is to do in a job.

    Attributes:
        loops: Of a training step: one for each recurrent layer, twice where a batch is cut in two.
        compiled: Recurrent layers that are compiled: those loops, and twice each layer in a loop that forecasts.
        written: Steps of those layers that are compiled beside a loop's: short windows are written out, step by step.
        seeds: Of the configuration.
        groups: Calls of the compiled program that train them.
        places: Seeds of a group, those that fill it up included.
        epochs: At most; early stopping makes fewer of them.
        batches: Of an epoch.
        batch_size: Windows of a batch.
        time_steps: Of a window.
        steps_read: Time steps of a loop that reads the validation part; all windows.
        rows_read: Rows that it reads.
        block: Rows that are read at once.
        windows: Of the whole series.
        kept: Numbers that are kept of each forecast.
        multiplications: Of one row at one time step, in all recurrent layers.
        units: Of all recurrent layers, times their gates.
        weights: Numbers that are learnt.
        numbers: Float32 numbers that one seed needs while it is trained (training/devices.py).
        data: Bytes of the series, float64.
        cores: On which groups are trained side by side.
    """

    loops: int
    compiled: int
    written: int
    seeds: int
    groups: int
    places: int
    epochs: int
    batches: int
    batch_size: int
    time_steps: int
    steps_read: tuple[int, int]
    rows_read: tuple[int, int]
    block: int
    windows: int
    kept: int
    multiplications: int
    units: int
    weights: int
    numbers: int
    data: int
    cores: int


def list_seconds(size: JobSize) -> dict[str, float]:
    """Return the terms of the processor seconds of a job, by what each counts."""
    steps = size.epochs * size.batches * size.time_steps
    rows = size.places * size.batch_size * steps  # of one group
    read = size.places * (size.epochs * size.rows_read[0] + size.rows_read[1])
    turns = _BOTH_WAYS * steps + size.epochs * size.steps_read[0] + size.steps_read[1]
    return {
        "job": 1.0,
        "layer that is compiled": size.compiled,
        "step that is written out": size.written,
        "seed": size.seeds,
        "forecast that is scored": size.seeds * size.windows * size.kept,
        "turn of a time loop": size.groups * size.loops * turns,
        "multiplication": size.groups * size.multiplications * (_BOTH_WAYS * rows + read),
        "weight that is updated": size.groups * size.places * size.epochs * size.batches * size.weights,
    }


def list_bytes(size: JobSize) -> dict[str, float]:
    """Return the terms of the memory of a job, by what each counts."""
    at_once = min(size.groups, size.cores)
    return {
        "process": 1.0,
        "byte of the series": size.data,
        "byte of training": _BYTES * at_once * size.places * size.numbers,
        "byte of reading": _BYTES * at_once * size.places * size.units * size.block,
        "byte of forecasts": _BYTES * size.seeds * size.windows * size.kept,
    }


def fit_factors(terms: Sequence[Mapping[str, float]], measured: Sequence[float]) -> dict[str, float]:
    """Return the factor of each term, none below 0, for which the squared relative errors are smallest.

    Args:
        terms: Of each measured job.
        measured: Seconds, or bytes, of each.

    Source:
        Lawson and Hanson, Solving least squares problems, 1974: non-negative least squares.
    """
    names = list(terms[0])
    table = np.array([[each[name] for name in names] for each in terms]) / np.array(measured)[:, None]
    scales = table.max(0)
    factors, _ = nnls(table / scales, np.ones(len(measured)))
    return dict(zip(names, (factors / scales).tolist(), strict=True))


def predict(factors: Mapping[str, float], terms: Mapping[str, float]) -> float:
    """Return the sum of all terms, each times its factor."""
    return sum(factors[name] * number for name, number in terms.items())
