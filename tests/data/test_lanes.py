"""Lanes: the order in which a stateful network sees its windows; and the shuffle of a stateless one."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, DatasetConfig, Order, Source
from pipeline.data.lanes import Batches, batch_lanes, cut_lanes, shuffle_windows
from pipeline.data.prepare import prepare_data

lane_shapes = st.tuples(
    st.integers(1, 60),  # windows
    st.integers(1, 8),  # stride
    st.integers(1, 5),  # segments
    st.integers(1, 9),  # batch_size
    st.integers(0, 20),  # first row of the first window
)


def arrange(num_windows: int, stride: int, segments: int, batch_size: int, first: int = 0) -> Batches:
    starts = np.arange(first, first + num_windows)
    lanes = cut_lanes([starts], Order.phases, stride, segments)
    return batch_lanes(lanes, batch_size, counted=starts)


def test_docstring_picture() -> None:
    """Breaks the state of a stateful network: ten rows, look_back=3, must make the batches of the picture."""
    batches = arrange(num_windows=7, stride=3, segments=1, batch_size=3)
    assert batches.starts[batches.weights > 0].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert batches.starts[:, 0].tolist() == [0, 3, 6]
    assert batches.weights.tolist() == [[1, 1, 1], [1, 1, 1], [1, 0, 0]]
    assert batches.resets.tolist() == [True, False, False]
    assert (batches.num_windows, batches.num_padded) == (7, 2)


def test_one_lane_after_the_other() -> None:
    """Breaks batch_size=1: the phases follow each other, with a reset before each."""
    batches = arrange(num_windows=5, stride=2, segments=1, batch_size=1)
    assert batches.starts.ravel().tolist() == [0, 2, 4, 1, 3]
    assert batches.resets.tolist() == [True, False, False, True, False]
    assert batches.num_padded == 0


def test_segments_are_contiguous_pieces() -> None:
    """Breaks dataset.segments: one long series is cut into pieces of nearly equal length, as char-rnn does."""
    lanes = cut_lanes([np.arange(10, 20)], Order.phases, stride=2, segments=2)
    assert [lane.tolist() for lane in lanes] == [[10, 12, 14], [15, 17, 19], [11, 13], [16, 18]]


@given(lane_shapes)
def test_every_window_exactly_once_per_epoch(shape: tuple[int, int, int, int, int]) -> None:
    """Breaks training: a window would be lost, or count twice."""
    num_windows, _, _, batch_size, first = shape
    batches = arrange(*shape)
    used = np.sort(batches.starts[batches.weights == 1])
    np.testing.assert_array_equal(used, np.arange(first, first + num_windows))
    assert set(np.unique(batches.weights)) <= {0, 1}
    assert batches.num_windows == num_windows
    assert batches.num_padded == batches.starts.size - num_windows
    assert batches.starts.shape == batches.weights.shape == (len(batches.resets), batch_size)


@given(lane_shapes)
def test_a_row_continues_where_it_was(shape: tuple[int, int, int, int, int]) -> None:
    """Breaks the carried state: chunks of a lane touch and do not overlap, from one reset to the next."""
    _, stride, _, batch_size, _ = shape
    batches = arrange(*shape)
    for group in np.split(np.arange(len(batches.resets)), np.flatnonzero(batches.resets)[1:]):
        for row in range(batch_size):
            counted = batches.weights[group, row] == 1
            chunks = batches.starts[group, row][counted]
            assert (np.diff(chunks) == stride).all()
            assert (np.diff(counted.astype(int)) <= 0).all()  # padding only at the end of a lane


@given(lane_shapes)
def test_resets_exactly_where_groups_begin(shape: tuple[int, int, int, int, int]) -> None:
    """Breaks the resets: a state is dropped in the middle of a lane, or leaks from one lane into another."""
    num_windows, stride, segments, batch_size, first = shape
    lanes = cut_lanes([np.arange(first, first + num_windows)], Order.phases, stride, segments)
    longest = [max(map(len, lanes[row : row + batch_size])) for row in range(0, len(lanes), batch_size)]
    batches = arrange(*shape)
    assert np.flatnonzero(batches.resets).tolist() == [0, *np.cumsum(longest)[:-1].tolist()]
    assert len(batches.resets) == sum(longest)


@given(lane_shapes)
def test_padding_repeats_a_real_window_with_weight_zero(shape: tuple[int, int, int, int, int]) -> None:
    """Breaks groups with fewer lanes than batch_size: padding would count, or point outside the series."""
    num_windows, _, _, _, first = shape
    batches = arrange(*shape)
    padding = batches.starts[batches.weights == 0]
    assert np.isin(padding, np.arange(first, first + num_windows)).all()


def test_windows_that_do_not_count_still_move_the_state() -> None:
    """Breaks lanes across filled values: the window stays in its lane with weight 0, so the sequence has no hole."""
    lanes = cut_lanes([np.arange(6)], Order.phases, stride=2, segments=1)
    batches = batch_lanes(lanes, 2, counted=np.array([0, 1, 3, 4, 5]))
    assert batches.starts.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert batches.weights.tolist() == [[1, 1], [0, 1], [1, 1]]
    assert batches.num_windows == 5


def test_four_hundred_lanes_side_by_side() -> None:
    """Breaks batch_size=400 with look_back=1: 400 segments make 400 lanes without padding."""
    batches = arrange(num_windows=1200, stride=1, segments=400, batch_size=400)
    assert batches.starts.shape == (3, 400)
    assert batches.starts[:, 0].tolist() == [0, 1, 2]
    assert batches.starts[0, :3].tolist() == [0, 3, 6]
    assert batches.num_padded == 0
    assert batches.resets.tolist() == [True, False, False]


def test_overlapping_order_is_the_tutorials() -> None:
    """Breaks the presets that reproduce published numbers: every window in order, one lane, one reset."""
    lanes = cut_lanes([np.arange(5)], Order.overlapping, stride=3, segments=1)
    batches = batch_lanes(lanes, 1, counted=np.arange(5))
    assert batches.starts.ravel().tolist() == [0, 1, 2, 3, 4]
    assert batches.resets.tolist() == [True, False, False, False, False]


# ------------------------------------------------------------------------------- from a configuration to its lanes


def sine(length: int = 100, segments: int = 1, **root: Any) -> Config:
    dataset = DatasetConfig(name="sine", source=Source.sine, targets=["value"], features=["value"], period=5)
    dataset.length, dataset.segments = length, segments
    return Config(**{"look_back": 4, "stateful": True, **root}, dataset=dataset)


def test_lanes_of_a_configuration() -> None:
    """Breaks stateful training: lanes hold exactly the training windows; a stateless network has none."""
    data = prepare_data(sine(batch_size=4))
    assert data.lanes is not None
    np.testing.assert_array_equal(np.sort(data.lanes.starts[data.lanes.weights == 1]), data.windows.train)
    assert prepare_data(sine(stateful=False)).lanes is None


def test_fewer_lanes_than_batch_size() -> None:
    """Breaks the third gate: a batch that cannot be filled is refused, with the number of lanes and the remedy."""
    with pytest.raises(UserError, match=r"batch_size=15 .* 5 training windows make only 5; lower batch_size"):
        prepare_data(sine(length=40, look_back=15, batch_size=15))


def test_more_segments_than_windows() -> None:
    """Breaks 'nothing is repaired silently': segments that would hold no window vanish, or exhaust the memory."""
    with pytest.raises(UserError, match=r"dataset\.segments"):
        prepare_data(sine(length=40, segments=1000))


# -------------------------------------------------------------------------------------------------------- shuffling


@given(num_windows=st.integers(0, 200), seed=st.integers(0, 2**31 - 1), epoch=st.integers(0, 500))
def test_shuffle_is_a_permutation(num_windows: int, seed: int, epoch: int) -> None:
    """Breaks stateless training: a window would be lost, or seen twice in an epoch."""
    np.testing.assert_array_equal(np.sort(shuffle_windows(num_windows, seed, epoch)), np.arange(num_windows))


def test_shuffle_depends_on_seed_and_epoch_only() -> None:
    """Breaks repeating a run bit for bit: the order must be the same in every process, whatever was drawn before."""
    known = shuffle_windows(8, seed=1, epoch=0)
    assert known.tolist() == [5, 0, 1, 4, 2, 6, 3, 7]
    np.random.default_rng().permutation(5)
    np.testing.assert_array_equal(shuffle_windows(8, seed=1, epoch=0), known)
    assert shuffle_windows(8, seed=1, epoch=1).tolist() != known.tolist()
    assert shuffle_windows(8, seed=2, epoch=0).tolist() != known.tolist()
