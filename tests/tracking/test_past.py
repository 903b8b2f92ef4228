"""Runs that were logged earlier: found, read back, and closed when their process is gone."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import psutil
import pytest

from pipeline.base.errors import UserError
from pipeline.base.record import DIGEST_TAG, HASH_TAG, REASON_TAG, RunRecord, Status
from pipeline.config.keys import complete_parameters, varying_keys
from pipeline.config.schema import TrackingConfig
from pipeline.models.heads.point import RMSE
from pipeline.tracking.heartbeat import HEARTBEAT_TAG, PROCESS_TAG, SILENCE, SLURM_TAG, process_name
from pipeline.tracking.live import close_parent, open_parent, track_run
from pipeline.tracking.past import (
    BEST,
    LATEST,
    Sweep,
    choose_run,
    close_left_open,
    experiment_runs,
    find_sweep,
    kill_crashed,
    named_runs,
    note_resumed,
    sweep_runs,
)
from pipeline.tracking.resume import find_finished
from pipeline.tracking.search import CHAMPION_TAG, log_trial, logged_trials, open_search
from pipeline.tracking.store import Store, open_store


def log_run(store: Store, config_hash: str, score: float, parent: str | None = None) -> str:
    with track_run(store, "a run", {"look_back": "3"}, {HASH_TAG: config_hash}, parent) as run:
        run.log_metrics({"test_rmse": score}, {"loss": [3.0, 2.0], "val_loss": [3.0, 2.5]})
    return run.run_id


def open_run(store: Store, process: str | None, heartbeat: str | None = None) -> str:
    life = {PROCESS_TAG: process, HEARTBEAT_TAG: heartbeat}
    tags = {HASH_TAG: "open"} | {tag: value for tag, value in life.items() if value is not None}
    return str(store.client.create_run(store.experiment_id, tags=tags).info.run_id)


def status(store: Store, run_id: str) -> str:
    return str(store.client.get_run(run_id).info.status)


def test_a_finished_run_is_read_back_as_it_was_logged(store: Store) -> None:
    """Resume and the table show other numbers than the run has."""
    run_id = log_run(store, "aaaa", 4.5)
    params = complete_parameters({"look_back": "3"})
    assert find_finished(store, "aaaa") == RunRecord(
        run_id, Status.finished, params, {"test_rmse": 4.5}, RMSE, resumed=True
    )


def test_a_run_of_before_a_key_is_a_run_at_its_neutral_value(store: Store) -> None:
    """The runs of a store and those of a later version would never be one configuration, apart in keys nobody set."""
    with track_run(store, "of today", complete_parameters({"look_back": "3"}), {HASH_TAG: "bbbb"}, None):
        pass
    log_run(store, "aaaa", 1.0)
    runs = [each.record.params for each in experiment_runs(store)]
    assert len(runs) == 2 and varying_keys(runs) == [] and runs[0]["dataset.normalise"] == "none"


def test_the_newest_of_equal_runs_is_read_back(store: Store) -> None:
    """Resume shows an old run although the configuration was trained again since."""
    log_run(store, "aaaa", 1.0)
    newest = log_run(store, "aaaa", 2.0)
    found = find_finished(store, "aaaa")
    assert found is not None and found.run_id == newest


def test_only_finished_runs_of_the_same_hash_are_found(store: Store) -> None:
    """Resume takes a failed, an open or a different run for the result."""
    log_run(store, "other", 1.0)
    for ending in ("FAILED", "KILLED", "RUNNING", "SCHEDULED"):
        run = store.client.create_run(store.experiment_id, tags={HASH_TAG: "aaaa"})
        store.client.update_run(run.info.run_id, ending)
    assert find_finished(store, "aaaa") is None


def test_deleted_runs_and_other_experiments_are_not_found(store: Store) -> None:
    """Resume brings back a run that was thrown away, or one of another experiment."""
    store.client.delete_run(log_run(store, "aaaa", 1.0))
    log_run(open_store(TrackingConfig(uri=store.uri, experiment_name="another")), "aaaa", 1.0)
    assert find_finished(store, "aaaa") is None


def test_a_sweep_has_its_own_and_its_resumed_runs(store: Store) -> None:
    """The table of a sweep lacks rows, has rows of other sweeps, or does not say which rows are old."""
    earlier = log_run(store, "aaaa", 1.0)
    log_run(store, "cccc", 3.0)
    parent = open_parent(store, "sweep", ["-m"])
    trained = log_run(store, "bbbb", 2.0, parent)
    note_resumed(store, parent, earlier)
    note_resumed(store, parent, earlier)  # two jobs of one sweep may be the same configuration
    with pytest.raises(ValueError, match="out of memory"), track_run(store, "a run", {}, {}, parent) as failed:
        raise ValueError("out of memory")
    close_parent(store, parent, "FAILED")
    records = {run.record.run_id: run.record for run in sweep_runs(store, parent)}
    assert set(records) == {trained, earlier, failed.run_id}
    assert {run_id: record.resumed for run_id, record in records.items()} == {
        trained: False,
        earlier: True,
        failed.run_id: False,
    }
    assert (records[failed.run_id].status, records[failed.run_id].reason) == (Status.failed, "out of memory")
    assert records[trained].metrics == {"test_rmse": 2.0}


def test_an_earlier_run_that_was_deleted_is_no_row_of_a_sweep(store: Store) -> None:
    """A run that was thrown away, or removed by `mlflow gc`, wins the sweep, or the table is lost with it."""
    earlier = [log_run(store, config_hash, 1.0) for config_hash in ("aaaa", "bbbb")]
    parent = open_parent(store, "sweep", ["-m"])
    for run_id in (*earlier, "0" * 32):
        note_resumed(store, parent, run_id)
    store.client.delete_run(earlier[0])
    told: list[str] = []
    assert [run.record.run_id for run in sweep_runs(store, parent, told.append)] == [earlier[1]]
    assert sorted(told) == sorted(
        f"run {run_id}, which stood for a job of this sweep, was deleted: left out; resume=true trains it again"
        for run_id in (earlier[0], "0" * 32)
    )


def dead_process() -> str:
    """Return the name of a process of this machine that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(60)
    return process_name().replace(f":{os.getpid()}:", f":{ended.pid}:")


def test_runs_of_dead_processes_are_killed_with_a_reason(store: Store) -> None:
    """After a crash MLflow shows a run as RUNNING for ever."""
    host, number, started = process_name().rsplit(":", 2)
    number_reused = f"{host}:{number}:{float(started) - 3600:.2f}"
    crashed = [open_run(store, dead_process()), open_run(store, number_reused)]
    assert kill_crashed(store) == 2
    for run_id in crashed:
        assert status(store, run_id) == "KILLED"
        assert "crash" in store.client.get_run(run_id).data.tags[REASON_TAG]
    assert kill_crashed(store) == 0


def test_a_process_that_nobody_waited_for_has_ended(store: Store) -> None:
    """In a container without an init process a killed training counts as alive, and its run stays RUNNING for ever."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        alive = f"{socket.gethostname()}:{process.pid}:{psutil.Process(process.pid).create_time():.2f}"
        run_id = open_run(store, alive)
        assert kill_crashed(store) == 0
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is over, and keeps its number
        assert kill_crashed(store) == 1
    assert status(store, run_id) == "KILLED"


def test_runs_that_may_be_alive_are_left_alone(store: Store) -> None:
    """Resuming one sweep kills the record of a run that is training: here, on another machine, or by another tool."""
    elsewhere = dead_process().replace(socket.gethostname(), "another-machine", 1)
    alive = [open_run(store, process) for process in (process_name(), elsewhere, None)]
    finished = log_run(store, "aaaa", 1.0)
    assert kill_crashed(store) == 0
    assert {status(store, run_id) for run_id in alive} == {"RUNNING"}
    assert status(store, finished) == "FINISHED"


def test_a_run_of_another_machine_is_killed_when_it_has_been_silent(store: Store) -> None:
    """A run of a node that was lost stays RUNNING for ever; or one whose server was away for a moment is killed."""
    elsewhere, now = "another-machine:7:1.00", datetime.now(UTC)
    lost = open_run(store, elsewhere, (now - 1.1 * SILENCE).isoformat())
    alive = [open_run(store, elsewhere, each) for each in ((now - 0.9 * SILENCE).isoformat(), "", "2026-11-28T01:00")]
    (read,) = [run.record for run in experiment_runs(store) if run.record.run_id == lost]
    assert read.status is Status.killed
    assert kill_crashed(store) == 1
    assert status(store, lost) == "KILLED"
    assert {status(store, run_id) for run_id in alive} == {"RUNNING"}


def test_what_a_lost_job_left_open_is_closed(store: Store) -> None:
    """A Slurm job that begins anew leaves its first run RUNNING; or it closes runs that are trained."""
    parent, other = (open_parent(store, name, ["-m"]) for name in ("sweep", "other"))

    def run(parent: str, job: str, process: str, status: str = "RUNNING") -> str:
        tags = {"mlflow.parentRunId": parent, SLURM_TAG: job, PROCESS_TAG: process}
        run_id = str(store.client.create_run(store.experiment_id, tags=tags).info.run_id)
        if status != "RUNNING":
            store.client.set_terminated(run_id, status)
        return run_id

    lost, ended = run(parent, "12_3", "node:7:1.00"), run(parent, "12_3", "node:7:1.00", "FINISHED")
    task, own, namesake = (
        run(parent, "12_4", "node:8:1.00"),
        run(parent, "12_3", process_name()),
        run(other, "12_3", ""),
    )
    assert close_left_open(store, parent, "its node was lost", "12_3") == 1
    assert [status(store, each) for each in (lost, ended, task, own, namesake)] == [
        "KILLED", "FINISHED", "RUNNING", "RUNNING", "RUNNING",
    ]  # fmt: skip
    assert store.client.get_run(lost).data.tags[REASON_TAG] == "its node was lost"
    assert close_left_open(store, parent, "the sweep is over") == 1
    assert [status(store, each) for each in (task, own, namesake)] == ["KILLED", "RUNNING", "RUNNING"]


def test_crashed_runs_are_found_beyond_the_first_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a large experiment only the first page of crashed runs is closed."""
    monkeypatch.setattr("pipeline.tracking.store.PAGE", 2)
    dead = dead_process()
    crashed = [open_run(store, dead) for _ in range(5)]
    assert kill_crashed(store) == len(crashed)
    assert {status(store, run_id) for run_id in crashed} == {"KILLED"}


def test_the_newest_sweep_is_the_latest(store: Store) -> None:
    """The comparison shows an older sweep, or a sweep of another experiment, without a word."""
    with pytest.raises(UserError, match=r"no sweep yet .*experiment=NAME or runs=\[ID,ID\]"):
        find_sweep(store, LATEST)
    open_parent(store, "first", ["-m", "look_back=1"])
    newest = open_parent(store, "second", ["-m", "look_back=3"])
    open_parent(open_store(TrackingConfig(uri=store.uri, experiment_name="a third")), "third", [])
    assert find_sweep(store, LATEST) == Sweep(newest, "second", ("-m", "look_back=3"))
    assert find_sweep(store, newest).name == "second"


def test_a_run_is_no_sweep_and_a_sweep_no_run(store: Store) -> None:
    """The wrong id gives an empty comparison instead of the way to the right one."""
    parent = open_parent(store, "sweep", [])
    run_id = log_run(store, "aaaa", 1.0, parent)
    with pytest.raises(UserError, match=rf"run {run_id} is no sweep but one run of it; write runs=\[{run_id},...\]"):
        find_sweep(store, run_id)
    with pytest.raises(UserError, match=f"run {parent} is a whole sweep; write sweep={parent}"):
        named_runs(store, [parent])
    with pytest.raises(UserError, match=r"there is no run nope in .*`mlflow ui` shows the ids"):
        named_runs(store, ["nope"])


def test_the_latest_run_is_the_newest_that_finished(store: Store) -> None:
    """The run that has just been trained is forecast with the weights of another, or of one that failed."""
    with pytest.raises(UserError, match=r"has no finished run; train one: python -m pipeline\.run"):
        choose_run(store, LATEST)
    for score in (1.0, 2.0):
        with track_run(store, "a run", {"horizon": "1", "dataset.horizons": "1"}, {HASH_TAG: "a"}, None) as newest:
            newest.log_metrics({"validation_rmse": score}, {})
    with pytest.raises(ValueError, match="failed"), track_run(store, "a run", {}, {}, None) as failed:
        failed.log_metrics({"validation_rmse": 0.5}, {})
        raise ValueError("failed")
    open_parent(store, "sweep", [])
    assert choose_run(store, LATEST).run_id == newest.run_id
    assert choose_run(store, BEST).metrics["validation_rmse"] == 1.0


@pytest.mark.parametrize("read", [lambda store, run_id: named_runs(store, [run_id]), choose_run])
def test_a_deleted_run_comes_with_the_command_that_restores_it(
    store: Store, read: Callable[[Store, str], object]
) -> None:
    """A run that was thrown away is compared or forecast without a word, or nobody knows how to bring it back."""
    run_id = log_run(store, "aaaa", 1.0)
    store.client.delete_run(run_id)
    with pytest.raises(UserError, match=f"run {run_id} is deleted; .* mlflow runs restore --run-id {run_id}"):
        read(store, run_id)
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(UserError, match=f"deleted; .* experiments restore --experiment-id {store.experiment_id}"):
        read(store, run_id)


def test_runs_come_with_what_a_comparison_needs(store: Store) -> None:
    """A comparison cannot find the files of a run, or compares runs on different data."""
    parent = open_parent(store, "sweep", [])
    with track_run(store, "a run", {"look_back": "3"}, {HASH_TAG: "aaaa", DIGEST_TAG: "0a1b"}, parent) as run:
        pass
    (found,) = experiment_runs(store)  # without the parent, which is no run of one configuration
    assert (found.record.run_id, found.dataset_digest) == (run.run_id, "0a1b")
    assert found.artifact_uri.startswith("file://") and found.started > 0
    assert named_runs(store, [run.run_id, run.run_id]) == [found]
    assert sweep_runs(store, parent) == [found]


def test_a_search_and_its_trials_are_called_what_they_are(store: Store) -> None:
    """`compare sweep=` and `runs=` with the id of a search call it a run of a sweep, or compare what has no scores."""
    parent = open_search(store, "search", ["dataset=airline"], None)
    for number, state in enumerate(("complete", "failed")):
        log_trial(store, parent, number, state, "", {"look_back": "3"}, {"rung_1_rmse": 1.0})
    assert logged_trials(store, parent) == {0, 1}
    trial = store.client.search_runs([store.experiment_id], "tags.trial = '0'")[0].info.run_id
    for choose in (find_sweep, choose_run, lambda store, run_id: named_runs(store, [run_id])):
        with pytest.raises(UserError, match=f"{parent} is a search, .* it has no champion yet"):
            choose(store, parent)
        with pytest.raises(UserError, match=f"{trial} is a trial of a search"):
            choose(store, trial)
    store.client.set_tag(parent, CHAMPION_TAG, "abc")
    with pytest.raises(UserError, match="its champion is run abc"):
        find_sweep(store, parent)
