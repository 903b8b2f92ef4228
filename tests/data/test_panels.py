"""Panels: a lane per series, in the order of the file; nothing ever reaches from one lane into another."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, DatasetConfig, Horizons, LagsAs, Missing, Scaler, Source, Transform
from pipeline.data.notes import describe_data
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series
from pipeline.data.sources import load_series
from pipeline.data.split import split_series
from pipeline.data.transforms import forward_transforms

# The lanes lie between each other, by date; lane b begins two days later and is shorter.
TABLE = """day,stock,price,volume
2024-01-01,a,1,10
2024-01-01,c,100,7
2024-01-02,a,2,20
2024-01-02,c,200,7
2024-01-03,b,30,5
2024-01-03,a,3,30
2024-01-03,c,300,8
2024-01-04,b,40,6
2024-01-04,c,400,9
2024-01-05,a,5,50
"""


def load(folder: Path, text: str = TABLE, **settings: Any) -> Series:
    file = folder / "stocks.csv"
    file.write_text(text)
    chosen = {"time_column": "day", "lane_column": "stock", "features": ["price"], "targets": ["price"], **settings}
    return load_series(DatasetConfig(name="csv", source=Source.file, path=str(file), **chosen))


# ------------------------------------------------------------------------------------------------------- the table


def test_rows_are_grouped_by_lane(tmp_path: Path) -> None:
    """Breaks every panel: rows of different stocks would be read as one sequence, or land in another stock."""
    series = load(tmp_path)
    assert series.series_ids == ("a", "c", "b")  # as they appear
    assert series.series_ends == (4, 8, 10)
    assert series.values.ravel().tolist() == [1, 2, 3, 5, 100, 200, 300, 400, 30, 40]
    days = [1, 2, 3, 5, 1, 2, 3, 4, 3, 4]
    assert series.timestamps.tolist() == [pd.Timestamp(2024, 1, day) for day in days]
    assert series.series_of_rows().tolist() == [0] * 4 + [1] * 4 + [2] * 2
    assert [(rows.start, rows.stop) for rows in series.slices()] == [(0, 4), (4, 8), (8, 10)]
    assert series.describe_series(2) == ", lane 'b'"


def test_columns_besides_time_and_lane_are_features(tmp_path: Path) -> None:
    """Breaks the shortest command: the name of the stock would be taken for a number to learn from."""
    assert load(tmp_path, features=None).features == ("price", "volume")


def test_lanes_need_no_time_column(tmp_path: Path) -> None:
    """Breaks panels without dates: the rows of each lane would not be numbered from its own beginning."""
    series = load(tmp_path, time_column=None)
    assert series.timestamps.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]


def test_lanes_may_be_numbered(tmp_path: Path) -> None:
    """Breaks panels whose lanes have numbers for names."""
    numbered = TABLE.replace(",a,", ",7,").replace(",b,", ",3,").replace(",c,", ",12,")
    assert load(tmp_path, numbered).series_ids == ("7", "12", "3")


def test_the_digest_follows_the_lanes(tmp_path: Path) -> None:
    """Breaks resume=true: the same rows in other lanes would be taken for the same data."""
    digests = {
        load(tmp_path).digest(),
        load(tmp_path, TABLE.replace("05,a,5", "05,b,5")).digest(),
        load(tmp_path, TABLE.replace(",b,", ",d,")).digest(),
    }
    assert len(digests) == 3
    assert load(tmp_path).digest() in digests


BAD_TABLES = {
    "no such lane column": (TABLE, {"lane_column": "share"}, "dataset.lane_column names the column 'share', but .*day"),
    "empty lane": (TABLE.replace("03,b,30", "03,,30"), {}, "data row 5: the lane column 'stock' is empty; every row"),
    "text": (TABLE.replace("b,40", "b,many"), {}, "data row 8: 'many' in the column 'price' is not a number"),
    "missing": (TABLE.replace("a,5", "a,"), {}, r"lane 'a'.*data row 10: the column 'price' has no value \(1 missing"),
    "twice": (TABLE.replace("04,b", "03,b"), {}, "lane 'b'.*data row 8: the timestamp 2024-01-03.* appears twice"),
    "unsorted": (TABLE.replace("04,b", "02,b"), {}, "lane 'b'.*data row 8: the timestamp 2024-01-02.* comes after"),
    "nothing to fill from": (
        TABLE.replace("b,30", "b,"),
        {"missing": Missing.forward_fill},
        "lane 'b'.*data row 5: .*forward_fill has nothing to fill it from",
    ),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables_name_the_lane_and_the_row_of_the_file(tmp_path: Path, name: str) -> None:
    """Breaks the third gate: a person looks for the fault in another row than the one of the file, or another stock."""
    text, settings, complaint = BAD_TABLES[name]
    with pytest.raises(UserError, match=complaint):
        load(tmp_path, text, **settings)


def test_the_same_time_in_two_lanes_is_no_duplicate(tmp_path: Path) -> None:
    """Breaks every panel: timestamps must be unique in a lane, not in the file."""
    assert len(load(tmp_path)) == 10


@pytest.mark.parametrize(("missing", "expected"), [(Missing.forward_fill, [2, 200]), (Missing.interpolate, [3.5, 300])])
def test_gaps_are_filled_from_their_own_lane(tmp_path: Path, missing: Missing, expected: list[float]) -> None:
    """Breaks honesty about gaps: a stock would be filled with the price of the one above it in the file."""
    text = TABLE.replace("03,a,3", "03,a,").replace("03,c,300", "03,c,")
    series = load(tmp_path, text, missing=missing)
    assert series.series_ids == ("a", "c", "b")
    assert np.flatnonzero(series.filled).tolist() == [2, 6]
    assert series.values[[2, 6], 0].tolist() == expected
    assert np.delete(series.values, [2, 6]).tolist() == [1, 2, 5, 100, 200, 400, 30, 40]


@pytest.mark.parametrize("missing", [Missing.forward_fill, Missing.interpolate])
@pytest.mark.parametrize("gap", ["01,c,100", "03,b,30"])
def test_a_lane_that_begins_with_a_gap_is_refused(tmp_path: Path, missing: Missing, gap: str) -> None:
    """Breaks honesty about gaps: the first value of a stock would be taken from the end of another."""
    with pytest.raises(UserError, match=f"lane '{gap[3]}', data row .*has nothing to fill it from"):
        load(tmp_path, TABLE.replace(gap, gap[:5]), missing=missing)


# --------------------------------------------------------------------------------------------------- split and scale


def configure(
    look_back: int = 3, horizon: int = 1, stateful: bool = False, batch_size: int = 1, **dataset: Any
) -> Config:
    settings = {"name": "test", "source": Source.sine, "validation_fraction": 0.2, "test_fraction": 0.3, **dataset}
    return Config(
        look_back=look_back,
        horizon=horizon,
        stateful=stateful,
        batch_size=batch_size,
        dataset=DatasetConfig(**settings),
    )


def noise(*lengths: int) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.uniform(1 + 10 * number, 2 + 10 * number, length) for number, length in enumerate(lengths)]


def test_lanes_are_split_at_common_timestamps(make_panel) -> None:
    """Breaks honesty of panels: a lane would be trained on days after the test of another one began."""
    series = make_panel(noise(100, 60, 80), starts=[0, 40, 10])
    split = split_series(series, configure().dataset)
    parts, times = split.part_names(), series.timestamps.to_numpy()
    assert times[parts == "train"].max() < times[parts == "validation"].min() == 50
    assert times[parts == "validation"].max() < times[parts == "test"].min() == 70
    assert (split.count("train"), split.count("validation"), split.count("test")) == (50 + 10 + 40, 60, 30 + 30 + 20)
    by_date = split_series(series, configure(validation_start="50", test_start="70").dataset)
    np.testing.assert_array_equal(by_date.parts, split.parts)


def test_a_lane_without_training_steps_is_named(make_panel) -> None:
    """Breaks the third gate: a stock that began after the training part would be scaled and scored with nothing."""
    complaint = (
        "lane 'lane1' has 2 training steps, but look_back=3 and horizon=1 need at least 4; .*short_lanes=leave_out"
    )
    with pytest.raises(UserError, match=complaint):
        prepare_data(configure(), make_panel(noise(100, 52), starts=[0, 48]))


@pytest.mark.parametrize(("per_lane", "expected"), [(True, [[0, 1], [0, 1]]), (False, [[0, 0.1], [0.9, 1]])])
def test_scaler_of_each_lane_or_of_all(make_panel, per_lane: bool, expected: list[list[float]]) -> None:
    """Breaks dataset.scaler_per_lane: stocks of different size would, or would not, be scaled alike."""
    lanes = [np.linspace(0, 10, 100), np.linspace(90, 100, 100)]
    config = configure(scaler_per_lane=per_lane, validation_start="98", test_start="99", lane_column="stock")
    data = prepare_data(config, make_panel([np.append(x, [x[-1]] * 3) for x in lanes]))
    scaled = [data.windows.inputs[rows][:98, 0] for rows in data.series.slices()]
    np.testing.assert_allclose([[lane[0], lane[-1]] for lane in scaled], expected, atol=0.011)
    assert data.scaling.offset.shape == data.scaling.scale.shape == (2, 1)
    outputs = data.windows.gather_last_targets(data.windows.train)
    rows = data.windows.spec.origins(data.windows.train) + 1
    in_units = data.in_units(outputs, data.windows.train)[:, 0, 0]
    np.testing.assert_allclose(in_units, data.series.values[rows, 0], rtol=1e-5)


def test_a_constant_lane_is_named_where_it_is_scaled_alone(make_panel) -> None:
    """Breaks the third gate: a lane that never changes would be divided by zero; with one scaler it may stay."""
    series = make_panel([*noise(100), np.full(100, 7.0)])
    complaint = "lane 'lane1': the column 'a' is constant .*set dataset.scaler_per_lane=false"
    with pytest.raises(UserError, match=complaint):
        prepare_data(configure(scaler_per_lane=True), series)
    prepare_data(configure(), series)


# ------------------------------------------------------------------------------------- nothing crosses a lane border

shapes = st.fixed_dictionaries(
    {
        "look_back": st.integers(1, 6),
        "horizon": st.integers(1, 4),
        "horizons": st.sampled_from(Horizons),
        "lags_as": st.sampled_from(LagsAs),
    }
)
lane_lengths = st.lists(st.integers(40, 60), min_size=2, max_size=4)


@given(lengths=lane_lengths, shape=shapes)
def test_no_window_crosses_a_border(make_panel, lengths: list[int], shape: dict[str, Any]) -> None:
    """Breaks panels: a window would begin in one stock and end, or have its target, in another."""
    data = prepare_data(configure(**shape, stateful=True), make_panel(noise(*lengths)))
    windows, lane = data.windows, data.series.series_of_rows()
    np.testing.assert_array_equal(lane[windows.starts], lane[windows.spec.origins(windows.starts)])
    np.testing.assert_array_equal(lane[windows.first_of_series], lane[windows.starts])
    for starts in (windows.train, windows.validation):
        np.testing.assert_array_equal(
            lane[starts], lane[windows.spec.origins(starts) + max(windows.spec.horizon_steps)]
        )
    ends = np.cumsum(lengths)
    for number, end in enumerate(ends):
        mine = windows.starts[lane[windows.starts] == number]
        first = end - lengths[number]
        assert mine.tolist() == list(range(first, end - shape["look_back"] - min(windows.spec.horizon_steps) + 1))
        assert (windows.first_of_series[lane[windows.starts] == number] == first).all()
    assert data.lanes is not None
    for first_batch, last in zip(*_groups(data.lanes.resets), strict=True):
        for row in range(data.lanes.starts.shape[1]):
            assert len(set(lane[data.lanes.starts[first_batch:last, row]])) == 1


def _groups(resets: np.ndarray) -> tuple[list[int], list[int]]:
    first = np.flatnonzero(resets).tolist()
    return first, [*first[1:], len(resets)]


@given(
    lengths=lane_lengths,
    steps=st.sampled_from(
        [[Transform.log], [Transform.difference], [Transform.seasonal_difference, Transform.difference]]
    ),
    period=st.integers(2, 9),
)
def test_transforms_of_a_panel_are_those_of_each_lane(make_panel, lengths, steps, period: int) -> None:
    """Breaks panels: the first difference of a stock would be taken from the last price of another."""
    series = make_panel(noise(*lengths))
    together = forward_transforms(series.values, steps, period, series.slices()).values
    for rows in series.slices():
        np.testing.assert_array_equal(together[rows], forward_transforms(series.values[rows], steps, period).values)


@given(
    lengths=lane_lengths,
    shape=shapes,
    changed=st.integers(0, 3),
    transforms=st.sampled_from([[], [Transform.difference]]),
)
def test_a_lane_knows_nothing_of_the_others(
    make_panel, lengths: list[int], shape: dict[str, Any], changed: int, transforms: list[Transform]
) -> None:
    """Breaks panels: windows or forecasts in units of one lane would move when another lane changes."""
    shape = {**shape, "horizons": Horizons.all} if transforms else shape
    config = configure(**shape, transforms=transforms, scaler_per_lane=True, lane_column="stock")
    lanes = noise(*lengths)
    number = changed % len(lanes)
    before = prepare_data(config, make_panel(lanes))
    lanes[number] = lanes[number] ** 2
    after = prepare_data(config, make_panel(lanes))
    others = before.series.series_of_rows()[before.windows.starts] != number
    starts = before.windows.starts[others]
    np.testing.assert_array_equal(before.windows.gather_inputs(starts), after.windows.gather_inputs(starts))
    outputs = np.random.default_rng(0).normal(size=(len(starts), before.windows.num_outputs))
    np.testing.assert_array_equal(before.in_units(outputs, starts), after.in_units(outputs, starts))


# ----------------------------------------------------------------------------------------- one lane is a plain series


def _plain(panel: Series) -> Series:
    return Series(
        panel.timestamps, panel.values, panel.columns, panel.features, panel.targets, panel.filled, panel.origin
    )


@pytest.mark.parametrize("scaler", Scaler)
@pytest.mark.parametrize("per_lane", [False, True])
@pytest.mark.parametrize("stateful", [False, True])
def test_one_lane_gives_the_arrays_of_the_plain_series(
    make_panel, scaler: Scaler, per_lane: bool, stateful: bool
) -> None:
    """Breaks the meaning of a lane: a panel of one stock would be trained or scored on other numbers than the stock."""
    panel = make_panel([np.column_stack([*noise(90), np.arange(90.0)])], filled=[30])
    transforms = [Transform.log, Transform.difference] if scaler is Scaler.standard else []
    config = configure(2, stateful=stateful, scaler=scaler, scaler_per_lane=per_lane, transforms=transforms)
    panel.values[:, 1] += 1  # log
    one, plain = prepare_data(config, panel), prepare_data(config, _plain(panel))
    for name in ("inputs", "targets", "starts", "train", "validation", "first_of_series"):
        np.testing.assert_array_equal(getattr(one.windows, name), getattr(plain.windows, name))
    np.testing.assert_array_equal(one.split.parts, plain.split.parts)
    for name in ("offset", "scale"):
        np.testing.assert_array_equal(getattr(one.scaling, name), getattr(plain.scaling, name))
    outputs = one.windows.gather_last_targets(one.windows.train)
    units = [each.in_units(outputs, one.windows.train) for each in (one, plain)]
    np.testing.assert_array_equal(*units)
    if stateful:
        assert one.lanes is not None and plain.lanes is not None
        for name in ("starts", "weights", "resets"):
            np.testing.assert_array_equal(getattr(one.lanes, name), getattr(plain.lanes, name))


# ----------------------------------------------------------------------------------------------------- many lanes


def test_four_hundred_lanes_side_by_side(make_panel) -> None:
    """Breaks batch_size=400: stocks of different length must lie side by side, the shorter ones padded."""
    lengths = [20 + number % 5 for number in range(400)]
    starts = [number % 5 for number in range(400)]
    data = prepare_data(configure(1, stateful=True, batch_size=400), make_panel(noise(*lengths), starts=starts))
    assert data.lanes is not None
    train = _train_sizes(data)
    assert data.lanes.starts.shape == (max(train), 400)
    assert data.lanes.weights.sum(axis=0).tolist() == train  # one column per lane, and padding does not count
    assert len(set(train)) > 1
    assert np.flatnonzero(data.lanes.resets).tolist() == [0]
    assert data.lanes.num_padded == 400 * max(train) - sum(train) > 0
    (note,) = [note for note in describe_data(configure(1), data) if "share the network" in note]
    assert note == "400 lanes of 20 to 24 rows share the network; scaler: one for all lanes"


def _train_sizes(data: PreparedData) -> list[int]:
    lane = data.series.series_of_rows()[data.windows.train]
    return np.bincount(lane, minlength=len(data.series.slices())).tolist()


@pytest.mark.parametrize(("batch_size", "lanes"), [(7, 6)])
def test_more_places_than_lanes(make_panel, batch_size: int, lanes: int) -> None:
    """Breaks the third gate: with two stocks and look_back=3 there are six lanes, and no seventh to fill a batch."""
    with pytest.raises(UserError, match=rf"batch_size={batch_size} .* make only {lanes}; lower batch_size"):
        prepare_data(configure(stateful=True, batch_size=batch_size), make_panel(noise(100, 100)))


def test_the_first_values_after_a_border_are_not_lost(make_panel) -> None:
    """Breaks panels: differences must cost the first rows of every lane, no more and no fewer."""
    lengths: Sequence[int] = (50, 60)
    data = prepare_data(configure(2, transforms=[Transform.difference]), make_panel(noise(*lengths)))
    lane = data.series.series_of_rows()
    assert [int(data.windows.starts[lane[data.windows.starts] == number].min()) for number in (0, 1)] == [1, 51]
    assert np.isfinite(data.windows.gather_inputs(data.windows.starts)).all()


@pytest.mark.parametrize(
    ("value", "complaint"), [(1e300, r"holds 1e\+300, which is too large"), (-4.0, "holds -4, which has no logarithm")]
)
def test_bad_values_are_found_by_lane_and_time(make_panel, value: float, complaint: str) -> None:
    """Breaks the third gate: rows of lanes are grouped, so a row number would be that of no row of the file."""
    lanes = noise(100, 100)
    lanes[1][7] = value
    with pytest.raises(UserError, match=rf"dataset 'test', lane 'lane1', row 7: the column 'a' {complaint}"):
        prepare_data(configure(transforms=[Transform.log]), make_panel(lanes))
