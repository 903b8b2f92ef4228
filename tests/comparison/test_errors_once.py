"""Test errors that are read once."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.errors_file import NAME, measure_test_errors, write_test_errors
from pipeline.comparison.errors_once import ErrorsOnce


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in "ab"]
    for number, folder in enumerate(made):
        folder.mkdir()
        actual = np.arange(6.0)[:, None]
        answers = actual[None, :, None] + number + 1.0  # (seeds, time, horizon_steps, targets)
        index, test = pd.RangeIndex(6), np.arange(6) > 2
        baselines = {"persistence": answers[0]}
        write_test_errors(
            folder / NAME,
            measure_test_errors(index, ["y"], [1], test, actual, answers, baselines, [1], [0.5], np.ones(1)),
        )
    return made


def test_a_file_is_read_once(folders: list[Path]) -> None:
    """A comparison of many runs reads each of their files twice, and takes half as long again."""
    once = ErrorsOnce()
    found = once.read(folders[0])
    (folders[0] / NAME).unlink()
    assert once.read(folders[0]) is found and once.read(folders[1]).errors[0, 0, 0, 0] == 2.0


def test_what_does_not_fit_is_read_again(folders: list[Path]) -> None:
    """Long test parts of many runs fill the memory, or are lost once it is full."""
    size = ErrorsOnce().read(folders[0])
    once = ErrorsOnce(size.errors.nbytes + size.times.nbytes + size.baselines["persistence"].nbytes)
    first, second = (once.read(folder) for folder in folders)
    assert once.read(folders[0]) is first and once.read(folders[1]) is not second
    assert np.array_equal(once.read(folders[1]).errors, second.errors)
