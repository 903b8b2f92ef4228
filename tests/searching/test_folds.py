"""Folds of the past: where they lie, and that nothing of the test part is in them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, DatasetConfig, Source, Transform
from pipeline.data.past import count_past, cut_series
from pipeline.data.sources import load_series
from pipeline.searching.evaluate import score_persistence
from pipeline.searching.folds import fold_config, make_folds, prepare_fold
from pipeline.searching.narrow import choose_starts, narrow_space
from pipeline.searching.space import Between, Options, Space, read_space, set_values

AIRLINE = Config(
    dataset=DatasetConfig(name="airline", source=Source.packaged, path="airline.csv", time_column="month", period=12)
)
SPACE = Space(
    {
        "dataset.transforms": Options(("[]", "[log]", "[difference]", "[seasonal_difference]")),
        "training.learning_rate": Between(0.001, 0.1, log=True),
    },
    {},
)


def test_folds_are_alike_and_roll_to_the_end_of_the_past() -> None:
    """A fold has rows of the test part, scores rows that another scores, or needs a program of its own."""
    series = load_series(AIRLINE.dataset)
    past = count_past(AIRLINE, series)
    folds = make_folds(AIRLINE, series)
    prepared = [prepare_fold(AIRLINE, fold) for fold in folds]
    assert past == 96 and folds[-1].series.timestamps[-1] == series.timestamps[past - 1]
    assert len({len(fold.series) for fold in folds}) == len({len(data.windows.train) for data in prepared}) == 1
    scored = [data.series.timestamps[data.split.rows("test")] for data in prepared]
    assert all(len(times) == fold.scored for times, fold in zip(scored, folds, strict=True))
    assert len(scored[0].union(scored[1]).union(scored[2])) == 3 * folds[0].scored
    assert all(data.split.count("validation") == fold.stop for data, fold in zip(prepared, folds, strict=True))


def test_auto_chooses_by_the_training_part_of_each_fold() -> None:
    """A search over dataset.transforms=auto breaks, or a fold is trained on what another one asked for."""
    folds = make_folds(AIRLINE, load_series(AIRLINE.dataset))
    space = Space({"dataset.transforms": Options(("auto", "[]"))}, {})
    assert narrow_space(AIRLINE, space, folds)[0].axes == space.axes
    auto = set_values(AIRLINE, {"dataset.transforms": "auto"})
    chosen = [fold_config(auto, fold).dataset.transforms for fold in folds]
    assert all(steps and Transform.auto not in steps for steps in chosen)
    assert [list(prepare_fold(auto, fold).transformed.steps) for fold in folds] == chosen


def test_the_test_part_decides_nothing_of_a_search() -> None:
    """What lies in the test part changes the space, a fold, a scaler or a score: the search has seen it."""
    series = load_series(AIRLINE.dataset)
    noise = series.values.copy()
    noise[96:] = np.random.default_rng(1).normal(-50, 1000, noise[96:].shape)  # negative: no logarithm
    found = []
    for each in (series, replace(series, values=noise)):
        folds = make_folds(AIRLINE, each)
        space, _ = narrow_space(AIRLINE, SPACE, folds)
        logs = replace(AIRLINE, dataset=replace(AIRLINE.dataset, transforms=[Transform.log]))
        data = [prepare_fold(logs, fold) for fold in folds]
        inputs = np.concatenate([one.windows.inputs for one in data])
        found.append((space, choose_starts(AIRLINE, space), score_persistence(AIRLINE, folds), inputs.tolist()))
    assert found[0] == found[1]


def test_a_panel_is_cut_at_one_time_for_all(make_panel: Any) -> None:
    """A series of a panel shows another what comes after the end of a fold."""
    rows = np.arange(20.0)[:, None]
    series = make_panel([rows, rows[:6], rows])
    cut = cut_series(series, end=8, first=2)
    assert cut.timestamps.max() < series.timestamps.unique().sort_values()[8]
    assert cut.series_ends == tuple(np.cumsum([len(np.arange(20)[2:8]), 4, 6]))
    assert [len(cut.values[each]) for each in cut.slices()] == [6, 4, 6]
    assert cut_series(series, end=20, first=10).series_ids == (series.series_ids[0], series.series_ids[2])


def test_what_does_not_go_with_the_data_is_left_out_and_told() -> None:
    """Half of the trials fail with the same reason, or a choice is dropped without a word."""
    series = load_series(AIRLINE.dataset)
    negative = replace(series, values=series.values - 300)
    config = replace(AIRLINE, dataset=replace(AIRLINE.dataset, period=1))
    folds = make_folds(config, negative)
    space, notes = narrow_space(config, replace(SPACE, axes={**SPACE.axes, "look_back": Options(("1", "70"))}), folds)
    assert space.axes["dataset.transforms"] == Options(("[]", "[difference]"))
    assert space.fixed["look_back"] == "1" and "look_back" not in space.axes
    assert any("look_back: 70 left out" in note for note in notes) and any("logarithm" in note for note in notes)
    starts = choose_starts(config, space)
    assert [start["dataset.transforms"] for start in starts] == ["[]", "[difference]"]
    with pytest.raises(UserError, match="no value of look_back goes with the data"):
        narrow_space(config, Space({"look_back": Options(("70", "80"))}, {}), folds)


def test_a_search_begins_with_the_first_choices_and_every_way_to_prepare_the_data() -> None:
    """A short budget is spent on raw values of three steps, or a way to prepare the data waits for the sampler."""
    config = replace(AIRLINE, dataset=replace(AIRLINE.dataset, period=52))
    space = read_space("small", 100, 52, [], [])
    starts = choose_starts(config, space)
    assert {start["look_back"] for start in starts} == {"3", "52"}
    monthly = choose_starts(AIRLINE, read_space("small", 100, 12, [], []))
    lags = {(start["dataset.lags_as"], start["look_back"]) for start in monthly}
    assert AIRLINE.dataset.period == 12
    assert lags == {("time_steps", "12"), ("features", "3"), ("features", "12"), ("features", "24")}
    assert {(start["model.units"], start["model.skip"]) for start in starts} == {("[16]", "linear")}
    assert (starts[0]["dataset.transforms"], starts[0]["dataset.normalise"]) == (
        "[log,seasonal_average]",
        "window_last",
    )
    assert len({tuple(start.items()) for start in starts}) == len(starts)
    for key in ("dataset.transforms", "dataset.normalise", "dataset.lags_as"):
        axis = space.axes[key]
        assert isinstance(axis, Options) and {start[key] for start in starts} == set(axis.texts)
    taken = ["dataset.normalise", "dataset.lags_as"]
    fixed = read_space("small", 100, 52, ["dataset.transforms=choice([log],[difference,log])"], taken)
    found = [(start["dataset.transforms"], start["look_back"]) for start in choose_starts(config, fixed)]
    assert found == [("[log]", "3"), ("[log]", "52"), ("[difference,log]", "52")]


def test_too_short_a_past_is_refused() -> None:
    """A series of some rows ends in a traceback of its folds."""
    frame = pd.DataFrame({"value": np.arange(12.0)})
    config = Config(horizon=3, dataset=DatasetConfig(name="short", source=Source.frame))
    with pytest.raises(UserError, match="too few for 3 folds with horizon=3"):
        make_folds(config, load_series(config.dataset, data=frame))
