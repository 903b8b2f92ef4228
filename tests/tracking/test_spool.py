"""The record of a run that ends while its store does not answer is kept whole, and logged once when it is back."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.artifacts import list_artifacts
from mlflow.entities import Run

from pipeline.base.record import HASH_TAG
from pipeline.config.schema import TrackingConfig
from pipeline.tracking import live, spool
from pipeline.tracking.live import LiveRun, close_parent, open_parent, track_run
from pipeline.tracking.past import kill_crashed
from pipeline.tracking.spool import log_spool
from pipeline.tracking.steps import Step, read_step, take_step, write_step
from pipeline.tracking.store import Store, open_store


@dataclass
class Server:
    """A store that can be away."""

    store: Store
    away: bool = False
    asked: list[str] = field(default_factory=list)

    def take(self, store: Store, run_id: str, step: Step) -> None:
        self.asked.append(step.kind)
        if self.away:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        take_step(store, run_id, step)

    def ask(self, store: Store) -> str | None:
        return "Connection refused" if self.away else None

    def run(self, run_id: str) -> Run:
        return self.store.client.get_run(run_id)

    @property
    def kept(self) -> list[str]:
        return sorted(path.name for path in self.store.spool.glob("*"))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> Store:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return open_store(TrackingConfig(uri=make_store(tmp_path_factory.mktemp("store"))))


@pytest.fixture
def server(opened: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server(replace(opened, spool=tmp_path / "spool"))
    mlflow.set_tracking_uri(opened.uri)
    for module in (live, spool):
        monkeypatch.setattr(module, "take_step", server.take)
        monkeypatch.setattr(module, "ask_store", server.ask)
    yield server
    mlflow.set_tracking_uri(None)


def train(
    server: Server, folder: Path, away: bool, config_hash: str = "hash", ending: Any = None, model: bool = False
) -> LiveRun:
    """Log a run as a training does; the store goes away before its end."""
    (folder / "files" / "below").mkdir(parents=True, exist_ok=True)
    (folder / "files" / "weights.npz").write_bytes(b"weights")
    (folder / "files" / "below" / "figure.png").write_bytes(b"figure")
    frame = pd.DataFrame({"day": [1, 2, 3], "price": [1.0, 2.0, 4.0]})
    with track_run(server.store, "a run", {"look_back": "3"}, {HASH_TAG: config_hash}, None) as run:
        server.away = away
        run.set_tags({"engine": "fused"})
        run.log_metrics({"test_rmse": 4.5, "T (degC)": np.float32(2.0), "odd": float("nan")}, {"loss": [2.0, 1.0]})
        run.log_folder(folder / "files")
        run.log_file(folder / "files" / "weights.npz")
        run.log_dataset(frame, "prices", "0123456789abcdef", ["price"])
        if model:
            run.log_model(folder / "files", ["price"])
        if ending is not None:
            raise ending
    return run


def describe(run: Run) -> dict[str, Any]:
    """Return everything that is logged on a run, but what differs from run to run."""
    own = ("mlflow.runName", "heartbeat", "process", "mlflow.log-model.history", "mlflow.source.name")
    return {
        "status": run.info.status,
        "params": run.data.params,
        "metrics": {key: str(value) for key, value in run.data.metrics.items()},
        "tags": {key: value for key, value in run.data.tags.items() if key not in own},
        "files": sorted(file.path for file in list_artifacts(run_id=run.info.run_id)),
        "dataset": [each.dataset.to_dictionary() for each in run.inputs.dataset_inputs],
        "models": len(run.outputs.model_outputs),
    }


def find_models(store: Store, run_id: str) -> list[str]:
    """Return the models of a run in its own experiment, where people look for them."""
    found = store.client.search_logged_models([store.experiment_id])
    own = [model for model in found if model.source_run_id == run_id and model.params == {"look_back": "3"}]
    for model in own:
        assert {metric.key for metric in model.metrics} == {"test_rmse", "T :28:degC:29:", "odd"}
    return [model.name for model in own]


def test_a_run_whose_store_goes_away_is_logged_whole_when_it_is_back(server: Server, tmp_path: Path) -> None:
    """A finished training is lost, or a part of its record, because the server was away for a while."""
    usual = train(server, tmp_path, away=False, config_hash="usual", model=True)
    server.asked.clear()
    late = train(server, tmp_path, away=True, config_hash="usual", model=True)
    assert server.asked == ["params", "tags"]  # after the first refusal nothing else waits for the store
    assert server.run(late.run_id).info.status == "RUNNING" and server.kept == [late.run_id]
    shutil.rmtree(tmp_path / "files")
    told: list[str] = []
    kept = log_spool(server.store, told.append)
    assert kept is not None and "resume=true" in kept and str(server.store.spool) in kept and not told
    server.away = False
    assert log_spool(server.store, told.append) is None
    assert server.kept == [] and len(told) == 1 and late.run_id in told[0]
    assert describe(server.run(late.run_id)) == describe(server.run(usual.run_id))
    assert find_models(server.store, usual.run_id) == find_models(server.store, late.run_id) == ["model"]
    history = server.store.client.get_metric_history(late.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 2.0), (2, 1.0)]
    assert log_spool(server.store, told.append) is None and len(told) == 1


def test_a_store_that_is_back_at_the_end_of_a_run_has_its_record_at_once(server: Server, tmp_path: Path) -> None:
    """A short outage leaves a record that the command which kept it does not log."""
    with track_run(server.store, "a run", {}, {}, None) as run:
        server.away = True
        run.log_metrics({"test_rmse": 4.5}, {})
        server.away = False
    assert server.run(run.run_id).info.status == "FINISHED" and server.kept == []
    assert server.run(run.run_id).data.metrics == {"test_rmse": 4.5}


def test_a_model_whose_files_did_not_arrive_is_no_model_of_its_run(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 goes away between the files of a run and those of its model: the run has two models, one without files."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    upload, refused = mlflow.MlflowClient.log_model_artifacts, []

    def refuse_once(client: mlflow.MlflowClient, model_id: str, folder: str) -> None:
        if not refused:
            refused.append(model_id)
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        upload(client, model_id, folder)

    monkeypatch.setattr(mlflow.MlflowClient, "log_model_artifacts", refuse_once)
    run = server.run(train(server, tmp_path, away=False, config_hash="model", model=True).run_id)
    assert run.info.status == "FINISHED" and len(refused) == 1
    (output,) = run.outputs.model_outputs
    assert output.model_id != refused[0] and list_artifacts(artifact_uri=f"models:/{output.model_id}")


def test_a_run_that_was_trained_again_meanwhile_is_not_finished_twice(server: Server, tmp_path: Path) -> None:
    """Another machine repeated the sweep during the outage: the configuration then has two FINISHED runs."""
    late = train(server, tmp_path, away=True, config_hash="twice")
    server.away = False
    again = train(server, tmp_path, away=False, config_hash="twice")
    told: list[str] = []
    assert log_spool(server.store, told.append) is None
    assert server.run(late.run_id).info.status == "KILLED" and again.run_id in told[0]
    assert again.run_id in server.run(late.run_id).data.tags["failure_reason"]
    assert server.run(again.run_id).info.status == "FINISHED" and server.kept == []


def test_a_run_that_was_taken_for_dead_is_finished(server: Server, tmp_path: Path) -> None:
    """What another machine marked as KILLED stays so, or is FINISHED and says that it crashed."""
    late = train(server, tmp_path, away=True, config_hash="dead")
    server.store.client.set_tag(late.run_id, "heartbeat", "2020-01-01T00:00:00+00:00")
    assert kill_crashed(server.store) == 1
    server.away = False
    log_spool(server.store, lambda text: None)
    run = server.run(late.run_id)
    assert run.info.status == "FINISHED" and "failure_reason" not in run.data.tags


def test_a_run_that_is_trained_elsewhere_now_is_not_finished_twice(server: Server, tmp_path: Path) -> None:
    """Its job was begun again on another machine during the outage: soon the configuration has two FINISHED runs.

    A request that MLflow's client repeated may have opened two runs: one of this process is no other.
    """
    late = train(server, tmp_path, away=True, config_hash="elsewhere")
    client, life = server.store.client, live.life_tags()
    client.create_run(server.store.experiment_id, tags={HASH_TAG: "elsewhere", **life})
    client.create_run(
        server.store.experiment_id, tags={HASH_TAG: "elsewhere", **life, "process": f"host:{os.getpid()}:1"}
    )
    server.away = False
    log_spool(server.store, lambda text: None)
    assert server.run(late.run_id).info.status == "KILLED"


def test_a_record_that_was_logged_before_a_crash_is_only_removed(server: Server, tmp_path: Path) -> None:
    """A crash between the last step and the removal of the record logs a second model."""
    late = train(server, tmp_path, away=True, config_hash="removed", model=True)
    shutil.copytree(server.store.spool, tmp_path / "copy")
    server.away = False
    log_spool(server.store, lambda text: None)
    shutil.copytree(tmp_path / "copy", server.store.spool, dirs_exist_ok=True)
    before = describe(server.run(late.run_id))
    log_spool(server.store, lambda text: None)
    assert describe(server.run(late.run_id)) == before and server.kept == []


def test_a_record_of_another_store_is_left_alone(server: Server, tmp_path: Path) -> None:
    """Two servers are used in one folder: records go to the wrong one, or are thrown away."""
    late = train(server, tmp_path, away=True)
    server.away = False
    other = replace(server.store, uri="sqlite:////elsewhere/mlflow.db")
    assert log_spool(other, pytest.fail) is None
    assert server.kept == [late.run_id]


def test_what_cannot_be_logged_is_named_and_does_not_keep_others(server: Server, tmp_path: Path) -> None:
    """A run that somebody deleted for good keeps all records that come after it for ever."""
    first, second = sorted(train(server, tmp_path, away=True, config_hash=name).run_id for name in ("a", "b"))
    server.away = False
    record = server.store.spool / first / "record.jsonl"
    server.store.spool.joinpath(first).rename(server.store.spool / ("0" * 32))  # no run has this id
    told: list[str] = []
    kept = log_spool(server.store, told.append)
    assert kept is not None and kept.startswith("the records of 1 ended run")
    assert server.run(second).info.status == "FINISHED" and server.kept == ["0" * 32]
    assert str(record.parent.parent / ("0" * 32)) in told[0]


def test_what_a_killed_process_kept_is_removed(server: Server, tmp_path: Path) -> None:
    """Half a record of a process that was killed is logged, or lies there for ever."""
    with track_run(server.store, "a run", {}, {}, None) as run:
        server.away = True
        run.log_metrics({"test_rmse": 4.5}, {})
        assert log_spool(server.store, pytest.fail) is None  # its process lives
        record = server.store.spool / f".{run.run_id}" / "record.jsonl"
        shutil.copytree(record.parent, tmp_path / "copy")
    shutil.rmtree(server.store.spool)
    shutil.copytree(tmp_path / "copy", record.parent)
    own = live.life_tags()["process"]
    gone = f"{own.partition(':')[0]}:{os.getpid()}:1.00"  # a process of this number that started long ago
    record.write_text(record.read_text().replace(own, gone))
    told: list[str] = []
    assert log_spool(server.store, told.append) is None
    assert server.kept == [] and "was killed" in told[0]


@pytest.mark.parametrize(("ending", "status"), [(ValueError("diverged"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_run_that_fails_while_the_store_is_away_says_why_later(
    server: Server, tmp_path: Path, ending: BaseException, status: str
) -> None:
    """A diverged training counts as crashed, without its reason; or as finished."""
    with pytest.raises(type(ending)):
        train(server, tmp_path, away=True, ending=ending)
    (run_id,) = server.kept
    server.away = False
    log_spool(server.store, lambda text: None)
    run = server.run(run_id)
    assert run.info.status == status and run.data.tags["error_type"] == type(ending).__name__


def test_an_interrupt_does_not_wait_for_a_store_that_is_away(server: Server) -> None:
    """Ctrl-C takes minutes, because a server that does not answer is asked again and again."""
    with pytest.raises(KeyboardInterrupt), track_run(server.store, "a run", {}, {}, None) as run:
        server.away = True
        server.asked.clear()
        raise KeyboardInterrupt
    assert server.asked == [] and server.kept == [run.run_id]


def test_a_sweep_that_ends_while_the_store_is_away_ends_later(server: Server) -> None:
    """The parent run of a sweep is RUNNING for ever, or KILLED although it ended well."""
    parent = open_parent(server.store, "sweep", ["-m"])
    server.away = True
    close_parent(server.store, parent, "FINISHED")
    assert server.run(parent).info.status == "RUNNING"
    server.away = False
    log_spool(server.store, lambda text: None)
    assert server.run(parent).info.status == "FINISHED"


def test_a_run_whose_record_cannot_be_kept_either_has_failed(server: Server, tmp_path: Path) -> None:
    """The disk of the folder is full as well, and the training counts as finished although nothing of it is left."""
    (tmp_path / "spool").write_text("a file where the folder should be")
    with (
        pytest.raises(NotADirectoryError),
        track_run(server.store, "a run", {}, {}, None) as run,
    ):
        server.away = True
        run.log_metrics({"test_rmse": 4.5}, {})
    assert server.run(run.run_id).info.status == "RUNNING"  # until the next training sees that its process is gone


def test_a_record_that_cannot_be_read_stops_no_training(server: Server) -> None:
    """Half a line that a full disk left would end every later command with a traceback."""
    for number, text in enumerate(('{"store": "sql', "", "[1]", "\x00\x00")):
        folder = server.store.spool / f"damaged{number}"
        folder.mkdir(parents=True)
        (folder / "record.jsonl").write_text(text)
    told: list[str] = []
    assert log_spool(server.store, told.append) is None
    assert [line.endswith("is no record of a run; remove it") for line in told] == [True, True, True]


def test_a_record_uploads_no_file_from_elsewhere(tmp_path: Path) -> None:
    """Whoever can write into the spool would have any file of its owner logged to a server."""
    for path in ("../secret", "/etc/passwd", "001/../../secret"):
        with pytest.raises(ValueError, match="which lies outside of it"):
            read_step(f'{{"kind": "files", "values": {{}}, "path": "{path}"}}', tmp_path / "run")


def test_a_step_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """What is kept is not what was to be logged."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "a.txt").write_text("text")
    for number, step in enumerate(
        (Step("tags", {"é": "1\n2"}), Step("files", path=tmp_path / "given"), Step("end", "x"))
    ):
        read = read_step(write_step(step, tmp_path, number), tmp_path)
        assert (read.kind, read.values) == (step.kind, step.values)
        if step.path is not None:
            assert read.path is not None and (read.path / "a.txt").read_text() == "text"
