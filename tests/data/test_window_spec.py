"""Where the rows of a window lie: offsets of what is read and of what is predicted, in every framing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, DatasetConfig, Horizons, LagsAs, Protocol, Source
from pipeline.data.series import Series
from pipeline.data.split import Split
from pipeline.data.window_spec import WindowSpec, make_window_spec
from pipeline.data.windows import Samples, Windows, make_windows

LENGTH = 30
COLUMNS = ("sales", "holiday", "size")


def make_series(series_ends: tuple[int, ...] = ()) -> Series:
    """Return sales that are row numbers, a holiday 100 above them, and a size that is the number of the series."""
    rows = np.arange(LENGTH, dtype=float)
    size = np.searchsorted(series_ends, rows, side="right").astype(float)
    return Series(
        timestamps=pd.RangeIndex(LENGTH),
        values=np.stack([rows, rows + 100, size], axis=1),
        columns=COLUMNS,
        features=("sales",),
        targets=("sales",),
        filled=np.zeros((LENGTH, 3), dtype=bool),
        origin="test",
        series_ids=tuple("abc"[: len(series_ends)]),
        series_ends=series_ends,
    )


def specify(look_back: int = 3, horizon: int = 2, return_sequences: bool = False, **dataset: Any) -> WindowSpec:
    """Return the specification of a configuration."""
    dataset_config = DatasetConfig(name="rows", source=Source.sine, **dataset)
    config = Config(look_back=look_back, horizon=horizon, return_sequences=return_sequences, dataset=dataset_config)
    return make_window_spec(config, make_series())


def with_known_inputs(spec: WindowSpec) -> WindowSpec:
    """Add a column that is known at every row that is forecast, and one that stays the same."""
    ahead = tuple(spec.origin + step for step in range(1, max(spec.horizon_steps) + 1))
    return replace(spec, future_offsets=ahead, future_columns=("holiday",), static_columns=("size",))


def make_some_windows(spec: WindowSpec, series_ends: tuple[int, ...] = ()) -> Windows:
    """Return the windows of three parts of ten rows, or of many series that are all training."""
    parts = np.zeros(LENGTH, dtype=int) if series_ends else np.repeat([0, 1, 2], LENGTH // 3)
    series = make_series(series_ends)
    return make_windows(Protocol.fair, spec, series.values, series, Split(parts), lost=0)


FRAMINGS: dict[str, tuple[dict[str, Any], tuple[Any, ...], tuple[Any, ...], tuple[int, ...]]] = {
    "one step": ({"horizon": 1}, ((0,), (1,), (2,)), ((3,),), ()),
    "far": ({}, ((0,), (1,), (2,)), ((4,),), ()),
    "all horizons": ({"horizons": Horizons.all}, ((0,), (1,), (2,)), ((3, 4),), ()),
    "lags as features": ({"lags_as": LagsAs.features}, ((0, 1, 2),), ((4,),), ()),
    "many to many": ({"return_sequences": True}, ((0,), (1,), (2,)), ((2,), (3,), (4,)), (3,)),
    "many to many, all horizons": (
        {"return_sequences": True, "horizons": Horizons.all},
        ((0,), (1,), (2,)),
        ((1, 2), (2, 3), (3, 4)),
        (3,),
    ),
    "many to many, one row": ({"look_back": 1, "horizon": 1, "return_sequences": True}, ((0,),), ((1,),), (1,)),
}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_offsets_of_the_docstring_picture(framing: str) -> None:
    """Breaks everything: the network would read or predict other rows than the keys say."""
    changes, past, targets, positions = FRAMINGS[framing]
    spec = specify(**changes)
    assert (spec.past_offsets, spec.target_offsets, spec.positions) == (past, targets, positions)
    assert (spec.input_columns, spec.target_columns) == (("sales",), ("sales",))


@given(look_back=st.integers(1, 12), horizon=st.integers(1, 8), horizons=st.sampled_from(Horizons), many=st.booleans())
def test_what_is_derived_agrees_with_the_offsets(look_back: int, horizon: int, horizons: Horizons, many: bool) -> None:
    """Breaks a reader that asks for one fact and a reader that asks for another: they would read other rows."""
    spec = specify(look_back, horizon, many, horizons=horizons)
    start = np.array([7])
    assert spec.look_back == look_back
    assert spec.origins(start) == spec.past_rows(start).max() == 7 + look_back - 1
    assert spec.horizon_steps == (tuple(range(1, horizon + 1)) if horizons is Horizons.all else (horizon,))
    assert 7 + spec.first_target == spec.target_rows(start).min()
    assert spec.last_targets(start) == spec.target_rows(start).max() == spec.forecast_rows(start).max()
    assert 7 + spec.nearest_forecast == spec.forecast_rows(start).min()
    assert spec.num_rows == look_back + horizon
    np.testing.assert_array_equal(spec.target_rows(start)[:, -1], spec.forecast_rows(start))


# ------------------------------------------------------------------------------------- known-future and static inputs


def test_no_configuration_asks_for_known_future_or_static_inputs() -> None:
    """Breaks runs of today: they would carry inputs that no key asked for."""
    windows = make_some_windows(specify())
    assert windows.gather_future(windows.starts).shape == (len(windows.starts), 0, 0)
    assert windows.gather_static(windows.starts).shape == (len(windows.starts), 0)


def test_known_future_inputs_are_those_of_the_rows_that_are_forecast() -> None:
    """Breaks holidays: the network would be told that of another day."""
    spec = with_known_inputs(specify(horizons=Horizons.all))
    windows = make_some_windows(spec)
    known = windows.gather_future(windows.train)  # (windows, future rows, future columns)
    assert known.dtype == np.float32
    np.testing.assert_array_equal(known[:, :, 0], windows.gather_targets(windows.train) + 100)


@pytest.mark.parametrize("series_ends", [(), (8, 20, 30)])
def test_every_window_knows_its_future_inside_its_series(series_ends: tuple[int, ...]) -> None:
    """Breaks panels: at the end of a series the network would read the known inputs of the next one."""
    windows = make_some_windows(with_known_inputs(specify(horizons=Horizons.all)), series_ends)
    owner = make_series(series_ends).series_of_rows()
    rows = windows.spec.future_rows(windows.starts)
    np.testing.assert_array_equal(owner[rows], np.repeat(owner[windows.starts][:, None], rows.shape[1], axis=1))
    np.testing.assert_array_equal(windows.gather_static(windows.starts)[:, 0], owner[windows.starts])


def test_a_reader_of_past_rows_refuses_other_inputs_by_name() -> None:
    """Breaks honesty: inputs that a configuration asks for would silently be left out."""
    spec = specify()
    spec.require_past_only("the engine")
    known = with_known_inputs(spec)
    with pytest.raises(UserError, match="the engine cannot read known-future inputs yet, but got holiday; leave them"):
        known.require_past_only("the engine")
    with pytest.raises(UserError, match="the engine cannot read static inputs yet, but got size; leave them out"):
        replace(known, future_offsets=(), future_columns=()).require_past_only("the engine")
    with pytest.raises(UserError, match="the linear fit cannot read known-future inputs"):
        Samples(make_some_windows(known), np.array([0]))
