"""`launcher=slurm` on a real cluster of two nodes: the same runs as in one process, and nothing lost by any death.

After each fault: one FINISHED run of every configuration, nothing RUNNING, exit codes as documented.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests import slurm_cluster
from tests.slurm_cluster import Cluster, wait_until

pytestmark = [
    pytest.mark.thorough,  # its parts have tests of their own, in tests/launching
    pytest.mark.skipif(slurm_cluster.why_not() is not None, reason=str(slurm_cluster.why_not())),
]

SMALL = ("-m", "dataset=sine", "dataset.length=60", "seeds=1", "tracking.log_model=false", "training.epochs=2")
SLOW = (
    *SMALL[:-1],
    "training.epochs=200000",
    "training.patience=null",
)  # minutes: whatever kills it comes before its end
UNITS = "model.units=[2],[3]"
SECONDS = 300


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, Cluster(Path(folder)) as cluster:
        yield cluster


class Place:
    """A folder in which commands run, with a store of its own."""

    def __init__(self, folder: Path, uri: str, cluster: Cluster) -> None:
        self.folder, self.uri, self.cluster, self.client = folder, uri, cluster, MlflowClient(uri)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "pipeline.run", *words, "launcher=slurm", f"tracking.uri={self.uri}"]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            command, cwd=self.folder, env=self.cluster.environment, text=True, start_new_session=True, **pipes
        )

    def search(self, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "pipeline.search", *words, f"tracking.uri={self.uri}"]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.cluster.environment, text=True, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        _, said = process.communicate(timeout=SECONDS)
        return process.returncode, said

    def runs(self) -> list[Run]:
        """Return the runs of configurations."""
        experiments = [each.experiment_id for each in self.client.search_experiments()]
        return [run for run in self.client.search_runs(experiments) if "config_hash" in run.data.tags]

    def worker_of(self, status: str = "RUNNING") -> psutil.Process:
        """Wait until a configuration is trained, and return the process that does it."""
        wait_until(lambda: any(run.info.status == status for run in self.runs()), "a run", SECONDS)
        run = next(run for run in self.runs() if run.info.status == status)
        return psutil.Process(int(run.data.tags["process"].split(":")[1]))

    def assert_complete(self, configurations: int) -> None:
        """Each configuration has one FINISHED run, and nothing is RUNNING, no sweep either."""
        finished = Counter(run.data.tags["config_hash"] for run in self.runs() if run.info.status == "FINISHED")
        assert len(finished) == configurations and set(finished.values()) == {1}
        experiments = [each.experiment_id for each in self.client.search_experiments()]
        assert not self.client.search_runs(experiments, "attributes.status = 'RUNNING'")


@pytest.fixture
def place(tmp_path: Path, make_store: Callable[[Path], str], cluster: Cluster) -> Place:
    return Place(tmp_path, make_store(tmp_path), cluster)


def test_slurm_trains_the_same_runs(place: Place) -> None:
    """A sweep on a cluster loses jobs, has other numbers, hides what its jobs say, or keeps no logs."""
    words = (*SMALL, UNITS, "training.learning_rate=0.01,0.03")
    code, said = place.run(*words)
    assert code == 0, said
    assert said.count("validation RMSE") == 4 and "report: " in said and "sacct" not in said
    place.assert_complete(4)
    found = {run.info.run_name: run.data.metrics["test_rmse"] for run in place.runs()}
    logs = sorted(log.stem for log in place.folder.glob("outputs/slurm/*/1/*.log"))
    assert logs == sorted({run.data.tags["slurm_job"] for run in place.runs()}) and len(logs) == 2
    local = [
        sys.executable,
        "-m",
        "pipeline.run",
        *words,
        f"tracking.uri={place.uri}",
        "tracking.experiment_name=local",
    ]
    assert subprocess.run(local, cwd=place.folder, capture_output=True).returncode == 0
    again = {
        run.info.run_name: run.data.metrics["test_rmse"] for run in place.runs() if "slurm_job" not in run.data.tags
    }
    assert again == found


def test_what_slurm_refuses_is_said_before(place: Place) -> None:
    """A wrong partition is a traceback, or leaves a sweep that has failed."""
    code, said = place.run(*SMALL, UNITS, "slurm.partition=gpu")
    assert code == 2 and "Slurm refuses the jobs: invalid partition specified: gpu" in said, said
    assert not list(place.folder.glob("outputs/slurm/*"))


def test_a_job_that_is_killed_is_trained_again(place: Place) -> None:
    """Kill -9 of a job's process loses its configuration."""
    command = place.start(*SMALL, UNITS)
    place.worker_of().kill()
    _, said = command.communicate(timeout=SECONDS)
    assert command.returncode == 0, said
    assert "died: model.units=" in said and "is trained again, in a Slurm job of its own" in said
    assert Counter(run.info.status for run in place.runs()) == {"FINISHED": 2, "KILLED": 1}
    place.assert_complete(2)


def test_an_interrupt_leaves_nothing_behind(place: Place) -> None:
    """Ctrl-C leaves jobs on the cluster, or runs RUNNING for ever."""
    command = place.start(*SLOW, "model.units=[2],[3],[4]")
    place.worker_of()
    os.kill(command.pid, signal.SIGINT)
    _, said = command.communicate(timeout=SECONDS)
    assert command.returncode == 130 and "cancelled " in said and "resume=true" in said, said
    assert place.cluster.ask("squeue", "-h") == ""
    assert {run.info.status for run in place.runs()} == {"KILLED"}
    reasons = {run.data.tags["failure_reason"] for run in place.runs()}
    assert reasons <= {"interrupted (SIGTERM)", "the sweep was interrupted"}


def test_jobs_outlive_their_command_and_are_waited_for(place: Place) -> None:
    """Kill -9 of the command loses what its jobs train, or the next command trains the same beside them."""
    words = (*SMALL, UNITS, "training.learning_rate=0.01,0.03")
    command = place.start(*words)
    worker = place.worker_of()
    worker.suspend()  # it must not be done before the next command looks
    command.kill()
    command.communicate()
    command = place.start(*words, "resume=true")
    assert command.stderr is not None
    waited = next(line for line in command.stderr if "waiting for them" in line)
    worker.resume()
    _, said = command.communicate(timeout=SECONDS)
    assert command.returncode == 0, said
    assert waited.startswith("Slurm jobs of an earlier command train 4 of these jobs")
    assert said.count("already trained, read back from run") == 4
    place.assert_complete(4)


def test_a_node_that_is_lost_but_trains_on_finishes_nothing(place: Place) -> None:
    """A node that the network has lost trains on while its job is trained elsewhere: two FINISHED runs, or none."""
    command = place.start(*SMALL, "model.units=[2],[2,2]")
    lost = place.worker_of()
    run = next(run for run in place.runs() if run.data.tags["process"].split(":")[1] == str(lost.pid))
    task = run.data.tags["slurm_job"]
    lost.suspend()
    node = place.cluster.ask("squeue", "-h", "-r", "--format=%K %N").splitlines()
    (name,) = [line.split()[1] for line in node if line.split()[0] == task.split("_")[1]]
    place.cluster.kill_node(name)
    try:

        def hurry() -> bool:
            """Slurm lets two minutes pass before it starts a job anew."""
            number = place.cluster.ask("squeue", "-h", "-r", "--states=PENDING", "--format=%A")
            place.cluster.ask("scontrol", "update", f"JobId={number or 0}", "StartTime=now")
            return place.client.get_run(run.info.run_id).info.status == "KILLED"

        wait_until(hurry, "the second start", SECONDS)
        lost.resume()
        _, said = command.communicate(timeout=SECONDS)
        wait_until(lambda: not lost.is_running() or lost.status() == psutil.STATUS_ZOMBIE, "its end", SECONDS)
    finally:
        place.cluster.start_node(name)
    assert command.returncode == 0, said
    assert "began anew: 1 job(s) are left" in said
    closed = place.client.get_run(run.info.run_id)
    assert (closed.info.status, closed.data.tags["failure_reason"]) == (
        "KILLED", "its Slurm job began anew: the node failed, or it was preempted",
    )  # fmt: skip
    place.assert_complete(2)


SPACE = "look_back: choice(1,3)\nmodel.units: choice([2],[3])\ntraining.epochs: 2\nbatch_size: 16\n"
SEARCH = (
    "dataset=airline",
    "search=mine.yaml",
    "budget=200",
    "seeds=1",
    "tracking.log_model=false",
    "output=result.json",
)


def find_workers(place: Place) -> list[psutil.Process]:
    """Return the processes of workers that stay."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if "pipeline.launching.slurm_warm_worker" in words and str(place.folder) in " ".join(words):
                found.append(process)
    return found


def kill_at_work(place: Place) -> bool:
    """Kill a worker that has not answered what it was asked; False: none is at work."""
    for batch in place.folder.glob("outputs/slurm/*/search-*/*/*.json"):
        answers = batch.with_suffix(".answers")
        done = answers.read_text().count("\n") if answers.exists() else 0
        if done < len(json.loads(batch.read_text())):
            for worker in find_workers(place):
                if str(batch.parent) in worker.cmdline():
                    worker.kill()
                    return True
    return False


def test_a_search_finds_the_same_champion_though_a_worker_dies(place: Place) -> None:
    """A search on a cluster tries, scores or chooses something else, loses trials with a worker, or leaves jobs."""
    (place.folder / "mine.yaml").write_text(SPACE)
    found = {}
    for launcher in ("local", "slurm"):
        words = (f"launcher={launcher}", f"tracking.experiment_name={launcher}", "workers=2", "slurm.time=30")
        command = place.search(*SEARCH, *words)
        if launcher == "slurm":
            wait_until(lambda: kill_at_work(place), "a worker at work", SECONDS)
        _, said = command.communicate(timeout=SECONDS)
        assert command.returncode == 0, said
        document = json.loads((place.folder / "result.json").read_text())
        document["champion"].pop("run_id")
        found[launcher] = document["champion"], document["trials"]
    assert found["slurm"] == found["local"] and sum(found["local"][1].values()) >= 4
    assert "died: its job is trained again" in said and "Slurm job(s) stay for up to" in said
    assert place.cluster.ask("squeue", "-h") == "" and not find_workers(place)
    experiment = place.client.get_experiment_by_name("slurm")
    assert experiment is not None
    runs = place.client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    (champion,) = [run for run in runs if "config_hash" in run.data.tags]
    assert champion.data.tags["slurm_job"]


def test_a_search_that_is_killed_is_taken_up_without_its_workers(place: Place) -> None:
    """Kill -9 of the command leaves workers that train beside those of the next one, or hold their nodes for days."""
    (place.folder / "mine.yaml").write_text(SPACE)
    words = (*SEARCH, "launcher=slurm", "workers=2", "resume=true")
    command = place.search(*words)
    wait_until(lambda: list(place.folder.glob("outputs/slurm/*/search-*/*/0.json")), "a batch", SECONDS)
    command.kill()
    command.communicate()
    left = find_workers(place)
    command = place.search(*words)
    _, said = command.communicate(timeout=SECONDS)
    assert command.returncode == 0, said
    assert left and "Slurm jobs of an earlier command are cancelled" in said
    assert place.cluster.ask("squeue", "-h") == "" and not find_workers(place)
    place.assert_complete(1)
