"""A run that goes on: what it logs arrives, and it ends as what happened."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.base.errors import TakenOverError, TrainingError
from pipeline.config.schema import TrackingConfig
from pipeline.tracking.heartbeat import HEARTBEAT_TAG, beating, process_name
from pipeline.tracking.live import close_parent, open_parent, track_run
from pipeline.tracking.store import Store, open_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> Iterator[Store]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield open_store(TrackingConfig(uri=make_store(tmp_path_factory.mktemp("store"))))


def end_run(store: Store, error: BaseException | None) -> Run:
    """Return a run whose block raised the error, or ended well."""
    run_id = ""
    try:
        with track_run(store, "a run", {}, {}, None) as run:
            run_id = run.run_id
            if error is not None:
                raise error
    except BaseException as raised:
        assert raised is error
    assert mlflow.active_run() is None
    return store.client.get_run(run_id)


def test_a_run_that_ends_well_is_finished(store: Store) -> None:
    """Good runs are not found by resume and by the table."""
    run = end_run(store, None)
    assert run.info.status == "FINISHED"
    assert "failure_reason" not in run.data.tags


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TrainingError("the loss is nan"), "the loss is nan"),
        (ValueError("shapes differ"), "shapes differ"),
        (MemoryError(), "MemoryError"),
        (SystemExit(3), "3"),
        (RuntimeError("x" * 20_000), "x" * 5000),
    ],
    ids=["training", "value", "empty", "exit", "long"],
)
def test_a_run_that_raises_is_failed_with_its_reason(store: Store, error: BaseException, reason: str) -> None:
    """A failed run counts as finished, or MLflow does not say why it failed."""
    run = end_run(store, error)
    assert run.info.status == "FAILED"
    assert run.data.tags["failure_reason"] == reason


def test_a_run_that_is_interrupted_is_killed(store: Store) -> None:
    """Ctrl-C looks like a defect of the configuration."""
    assert end_run(store, KeyboardInterrupt()).info.status == "KILLED"


def test_a_run_that_another_process_closed_is_not_finished(store: Store) -> None:
    """A node that was taken for lost finishes a job that another node has, too: two FINISHED runs of one job."""
    with (
        pytest.raises(TakenOverError, match="was closed as KILLED by another process"),
        track_run(store, "lost", {}, {}, None) as run,
    ):
        store.client.set_tag(run.run_id, "failure_reason", "its node was lost")
        store.client.set_terminated(run.run_id, "KILLED")
    assert mlflow.active_run() is None
    closed = store.client.get_run(run.run_id)
    assert (closed.info.status, closed.data.tags["failure_reason"]) == ("KILLED", "its node was lost")


def test_a_run_names_its_slurm_job(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody finds the log of a run that a cluster trained; or a job that begins anew leaves its first run open."""
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert end_run(store, None).data.tags["slurm_job"] == "17"
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert end_run(store, None).data.tags["slurm_job"] == "12_3"


def test_parameters_tags_and_parent_are_there_from_the_start(store: Store) -> None:
    """A run that crashes is not distinguishable from others, because it was labelled only at its end."""
    parent = open_parent(store, "sweep look_back=1,3", ["-m", "look_back=1,3"])
    params = {f"group.key_{number}": str(number) for number in range(250)}  # MLflow takes 100 in one call
    with track_run(store, "look_back=3", params, {"engine": "fit"}, parent) as run:
        early = store.client.get_run(run.run_id)
    close_parent(store, parent, "FINISHED")
    assert early.info.status == "RUNNING"
    assert early.info.run_name == "look_back=3"
    assert early.data.params == params
    expected = {"engine": "fit", "mlflow.parentRunId": parent, "sweep_id": parent, "process": process_name()}
    assert {key: early.data.tags.get(key) for key in expected} == expected
    closed = store.client.get_run(parent)
    assert closed.info.status == "FINISHED"
    assert closed.data.tags["sweep_id"] == parent
    assert closed.data.tags["process"] == process_name()


def test_a_run_gives_signs_of_life_while_it_lives(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine marks a run as KILLED that is training; or an ended run goes on beating."""
    monkeypatch.setattr("pipeline.tracking.heartbeat.SECONDS_BETWEEN", 0.01)
    seen: set[str] = set()
    with track_run(store, "long", {}, {}, None) as run:
        monkeypatch.setattr("pipeline.tracking.heartbeat._now", lambda: f"beat {len(seen)}")
        deadline = time.monotonic() + 60
        while len(seen) < 4 and time.monotonic() < deadline:
            seen.add(store.client.get_run(run.run_id).data.tags[HEARTBEAT_TAG])
    assert len(seen) == 4
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_a_store_that_is_away_ends_no_run_by_its_heartbeat(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A beat that fails for a moment stops all later ones, and another machine kills the run."""
    monkeypatch.setattr("pipeline.tracking.heartbeat.SECONDS_BETWEEN", 0.01)
    asked: list[str] = []

    def refuse(*arguments: object) -> None:
        asked.append("beat")
        raise MlflowException("the server is away")

    monkeypatch.setattr(MlflowClient, "set_tag", refuse)
    with beating(store, "a run"):
        deadline = time.monotonic() + 60
        while len(asked) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(asked) >= 3


def test_a_run_without_a_sweep_has_no_parent(store: Store) -> None:
    """Single runs are hidden below a run that does not exist."""
    run = end_run(store, None)
    assert not {"mlflow.parentRunId", "sweep_id"} & set(run.data.tags)


def test_long_histories_arrive_whole(store: Store) -> None:
    """MLflow refuses or cuts the metrics of a run of more than 500 epochs (it takes 1000 values in one call)."""
    num_epochs = 1300
    losses = np.linspace(2.0, 1.0, num_epochs).tolist()
    with track_run(store, "long", {}, {}, None) as run:
        run.log_metrics({"test_rmse": 4.5}, {"loss": losses, "val_loss": losses[::-1]})
    for name, expected in (("loss", losses), ("val_loss", losses[::-1])):
        points = store.client.get_metric_history(run.run_id, name)
        assert sorted((point.step, point.value) for point in points) == list(enumerate(expected, start=1))
    assert store.client.get_run(run.run_id).data.metrics["test_rmse"] == 4.5


def test_a_dataset_is_named_by_its_digest(store: Store) -> None:
    """MLflow shows which file was used by another digest than the run's tag, or not at all."""
    frame = pd.DataFrame({"day": [1, 2, 3], "price": [1.0, 2.0, 4.0], "volume": [5.0, 6.0, 7.0]})
    digest = "0123456789abcdef" * 4
    with track_run(store, "one target", {}, {}, None) as one:
        one.log_dataset(frame, "prices", digest, ["price"])
    with track_run(store, "two targets", {}, {}, None) as two:
        two.log_dataset(frame, "prices", digest, ["price", "volume"])
    for run in (one, two):
        (used,) = store.client.get_run(run.run_id).inputs.dataset_inputs
        assert used.dataset.name == "prices"
        assert digest.startswith(used.dataset.digest) and len(used.dataset.digest) >= 16
