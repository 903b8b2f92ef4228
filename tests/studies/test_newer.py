"""A logged run on rows that arrived since: every seed that is kept, and the same numbers as its stream."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.api.forecasting import open_model
from pipeline.base.errors import UserError
from pipeline.config.schema import TrackingConfig
from pipeline.serving.follow import measure_followed
from pipeline.serving.stream import Stream
from pipeline.studies.newer import follow_since
from pipeline.tracking.past import BEST, choose_run
from pipeline.tracking.store import find_store
from tests.conftest import Swept

ROWS = 12


def later_rows() -> pd.DataFrame:
    months = pd.date_range("1961-01-01", periods=ROWS, freq="MS").strftime("%Y-%m-%d")
    return pd.DataFrame({"month": months, "passengers": 450.0 + 10 * np.arange(ROWS)})


def test_a_logged_run_is_scored_as_it_streams(readme_sweep: Swept, tmp_path: Path) -> None:
    """A champion is judged by one lucky seed, or by forecasts that its stream does not give."""
    tracking = TrackingConfig(uri=readme_sweep.uri)
    store = find_store(tracking, tracking.experiment_name)
    run_id = choose_run(store, BEST).run_id
    table = later_rows()
    table.to_csv(tmp_path / "later.csv", index=False)
    followed = follow_since(store, run_id, tmp_path / "later.csv")
    (found,) = measure_followed([followed])
    assert (found.errors.shape, found.seeds, found.horizon) == ((2, ROWS, 1, 1), (1, 2), 1)
    assert found.span == f"{ROWS} timestamps from 1961-01-01 to 1961-12-01, passengers, 1 ahead"
    for place, seed in enumerate(found.seeds):
        model = open_model(run_id, tracking, seed)
        lines = (tmp_path / "later.csv").read_text().splitlines()
        answers = [numbers[0] for _, numbers in Stream(model, True, print).answer(lines)]
        forecasts = found.errors[place, 1:, 0, 0] + table["passengers"].to_numpy()[1:]
        np.testing.assert_allclose(forecasts, answers[:-1], rtol=1e-13)  # of which an error was made and taken back
    assert followed.bounds is not None
    assert np.isfinite(followed.bounds.radii[followed.truth.parts["test"]]).all()


def test_the_own_file_of_a_run_must_have_grown(readme_sweep: Swept) -> None:
    """A run is compared on no row at all, or a traceback says that there is none."""
    tracking = TrackingConfig(uri=readme_sweep.uri)
    store = find_store(tracking, tracking.experiment_name)
    with pytest.raises(UserError, match=r"airline.csv holds no row after 1960-12-01.*, where the run's data end"):
        follow_since(store, choose_run(store, BEST).run_id)
