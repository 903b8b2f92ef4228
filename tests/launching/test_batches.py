"""Which jobs a worker gets: all of them once, those that one program trains together, and work for everybody."""

from dataclasses import replace

import pytest

from pipeline.config.schema import Config, DatasetConfig, ModelConfig, Source, TrainingConfig
from pipeline.launching.batches import cut_batches
from pipeline.launching.processes import share_cores

JOB = Config(dataset=DatasetConfig(name="sine", source=Source.sine))
RATES = [replace(JOB, training=TrainingConfig(learning_rate=rate)) for rate in (0.001, 0.003, 0.01, 0.03)]
SIZES = [replace(JOB, model=ModelConfig(units=[units])) for units in (4, 8, 16)]


@pytest.mark.parametrize(
    ("jobs", "workers", "expected"),
    [
        (RATES, 1, [[0, 1, 2, 3]]),
        (RATES, 2, [[0, 1], [2, 3]]),
        (RATES, 3, [[0, 1], [2, 3]]),
        (RATES, 9, [[0], [1], [2], [3]]),
        (SIZES, 2, [[0], [1], [2]]),
        ([SIZES[1], RATES[0], SIZES[2], RATES[1]], 2, [[0], [1, 3], [2]]),
    ],
)
def test_jobs_of_one_program_stay_together(jobs: list[Config], workers: int, expected: list[list[int]]) -> None:
    """A job is trained twice or never; each worker compiles the same program; or one trains all and others wait."""
    assert cut_batches(jobs, workers) == expected


def test_every_core_has_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers crowd on one core, or a core has nothing to do; or more workers start than memory holds."""
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {3, 5, 6, 7, 9}, raising=False)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 6.5e9}))
    assert share_cores(None, 100) == [[3, 9], [5], [6], [7]]
    assert share_cores(None, 2) == [[3, 6, 9], [5, 7]]
    assert share_cores(7, 100) == [[3], [5], [6], [7], [9], [3], [5]]
