"""Where the rows of a window lie: offsets of what is read and of what is predicted, in every framing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.schema import Config, DatasetConfig, Horizons, LagsAs, Protocol, Source, Transform
from pipeline.data.known_ahead import carry_ahead
from pipeline.data.series import Series
from pipeline.data.split import Split
from pipeline.data.window_spec import WindowSpec, make_window_spec
from pipeline.data.windows import Windows, make_windows

LENGTH = 30
COLUMNS = ("sales", "holiday")


def make_series(series_ends: tuple[int, ...] = (), future: bool = False) -> Series:
    """Return sales that are row numbers, and a holiday 100 above them, which may be known ahead."""
    rows = np.arange(LENGTH, dtype=float)
    return Series(
        timestamps=pd.RangeIndex(LENGTH),
        values=np.stack([rows, rows + 100], axis=1),
        columns=COLUMNS,
        features=COLUMNS if future else COLUMNS[:1],
        targets=("sales",),
        filled=np.zeros((LENGTH, 2), dtype=bool),
        future=COLUMNS[1:] if future else (),
        origin="test",
        series_ids=tuple("abc"[: len(series_ends)]),
        series_ends=series_ends,
    )


def specify(
    look_back: int = 3, horizon: int = 2, return_sequences: bool = False, future: bool = False, **dataset: Any
) -> WindowSpec:
    """Return the specification of a configuration."""
    dataset_config = DatasetConfig(name="rows", source=Source.sine, **dataset)
    config = Config(look_back=look_back, horizon=horizon, return_sequences=return_sequences, dataset=dataset_config)
    return make_window_spec(config, make_series(future=future))


def make_some_windows(spec: WindowSpec, series_ends: tuple[int, ...] = ()) -> Windows:
    """Return the windows of three parts of ten rows, or of many series that are all training."""
    parts = np.zeros(LENGTH, dtype=int) if series_ends else np.repeat([0, 1, 2], LENGTH // 3)
    series = make_series(series_ends, bool(spec.future_columns))
    wide = np.concatenate([series.values, carry_ahead(series, len(spec.future_steps))], axis=1)
    return make_windows(Protocol.fair, spec, wide, series, Split(parts), lost=0)


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


# ----------------------------------------------------------------------------------------------- inputs known ahead


def test_no_configuration_asks_for_inputs_known_ahead() -> None:
    """Breaks runs of today: they would carry inputs that no key asked for."""
    spec = specify()
    assert (spec.columns, spec.future_steps, spec.last_needed) == (("sales",), (), 4)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_each_row_carries_what_is_known_of_the_next_ones(framing: str) -> None:
    """Breaks holidays: the network would be told that of another day, or none of the rows that it forecasts."""
    changes, *_ = FRAMINGS[framing]
    spec = specify(future=True, **changes)
    assert spec.columns == ("sales", "holiday", *(f"holiday+{step}" for step in spec.future_steps))
    starts = make_some_windows(spec).train
    windows = make_some_windows(spec)
    read = windows.gather_inputs(starts).reshape(*spec.past_rows(starts).shape, -1)  # (..., columns)
    np.testing.assert_array_equal(read[..., 1], spec.past_rows(starts) + 100)
    np.testing.assert_array_equal(read[..., 2:], spec.future_rows(starts) + 100)
    assert set(spec.forecast_rows(starts[:1]).ravel()) <= set(spec.future_rows(starts[:1])[0, -1, -1])


@pytest.mark.parametrize("series_ends", [(), (8, 20, 30)])
@pytest.mark.parametrize("horizons", Horizons)
def test_every_window_knows_its_future_inside_its_series(horizons: Horizons, series_ends: tuple[int, ...]) -> None:
    """Breaks panels: at the end of a series the network would read the next one's holidays, or what nobody knows."""
    windows = make_some_windows(specify(horizons=horizons, future=True), series_ends)
    rows = windows.spec.future_rows(windows.starts).reshape(len(windows.starts), -1)
    owner = make_series(series_ends).series_of_rows()
    np.testing.assert_array_equal(owner[rows], np.repeat(owner[windows.starts][:, None], rows.shape[1], axis=1))
    assert np.isfinite(windows.gather_inputs(windows.starts)).all()
    assert np.isnan(windows.inputs[LENGTH - 1, -1])  # nobody knows what lies beyond the end


def test_transforms_leave_what_is_known_ahead() -> None:
    """Breaks prices with differences: what is carried would be another number than the row's own."""
    series = make_series(future=True)
    assert (series.untransformed, series.transformable().shape) == (("holiday",), (LENGTH, 1))
    assert specify(future=True, transforms=[Transform.difference]).untouched == 1 + 2  # its own, and two rows ahead
