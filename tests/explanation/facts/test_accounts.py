"""An epoch is accounted for: windows, batches, padding and what is left over are those of the arrays."""

from typing import Any

import numpy as np
import pytest

from pipeline.config.schema import TextSplit
from pipeline.data.lanes import cut_lanes


def test_counts_are_those_of_the_arrays(case: Any) -> None:
    """Breaks the account of an epoch: windows, batches, padding, lanes or resets are not what training does."""
    counts, data, size = case.facts.counts, case.data, case.config.batch_size
    assert counts.num_windows == data.windows.train.size
    if data.lanes is None:
        batches = np.array_split(np.arange(counts.num_windows), np.arange(size, counts.num_windows, size))
        assert (counts.num_batches, counts.last_batch) == (len(batches), len(batches[-1]))
        return
    windows, split = data.windows, data.split
    last_targets = windows.spec.last_targets(windows.starts)
    every = windows.starts[last_targets < split.count("train")]  # with those whose target was filled in
    lanes = cut_lanes([every], case.config.dataset.order, case.config.time_steps, case.config.dataset.segments)
    assert counts.num_windows + counts.num_unscored == every.size
    assert counts.num_batches * size == every.size + counts.num_padded
    assert counts.num_resets == np.count_nonzero(data.lanes.resets)
    assert counts.num_lanes == len(lanes)
    assert counts.lane_lengths == (min(map(len, lanes)), max(map(len, lanes)))


def test_every_row_of_the_training_part_is_accounted_for(case: Any) -> None:
    """Breaks "never dropped silently": a row where no window begins is missing from what is left over."""
    left = [row for each in case.facts.left_over for row in each.rows]
    assert sorted([*left, *case.data.windows.train.tolist()]) == np.flatnonzero(case.data.split.rows("train")).tolist()
    reasons = {each.reason.split()[0]: each.rows for each in case.facts.left_over}
    assert list(reasons.get("before", ())) == list(range(case.data.transformed.lost))
    lost = case.config.look_back + case.config.horizon - 1
    assert len(reasons["the"]) == lost
    assert ("a" in reasons) is bool(case.data.series.filled.any())


def test_the_three_parts_are_the_whole_series_once(case: Any) -> None:
    """Breaks the table of parts: rows are missing, counted twice, or named by other dates than they have."""
    parts, data = case.facts.parts, case.data
    assert [part.name for part in parts] == ["train", "validation", "test"]
    assert sum(part.num_rows for part in parts) == len(data.series)
    for part in parts:
        rows = np.flatnonzero(data.split.rows(part.name))
        assert (part.num_rows, part.first, part.last) == (
            rows.size,
            f"{data.series.timestamps[rows[0]]:%Y-%m}",
            f"{data.series.timestamps[rows[-1]]:%Y-%m}",
        )
    assert parts[0].num_windows == data.windows.train.size
    assert parts[1].num_windows == data.windows.validation.size


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"stateful": True, "batch_size": 3}, "they lie inside a chunk of 20 tokens"),
        ({"stateful": True, "batch_size": 3, "split": TextSplit.lanes}, "they lie inside a chunk of 20 tokens"),
        ({"stride": 3}, "dataset.stride=3 steps over them"),
        ({"return_sequences": True}, "they lie inside a chunk of 20 tokens"),
    ],
)
def test_every_token_of_the_training_part_is_accounted_for(make_text: Any, keys: dict[str, Any], reason: str) -> None:
    """Breaks "never dropped silently": a token where no window begins has no reason, or that of a missing value."""
    made = make_text(**keys)
    train, left = made.data.windows.train, made.facts.left_over
    rows = np.concatenate([train, *(each.rows for each in left)])
    assert np.array_equal(np.sort(rows), np.flatnonzero(made.data.split.rows("train")))
    assert left[0].reason == reason and "too few tokens" in left[1].reason
    stride = np.diff(train).min()
    assert all(0 < row - train[train <= row][-1] < stride for row in left[0].rows)
    assert [part.num_windows for part in made.facts.parts[1:]] == [part.num_rows for part in made.facts.parts[1:]]
