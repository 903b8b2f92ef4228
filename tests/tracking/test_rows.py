"""Runs that are read as rows are what MLflow says of them."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.schema import TrackingConfig
from pipeline.tracking.database import database_path
from pipeline.tracking.live import track_run
from pipeline.tracking.rows import read_tagged
from pipeline.tracking.store import Store, open_store, search_runs

METRICS = {"rmse": 1.5, "none": math.nan, "high": math.inf, "tiny": 1e-300}
PARAMS = {"look_back": "3", "dataset.name": "'; DROP TABLE runs; --", "model.units": "[4]", "unit": "°C, %"}


@pytest.fixture
def full_store(tmp_path: Path, make_store: Callable[[Path], str]) -> Store:
    """Runs that are chosen, and each way not to be: another tag, an empty one, deleted, of another experiment."""
    store = open_store(TrackingConfig(uri=make_store(tmp_path)))
    for number, tags in enumerate([{"tag": "a"}, {"tag": "b"}, {"tag": ""}, {"other": "a"}, {"tag": "a"}]):
        with track_run(store, f"run {number}", PARAMS | {"seed": str(number)}, tags, None) as run:
            run.log_metrics(METRICS | {"fit_seconds": float(number)}, {"loss": [3.0, 2.0, 1.0]})
    with pytest.raises(ValueError, match="lost"), track_run(store, "failed", PARAMS, {"tag": "a"}, None):
        raise ValueError("lost")
    store.client.delete_run(run.run_id)
    other = open_store(TrackingConfig(uri=store.uri, experiment_name="another"))
    with track_run(other, "elsewhere", PARAMS, {"tag": "a"}, None):
        pass
    return store


@pytest.mark.parametrize(("value", "condition", "count"), [("a", "tags.tag = 'a'", 2), (None, "tags.tag != ''", 3)])
def test_rows_are_what_mlflow_finds(value: str | None, condition: str, count: int, full_store: Store) -> None:
    """A comparison shows other runs, or other numbers, than MLflow; or the order of its keys changes."""
    database = database_path(full_store.uri)
    assert database is not None
    found = read_tagged(database, full_store.experiment_id, "tag", value)
    expected = search_runs(full_store, condition)
    assert len(found) == count
    assert [dict(run.info) for run in found] == [dict(run.info) for run in expected]
    for run, other in zip(found, expected, strict=True):
        assert list(run.data.params.items()) == list(other.data.params.items())
        assert run.data.tags == other.data.tags
        assert {key: repr(each) for key, each in run.data.metrics.items()} == {
            key: repr(each) for key, each in other.data.metrics.items()
        }
