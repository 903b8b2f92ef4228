"""Compiled functions: what they compute is what was written, and nothing of them stays."""

import gc
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from pipeline.training.compiled import CompilingSession


class Pair(NamedTuple):
    one: np.ndarray
    others: list[np.ndarray]


@tf.custom_gradient
def _double(x):
    return 2 * x, lambda upstream: 2 * upstream


def _step(pair: Pair, factor):
    with tf.GradientTape() as tape:
        tape.watch(pair.one)
        loss = tf.reduce_sum(_double(pair.one) * factor)
    return Pair(tape.gradient(loss, pair.one), [tf.tanh(other) for other in pair.others]), loss


def _compile_and_call(size: int):
    pair = Pair(np.ones(size, np.float32), [np.zeros((size, 2), np.float32)])
    with CompilingSession() as session:
        return session.compile(_step, pair, np.float32(0))(pair, np.float32(3))


def test_it_takes_and_returns_what_was_written() -> None:
    """A training would be fed the wrong array, or its gradient would be another one."""
    pair, loss = _compile_and_call(5)
    assert isinstance(pair, Pair)
    np.testing.assert_array_equal(pair.one, np.full(5, 6, np.float32))
    np.testing.assert_array_equal(pair.others[0], np.zeros((5, 2)))
    assert loss == 30


def test_what_was_traced_is_not_traced_again() -> None:
    """A repeated command would trace every program again, or call another one than it traced."""
    pair, like = Pair(np.ones(3, np.float32), [np.zeros((3, 2), np.float32)]), np.float32(0)
    with CompilingSession() as session:
        session.compile(lambda value: value + 1, like)
        first = session.compile(_step, pair, like)(pair, np.float32(3))
        trace = session.trace()
    with CompilingSession(trace=trace) as session:
        session.compile(pytest.fail, like, like=like)
        again = session.compile(pytest.fail, pair, like, like=(pair, like))(pair, np.float32(3))
    assert isinstance(again[0], Pair)
    np.testing.assert_array_equal(again[0].one, first[0].one)
    assert again[1] == first[1]


def test_what_fails_ahead_fails_again_where_it_is_asked_for() -> None:
    """A program that cannot be compiled, or kept on a full disk, would fail in a thread that nobody hears."""
    with CompilingSession() as session:
        call = session.compile(lambda value: tf.debugging.check_numerics(value, "odd"), np.float32(1), whole=False)
        session.call_ahead(call, np.float32("inf"))
        with pytest.raises(tf.errors.InvalidArgumentError, match="odd"):
            call(np.float32("inf"))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux counts the maps of a process there")
def test_nothing_of_a_closed_session_stays() -> None:
    """A long sweep would grow until it is killed, or crash at the number of memory maps that Linux allows."""

    def count() -> tuple[int, int, int]:
        gc.collect()
        graphs = sum(isinstance(each, tf.Graph) for each in gc.get_objects())
        maps = len(Path("/proc/self/maps").read_text().splitlines())
        return graphs, len(ops.gradient_registry.list()), maps

    _compile_and_call(1)
    before = count()
    for size in range(2, 12):
        _compile_and_call(size)
    after = count()
    assert after[:2] == before[:2]
    assert after[2] - before[2] < 30  # kept, a program is some 50 maps even as small as these
