"""`benchmarks/gpu.py` without a card: what is written for it, read back, and the rows of its table."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gpu import AGREED, SEEDS, SHAPES, describe, list_jobs, name_job, read_arguments, write_arguments

ROOT = Path(__file__).parents[2]


def test_arguments_come_back_in_their_order(tmp_path: Path) -> None:
    """A program gets another's array, or one of another type: its losses are wrong, or it crashes on the card."""
    weights = np.arange(6, dtype=np.float32).reshape(2, 3)
    flat = [weights, np.int32(0), np.zeros((2, 3), np.int32), weights.copy(), np.zeros((2, 3), np.float32)]
    flat += [np.array(False), np.int32(7)]
    write_arguments(tmp_path / "job", [np.asarray(each) for each in flat], {"seeds": 2})
    found, about = read_arguments(tmp_path / "job")
    assert about["seeds"] == 2 and len(found) == len(flat)
    for array, given in zip(found, flat, strict=True):
        assert array.dtype == given.dtype and array.shape == given.shape
        np.testing.assert_array_equal(array, given)
    with np.load(tmp_path / "job.npz", allow_pickle=False) as kept:
        assert len(kept.files) == len(flat) - 1, "the weights are written twice"


def test_programs_too_large_to_carry_are_left_out() -> None:
    """An export fills the disk with weights of 1,024 large networks, or drops a size that was promised."""
    jobs = list_jobs(list(SHAPES), list(SEEDS))
    assert {units for units, _ in jobs} == set(SHAPES)
    assert {(4, 1024), (32, 1024), (128, 64), (512, 8), (1024, 8)} <= set(jobs)
    assert not {(128, 1024), (512, 64), (1024, 64)} & set(jobs)


def test_a_row_shows_both_ratios_and_losses_that_differ() -> None:
    """The table says that a program is fast, and hides that it computes something else."""
    found = {"units": 32, "seeds": 8, "microseconds": 145.0, "compiled": 2.5, "off": 5e-5}
    row = describe(found, (1881.0, 97.2))
    assert row.split()[-9:] == ["8", "145.00", "1881.0", "13.0x", "97.2", "0.7x", "2.5", "s", "5.0e-05"]
    assert describe(found, None).split()[-9:] == ["8", "145.00", "-", "-", "-", "-", "2.5", "s", "5.0e-05"]
    assert describe(found | {"off": 2 * AGREED}, None).endswith("MORE THAN 0.0001")
    assert describe(found | {"off": float("nan")}, None).endswith("MORE THAN 0.0001")


@pytest.mark.thorough
def test_what_is_exported_trains_to_the_losses_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files hold another training than the product's, or losses that no device can reach."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))  # as `python benchmarks/gpu.py` has it
    import tensorflow as tf

    from benchmarks.gpu import export, make_arguments, make_task

    export(tmp_path, [4], [2])
    name = name_job(4, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.{end}" for end in ("hlo", "json", "npz")]
    assert (tmp_path / f"{name}.hlo").stat().st_size > 10_000
    flat, about = read_arguments(tmp_path / name)
    assert json.loads((tmp_path / f"{name}.json").read_text())["batches"] == about["batches"] == 93
    task = make_task(4, 2)
    arguments = tf.nest.pack_sequence_as(make_arguments(task), flat)
    carry, history = task.compiled.train(*arguments)
    assert carry.weights.shape == (2, 101)
    np.testing.assert_allclose(history[0, :, 0], about["reference"], rtol=AGREED)  # history: (epochs, 2, seeds)
    assert (history[0] != 0).all() and (history[1:] == 0).all(), "more or less than an epoch was trained"
