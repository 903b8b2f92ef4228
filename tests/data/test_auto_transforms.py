"""dataset.transforms=auto: planted series get what they ask for, and the test part has no say."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.stattools import kpss

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, DatasetConfig, Horizons, ShortLanes, Source, Transform, hash_config
from pipeline.data.auto_transforms import resolve_transforms
from pipeline.data.prepare import prepare_data
from pipeline.data.series import Series
from pipeline.data.series_statistics import kpss_statistic, seasonal_strength, spread_slope

HIDDEN = int(np.random.SeedSequence().generate_state(1)[0])
LENGTH = 300
STEPS = np.arange(LENGTH)
LOG, DIFFERENCE, SEASONAL = Transform.log, Transform.difference, Transform.seasonal_difference


def noise(seed: int = 3, length: int = LENGTH) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=length)


def series_of(*lanes: np.ndarray) -> Series:
    """One target per lane of the panel; one lane is a single series."""
    values = np.concatenate([lane.reshape(len(lane), -1) for lane in lanes])
    names = tuple("abc"[: values.shape[1]])
    ends = tuple(np.cumsum([len(lane) for lane in lanes]).tolist())
    panel = {"series_ids": tuple(map(str, range(len(lanes)))), "series_ends": ends} if len(lanes) > 1 else {}
    times = pd.Index(np.concatenate([np.arange(len(lane)) for lane in lanes]), name="row")
    return Series(times, values, names, names, names[:1], np.zeros(values.shape, bool), "test", **panel)


def configure(**dataset: Any) -> Config:
    given = {"name": "test", "source": Source.sine, "transforms": [Transform.auto]} | dataset
    return Config(dataset=DatasetConfig(**given))


def choose(series: Series, **dataset: Any) -> list[Transform]:
    return resolve_transforms(configure(**dataset), series)[0].dataset.transforms


SEASON = np.sin(STEPS * 2 * np.pi / 12)
PLANTED = {
    "stationary noise": (10 + noise(), 1, []),
    "random walk": (100 + noise().cumsum(), 1, [DIFFERENCE]),
    "random walk around zero": (noise().cumsum(), 1, [DIFFERENCE]),
    "exponential trend with growing spread": (np.exp(0.02 * STEPS + 0.1 * noise()), 1, [LOG, DIFFERENCE]),
    "the same below zero": (-np.exp(0.02 * STEPS + 0.1 * noise()), 1, [DIFFERENCE]),
    "season": (10 + SEASON + 0.1 * noise(), 12, [SEASONAL]),
    "season of growing size on a trend": (
        np.exp(0.01 * STEPS + 0.3 * SEASON + 0.02 * noise().cumsum()),
        12,
        [LOG, DIFFERENCE, SEASONAL],
    ),
    "noise with a period": (10 + noise(), 12, []),
    "straight line": (100.0 + STEPS, 1, []),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_series_gets_what_it_asks_for(name: str) -> None:
    """Breaks the choice: a random walk is learnt as levels, noise is made harder, or a negative value has its log."""
    values, period, expected = PLANTED[name]
    assert choose(series_of(values), period=period) == expected


def test_the_choice_says_its_reasons() -> None:
    """Breaks trust: a person cannot see by which numbers the series was changed."""
    values, period, _ = PLANTED["season of growing size on a trend"]
    _, choice = resolve_transforms(configure(period=period), series_of(values))
    assert choice is not None
    assert "chose [log,difference,seasonal_difference] by the training part: log, because the spread" in choice.tell()
    assert "strength of the season is 0.9" in choice.tell() and "KPSS statistic" in choice.tell()


def test_another_test_part_changes_nothing() -> None:
    """Breaks honesty: the transforms were chosen with a look at the values that are scored."""
    random = np.random.default_rng(HIDDEN)
    for values, period, expected in PLANTED.values():
        changed = values.copy()
        changed[150:] = np.abs(values[:150]).max() * random.uniform(1, 9, LENGTH - 150)  # 150 train: 1 - 0.33 - 0.17
        assert choose(series_of(changed), period=period) == expected, f"hidden seed {HIDDEN}"


def test_the_audit_finds_another_training_part() -> None:
    """The audit would be blind: the choice is the same whatever the values are."""
    values = 10 + noise()
    values[:150] = 10 + noise().cumsum()[:150]
    assert choose(series_of(values)) == [DIFFERENCE]


def test_a_later_value_without_a_logarithm_is_refused() -> None:
    """Breaks a run in its middle, or the choice silently looks at the test part to avoid it."""
    values = PLANTED["exponential trend with growing spread"][0].copy()
    values[250] = 0.0
    with pytest.raises(UserError, match=r"row 251: .* holds 0,.*auto chose log .*transforms=\[difference\]"):
        choose(series_of(values))


def test_another_column_can_forbid_the_logarithm() -> None:
    """Breaks the run: transforms change every column, and a feature with negative values has no logarithm."""
    target = PLANTED["exponential trend with growing spread"][0]
    assert choose(series_of(np.stack([target, noise()], axis=1))) == [DIFFERENCE]


def test_lanes_are_changed_alike() -> None:
    """Breaks a panel: lanes of one network would stand in different units."""
    walk, still = [100 + noise(seed).cumsum() for seed in (1, 2)], 100 + noise(4)
    assert choose(series_of(*walk, still)) == [DIFFERENCE]
    assert choose(series_of(walk[0], still, still + 1)) == []
    short = 100 + noise(7, 12)
    assert choose(series_of(*walk, short), short_lanes=ShortLanes.leave_out) == [DIFFERENCE]


def test_a_short_training_part_keeps_its_seasons() -> None:
    """Breaks short series: the difference would leave no window to train on."""
    assert SEASONAL not in choose(series_of(PLANTED["season"][0][:60]), period=12)  # 30 training steps


def test_what_was_chosen_names_the_run() -> None:
    """Breaks resume: the same choice has another hash, or auto and its list are two configurations."""
    series = series_of(PLANTED["random walk"][0])
    chosen = resolve_transforms(configure(), series)[0]
    by_hand = replace(chosen, dataset=replace(chosen.dataset, transforms=[DIFFERENCE]))
    assert hash_config(chosen, series.digest()) == hash_config(by_hand, series.digest())
    assert resolve_transforms(by_hand, series) == (by_hand, None)


@pytest.mark.parametrize("name", ["random walk", "season of growing size on a trend"])
def test_chosen_transforms_come_back_in_units(name: str) -> None:
    """Breaks every score: a perfect output of the network is not the value in the data's own units."""
    values, period, _ = PLANTED[name]
    config = configure(period=period, horizons=Horizons.all)
    series = series_of(values)
    data = prepare_data(resolve_transforms(replace(config, horizon=3), series)[0], series)
    starts = data.windows.train
    found = data.in_units(data.windows.gather_last_targets(starts), starts)[:, :, 0]
    np.testing.assert_allclose(found, values[data.windows.spec.forecast_rows(starts)], rtol=1e-4)


def test_an_open_choice_is_not_trained_on() -> None:
    """Breaks silently: auto would be taken for no transforms."""
    with pytest.raises(ValueError, match="resolve_transforms comes first"):
        prepare_data(configure(), series_of(noise()))


def test_kpss_is_that_of_statsmodels() -> None:
    """Breaks the criterion: our statistic is not the published one."""
    for values in (noise(), noise().cumsum()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the p-value lies outside the table
            expected = kpss(values, nlags=int(3 * np.sqrt(LENGTH) / 13))[0]
        assert kpss_statistic(values) == pytest.approx(expected, rel=1e-9)
    assert kpss_statistic(np.ones(50)) == 0.0


def test_statistics_on_the_border() -> None:
    """Breaks odd series: a constant one, one of a pure season, one too short for blocks."""
    assert seasonal_strength(np.ones(48), 12) == 0.0
    assert seasonal_strength(SEASON, 12) == pytest.approx(1.0)
    assert seasonal_strength(np.sin(STEPS * 2 * np.pi / 7), 7) == pytest.approx(1.0)
    assert spread_slope(np.ones(100), 1) is None
    assert spread_slope(np.arange(1.0, 20.0), 1) is None
    assert spread_slope(np.exp(0.02 * STEPS) * (1 + 0.1 * (STEPS % 2)), 1) == pytest.approx(1.0, abs=0.02)
