"""Panels: several series in one table, each a lane of its own."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from pipeline.data.series import Series

MakePanel = Callable[..., Series]


@pytest.fixture(scope="session")
def make_panel() -> MakePanel:
    def make(lanes: Sequence[np.ndarray], starts: Sequence[int] | None = None, filled: Sequence[int] = ()) -> Series:
        """Lay lanes of values, each (time, columns) or (time,), one after another.

        `starts` is the first timestamp of each lane, by default 0; `filled` are rows of the whole, filled in.
        """
        columns = [np.reshape(lane, (len(lane), -1)).astype(float) for lane in lanes]
        values = np.concatenate(columns)
        first = starts or [0] * len(lanes)
        names = tuple("abc"[: values.shape[1]])
        where = np.zeros(values.shape, dtype=bool)
        where[list(filled)] = True
        return Series(
            timestamps=pd.Index(np.concatenate([np.arange(len(x)) + at for x, at in zip(columns, first, strict=True)])),
            values=values,
            columns=names,
            features=names,
            targets=names[:1],
            filled=where,
            origin="test",
            lane_names=tuple(f"lane{number}" for number in range(len(lanes))),
            lane_ends=tuple(np.cumsum([len(lane) for lane in columns]).tolist()),
        )

    return make
