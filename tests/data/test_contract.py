"""The state contract: everything that is prepared keeps it, and every way to break it is named in one paragraph."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, DatasetConfig, Horizons, Order, Source, TrainingConfig
from pipeline.data.arrays import IntArray
from pipeline.data.contract import check_contract
from pipeline.data.lanes import Batches, batch_lanes, cut_lanes
from pipeline.data.notes import describe_data, name_contract
from pipeline.data.prepare import prepare_data
from pipeline.data.series import Series

STRIDE = 3
SERIES = [np.arange(0, 14), np.arange(20, 37)]  # two series, whose windows start at these rows
COUNTED = np.concatenate(SERIES)


def make_batches() -> Batches:
    """Six lanes, two side by side."""
    return batch_lanes(cut_lanes(SERIES, Order.phases, STRIDE, segments=1), 2, COUNTED)


def check(batches: Batches, order: Order = Order.phases, counted: IntArray = COUNTED) -> None:
    check_contract(batches, SERIES, counted, order, STRIDE)


def refused(batches: Batches, complaint: str, **changes: Any) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        check(batches, **changes)
    text = str(caught.value)
    assert text.startswith("the state contract is broken: ") and text.endswith("Nothing was trained.")
    assert len(text.splitlines()) == 1 and len(text) < 700  # one paragraph


def with_starts(batches: Batches, row: int, starts: dict[int, int]) -> Batches:
    """Put other windows into some batches of one row."""
    changed = batches.starts.copy()
    for batch, start in starts.items():
        changed[batch, row] = start
    return replace(batches, starts=changed)


# ------------------------------------------------------------------------------------------------- what is accepted

lane_shapes = st.tuples(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 40)), min_size=1, max_size=5),  # gap before, windows
    st.integers(1, 8),  # stride
    st.integers(1, 4),  # segments
    st.integers(1, 9),  # batch_size
    st.sampled_from(Order),
    st.integers(0, 1000),  # seed of the windows that do not count
)


@given(lane_shapes)
def test_all_lanes_that_are_cut_keep_it(
    shape: tuple[list[tuple[int, int]], int, int, int, Order, int],
) -> None:
    """Breaks valid runs: lanes that are cut as they should be would be refused before training."""
    lengths, stride, segments, batch_size, order, seed = shape
    series, first = [], 0
    for gap, length in lengths:
        series.append(np.arange(first + gap, first + gap + length))
        first += gap + length
    windows = np.concatenate(series)
    counted = windows[np.random.default_rng(seed).random(len(windows)) < 0.9]
    batches = batch_lanes(cut_lanes(series, order, stride, segments), batch_size, counted)
    check_contract(batches, series, counted, order, stride)


prepared_shapes = st.fixed_dictionaries(
    {
        "look_back": st.integers(1, 7),
        "horizon": st.integers(1, 3),
        "horizons": st.sampled_from(Horizons),
        "return_sequences": st.booleans(),
        "order": st.sampled_from(Order),
        "segments": st.integers(1, 3),
        "lengths": st.lists(st.integers(45, 80), min_size=1, max_size=4),
        "filled": st.sets(st.integers(0, 20), max_size=3),
        "batch_size": st.integers(1, 4),
    }
)


@given(prepared_shapes)
def test_everything_that_is_prepared_keeps_it(shape: dict[str, Any]) -> None:
    """Breaks valid runs, or lets a broken order through: the arrays that training reads are checked again here."""
    order, lengths = shape["order"], shape["lengths"]
    phases = 1 if order is Order.overlapping else shape["look_back"]
    config = Config(
        look_back=shape["look_back"],
        horizon=shape["horizon"],
        return_sequences=shape["return_sequences"],
        stateful=True,
        batch_size=min(shape["batch_size"], phases * len(lengths)),
        dataset=DatasetConfig(
            name="test",
            source=Source.sine,
            horizons=shape["horizons"],
            order=order,
            segments=1 if order is Order.overlapping else shape["segments"],
        ),
    )
    data = prepare_data(config, panel(lengths, sorted(shape["filled"])))
    assert data.lanes is not None
    used = data.lanes.starts[data.lanes.weights > 0]
    np.testing.assert_array_equal(np.sort(used), data.windows.train)  # each window that counts, exactly once
    series_of_rows = data.series.series_of_rows()
    stride = 1 if order is Order.overlapping else config.look_back
    for row in range(config.batch_size):
        for first, last in groups(data.lanes.resets):
            starts, weights = data.lanes.starts[first:last, row], data.lanes.weights[first:last, row]
            running = np.append(True, np.diff(starts) != 0)  # from the first repetition on: padding
            assert (np.diff(running.astype(int)) <= 0).all()
            assert not weights[~running].any()
            assert (np.diff(starts[running]) == stride).all()
            assert len(set(series_of_rows[starts])) == 1


def groups(resets: np.ndarray) -> list[tuple[int, int]]:
    first = np.flatnonzero(resets).tolist()
    assert first[0] == 0
    return list(zip(first, [*first[1:], len(resets)], strict=True))


def panel(lengths: Sequence[int], filled: Sequence[int] = ()) -> Series:
    """Return noise in lanes of these lengths; `filled` are rows of the whole whose value was filled in."""
    total = sum(lengths)
    values = np.random.default_rng(0).normal(size=(total, 1))
    where = np.zeros((total, 1), dtype=bool)
    where[list(filled)] = True
    return Series(
        timestamps=pd.Index(np.concatenate([np.arange(length) for length in lengths])),
        values=values,
        columns=("a",),
        features=("a",),
        targets=("a",),
        filled=where,
        origin="test",
        series_ids=tuple(f"lane{number}" for number in range(len(lengths))),
        series_ends=tuple(np.cumsum(lengths).tolist()),
    )


# --------------------------------------------------------------------------------------------------- what is refused


def test_the_batches_of_this_file_are_good() -> None:
    """Breaks this file: what is spoiled below would have been refused anyway."""
    batches = make_batches()
    check(batches)
    assert batches.starts[:, 0].tolist() == [0, 3, 6, 9, 12, 12, 1, 4, 7, 10, 13, 13, 2, 5, 8, 11, 11]
    assert batches.starts[:, 1].tolist() == [20, 23, 26, 29, 32, 35, 21, 24, 27, 30, 33, 36, 22, 25, 28, 31, 34]
    assert np.flatnonzero(batches.resets).tolist() == [0, 6, 12]


def test_a_missing_reset() -> None:
    """Breaks honesty of the state: an epoch, or a lane, would start with what another one left behind."""
    batches = make_batches()
    for reset, complaint in (
        (0, "not reset before the first batch of an epoch"),
        (6, "in row 0, batch 6 holds the window at row 12 of the data and batch 7 the one at row 1, but no reset"),
    ):
        resets = batches.resets.copy()
        resets[reset] = False
        refused(replace(batches, resets=resets), complaint)


def test_swapped_batches() -> None:
    """Breaks the order of time: the network would read the past after the future."""
    batches = make_batches()
    order = [0, 2, 1, *range(3, len(batches.starts))]
    swapped = Batches(batches.starts[order], batches.weights[order], batches.resets)
    refused(swapped, "in row 0, batch 1 holds the window at row 0 .* batch 2 the one at row 6, .* start 3 rows later")


def test_an_overlapping_stride() -> None:
    """Breaks the carried state: the tutorial's order, which nobody asked for, reads most rows several times."""
    lanes = cut_lanes(SERIES, Order.overlapping, STRIDE, segments=1)
    batches = batch_lanes(lanes, 2, COUNTED)
    refused(batches, "batch 1 holds the window at row 0 .* batch 2 the one at row 1, .* start 3 rows later")
    check(batches, order=Order.overlapping)  # it was asked for


def test_phases_where_overlapping_was_asked_for() -> None:
    """Breaks presets of published numbers: their windows would not be read one row apart."""
    refused(make_batches(), "start 1 rows later", order=Order.overlapping)


def test_a_window_twice() -> None:
    """Breaks training: one window would count more than the others."""
    batches = make_batches()
    refused(with_starts(batches, 0, {1: 0}), "the window at row 0 is used 2 times in an epoch instead of once")


def test_a_window_missing() -> None:
    """Breaks training: a part of the data would never be learnt from."""
    batches = make_batches()
    weights = batches.weights.copy()
    weights[4, 0] = 0
    refused(replace(batches, weights=weights), "1 training windows are never used, the first at row 12")


def test_a_window_that_is_no_training_window() -> None:
    """Breaks honesty: a window with a filled target, or one of the validation part, would be learnt from."""
    refused(make_batches(), "the window at row 12 is no training window", counted=COUNTED[COUNTED != 12])


def test_a_lane_that_crosses_into_another_series() -> None:
    """Breaks panels: the state of one stock would be carried into another one."""
    series = [np.arange(0, 6), np.arange(6, 12)]  # the second series begins where the first one ends
    windows = np.concatenate(series)
    batches = batch_lanes(cut_lanes([windows], Order.phases, STRIDE, segments=1), 1, windows)
    with pytest.raises(UserError, match=r"window at row 3 .* batch 3 the one at row 6, .* same series"):
        check_contract(batches, series, windows, Order.phases, STRIDE)


@given(st.integers(0, 2**31))
def test_any_other_order_is_refused(seed: int) -> None:
    """Breaks the check itself: shuffled places, which only look like lanes, would be trained on."""
    batches = make_batches()
    places = np.random.default_rng(seed).permutation(batches.starts.size)
    shuffled = replace(
        batches,
        starts=batches.starts.ravel()[places].reshape(batches.starts.shape),
        weights=batches.weights.ravel()[places].reshape(batches.weights.shape),
    )
    with pytest.raises(UserError, match="the state contract is broken"):
        check(shuffled)


# ------------------------------------------------------------------------------------- the order that was asked for


def configure(**changes: Any) -> Config:
    order = changes.pop("order", Order.phases)
    dataset = DatasetConfig(name="test", source=Source.sine, order=order)
    return Config(**{"stateful": True} | changes, dataset=dataset, training=TrainingConfig(epochs=1))


def test_overlapping_is_told_and_tagged() -> None:
    """Breaks the warning of the tutorial's order: a run that reads rows several times would look like any other."""
    config = configure(order=Order.overlapping)
    data = prepare_data(config, panel([60]))
    notes = list(describe_data(config, data))
    assert any("1,2,3, 2,3,4" in note and "dataset.order=phases" in note for note in notes)
    assert name_contract(config) == "overlapping"


def test_contract_of_the_other_runs() -> None:
    """Breaks the state_contract tag: runs could not be filtered by how their state was carried."""
    assert name_contract(configure()) == "kept"
    assert name_contract(configure(stateful=False)) == "stateless"
    config = configure()
    assert not any("overlapping" in note for note in describe_data(config, prepare_data(config, panel([60]))))
