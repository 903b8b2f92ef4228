"""The arrays of a sweep: each job is answered for once, whatever becomes of its task. Slurm itself is played here."""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.base.errors import TrainingError, UserError
from pipeline.config.gates import check_ranges
from pipeline.config.schema import (
    Config,
    DatasetConfig,
    ModelConfig,
    SlurmConfig,
    Source,
    TrackingConfig,
    TrainingConfig,
)
from pipeline.launching import slurm, slurm_earlier, slurm_queue
from pipeline.launching.slurm import Arrays
from pipeline.launching.slurm_folder import add_answer, batch_file, read_answers, read_batch, read_log, write_batch
from pipeline.launching.slurm_queue import Task, find_commands, write_words

ADDRESS = "postgresql://me:secret@host/runs"
JOB = Config(
    dataset=DatasetConfig(name="sine", source=Source.sine),
    tracking=TrackingConfig(uri=ADDRESS, parent_run_id="now", sweep_keys=["seed"]),
)
DONE, FAILS, DIES, DIES_ONCE, STAYS, IS_CANCELLED, TAKES_TOO_LONG = range(1, 8)


class PlayedSlurm:
    """Lets a task that waits train whenever the command waits; its jobs' learning rates say what becomes of it."""

    def __init__(self) -> None:
        self.submitted: list[Sequence[str]] = []
        self.environment: Mapping[str, str] = {}
        self.queue: dict[str, tuple[Path, int, str]] = {}  # folder of the round, index, state
        self.trained: list[tuple[int, bool]] = []  # seed and resume
        self.at: dict[str, int] = {}  # the seed that a task trained last
        self.cancelled: list[str] = []
        self.most = 99  # arrays that it takes
        self.is_silent = False

    def submit(self, words: Sequence[str], script: str, environment: Mapping[str, str] | None = None) -> str:
        if len(self.submitted) >= self.most:
            raise UserError("Slurm refuses the jobs: QOSMaxSubmitJobPerUserLimit")
        self.submitted.append(words)
        self.environment = environment or {}
        folder, number = Path(script.split()[-1]), 10 * len(self.submitted)
        (array,) = [word.removeprefix("--array=0-").split("%")[0] for word in words if word.startswith("--array=")]
        self.queue |= {f"{number}_{index}": (folder, index, "PENDING") for index in range(int(array) + 1)}
        return str(number)

    def list_tasks(self, array_name: str | None = None) -> list[Task] | None:
        tasks = [Task(name, state, "Priority", "lstm-pipeline-now") for name, (_, _, state) in self.queue.items()]
        return None if self.is_silent else tasks

    def cancel(self, array_name: str) -> bool:
        self.cancelled.append(array_name)
        self.queue.clear()
        return True

    def find_ending(self, task: str) -> str:
        return "TIMEOUT" if self.at.get(task) == TAKES_TOO_LONG else ""

    def sleep(self, seconds: float) -> None:
        for name, (folder, index, state) in list(self.queue.items()):
            self.queue[name] = (folder, index, "RUNNING")
            if state == "PENDING" and self._train(folder, index, folder / f"{name}.log"):
                del self.queue[name]

    def _train(self, folder: Path, index: int, log: Path) -> bool:
        """Play a worker; return whether it ended."""
        for written in read_batch(folder, index):
            resume, seed = written["config"]["resume"], written["config"]["seed"]
            fate = written["config"]["training"]["learning_rate"]
            if fate == IS_CANCELLED:
                return True
            with log.open("a") as file:
                file.write(f"job {seed}\n")
            self.trained.append((seed, resume))
            self.at[log.stem] = seed
            if fate in (DIES, TAKES_TOO_LONG) or (fate == DIES_ONCE and not resume):
                return True
            if fate == STAYS:
                return False
            error = "the loss is nan" if fate == FAILS else ""
            add_answer(folder, index, {"place": written["place"], "kind": error and "TrainingError", "error": error})
        return True


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> PlayedSlurm:
    played = PlayedSlurm()
    for name in ("submit", "list_tasks", "cancel", "find_ending"):
        monkeypatch.setattr(slurm_queue, name, getattr(played, name))
    monkeypatch.setattr(slurm, "_SECONDS_BETWEEN_QUESTIONS", 0)
    monkeypatch.setattr(slurm, "_SECONDS_BETWEEN_WORDS", 0)
    monkeypatch.setattr("time.sleep", played.sleep)
    return played


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """The sweeps, and the tasks, whose open runs were closed."""
    found: list[tuple[str, str | None]] = []

    def close(store: object, parent: str, why: str, task: str | None = None) -> None:
        found.append((parent, task))

    monkeypatch.setattr("pipeline.tracking.past.close_left_open", close)
    return found


def make(folder: Path, *fates: int, same: bool = False, **settings: Any) -> list[Config]:
    """Return jobs with the fates as learning rates and seeds; one program trains all of them, or no two."""
    settings = {"folder": str(folder), **settings}
    return [
        replace(
            JOB,
            training=TrainingConfig(learning_rate=fate),
            seed=fate,
            slurm=SlurmConfig(**settings),
            model=ModelConfig(units=[1 if same else number]),
        )
        for number, fate in enumerate(fates, start=1)
    ]


def arrays(jobs: Sequence[Config], tell: Callable[[str], None] = lambda text: None) -> Arrays:
    return Arrays(jobs, cast(Any, SimpleNamespace(uri=ADDRESS, folder=None)), tell)


def test_every_job_is_answered_for_once(played: PlayedSlurm, tmp_path: Path) -> None:
    """A sweep ends although jobs are missing; a failed one is not told; or what jobs say is lost."""
    told: list[str] = []
    errors = arrays(make(tmp_path, DONE, FAILS, partition="cpu"), told.append).run()
    assert [(type(error), str(error)) for error in errors] == [(TrainingError, "the loss is nan")]
    assert sorted(played.trained) == [(DONE, False), (FAILS, False)]
    assert [line for line in told if line.startswith("job")] == ["job 1", "job 2"]
    (words,) = played.submitted
    assert {"--partition=cpu", "--array=0-1", "--job-name=lstm-pipeline-now", "--requeue"} <= set(words)


def test_no_password_lies_in_the_folder(played: PlayedSlurm, tmp_path: Path) -> None:
    """Whoever may read the shared disk may write to the database of the runs."""
    arrays(make(tmp_path, DONE)).run()
    assert played.environment == {"MLFLOW_TRACKING_URI": ADDRESS}
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) == 3 and not any("secret" in file.read_text() for file in files)
    assert not any("secret" in word for words in played.submitted for word in words)
    assert stat.S_IMODE((tmp_path / "now" / "1").stat().st_mode) == 0o700


def test_the_job_of_a_task_that_died_is_trained_again(
    played: PlayedSlurm, closed: list[tuple[str, str | None]], tmp_path: Path
) -> None:
    """A node kills a job for its memory: its configurations are lost, or finished ones are trained twice."""
    told: list[str] = []
    jobs = make(tmp_path, DONE, DIES_ONCE, DONE, same=True)
    jobs[2] = replace(jobs[2], seed=9)
    assert arrays(jobs, told.append).run() == []
    assert played.trained == [(1, False), (4, False), (4, True), (9, True)]
    assert closed == [("now", "10_0")]
    assert not batch_file(tmp_path / "now" / "1", 0).exists()  # should it live, it takes no further job
    assert "Slurm job 10_0 died: seed=4 is trained again, in a Slurm job of its own" in told


@pytest.mark.parametrize(
    ("fate", "complaint"),
    [(DIES, "its Slurm job 20_0 died, the second one"), (TAKES_TOO_LONG, "was ended at its time limit (slurm.time)")],
)
def test_a_job_that_ends_its_tasks_fails_alone(played: PlayedSlurm, tmp_path: Path, fate: int, complaint: str) -> None:
    """One configuration that does not fit into memory or time ends the sweep, or is tried for ever."""
    jobs = make(tmp_path, DONE, fate, DONE, same=True)
    jobs[2] = replace(jobs[2], seed=9)
    (error,) = arrays(jobs).run()
    assert complaint in str(error)
    assert played.trained == [(1, False), (fate, False), (fate, True), (9, True)]


def test_what_somebody_cancelled_is_not_trained_again(played: PlayedSlurm, tmp_path: Path) -> None:
    """`scancel` of a job is undone by the sweep."""
    told: list[str] = []
    (error,) = arrays(make(tmp_path, DONE, IS_CANCELLED), told.append).run()
    assert str(error) == "its Slurm job 10_1 was cancelled"
    assert "seed=6: FAILED: its Slurm job 10_1 was cancelled" in told
    assert len(played.submitted) == 1


def test_a_refusal_in_the_middle_ends_no_other_job(played: PlayedSlurm, tmp_path: Path) -> None:
    """A limit of the cluster hits the second array, and jobs that run are forgotten."""
    played.most = 1
    (error,) = arrays(make(tmp_path, DIES_ONCE, DONE)).run()
    assert "QOSMaxSubmitJobPerUserLimit" in str(error)
    played.most = 0
    with pytest.raises(UserError, match="QOSMaxSubmitJobPerUserLimit"):
        arrays(make(tmp_path / "first", DONE)).run()


def test_a_controller_that_is_away_ends_no_sweep(
    played: PlayedSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While slurmctld restarts, everything that runs is taken for dead."""
    told: list[str] = []

    def sleep(seconds: float) -> None:
        played.is_silent = len(told) < 2
        if not played.is_silent:
            played.sleep(seconds)

    played.is_silent = True
    monkeypatch.setattr("time.sleep", sleep)
    assert arrays(make(tmp_path, DONE), told.append).run() == []
    assert told[1] == "Slurm does not answer (squeue); waiting for it and for the jobs"
    assert len(played.submitted) == 1


@pytest.mark.parametrize(("cancel", "cancelled"), [(True, ["lstm-pipeline-now"]), (False, [])])
def test_an_interrupt_cancels_what_is_queued_unless_it_shall_go_on(
    played: PlayedSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cancel: bool, cancelled: list[str]
) -> None:
    """After Ctrl-C a cluster trains on for days with nobody there; or what was to go on is ended."""

    def interrupt() -> None:
        if played.trained:
            raise KeyboardInterrupt

    monkeypatch.setattr(slurm, "check_interrupt", interrupt)
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        arrays(make(tmp_path, STAYS, cancel=cancel), told.append).run()
    assert played.cancelled == cancelled
    assert ("cancelled 1 running and 0 waiting Slurm job(s)" if cancel else "go on; resume=true waits") in told[-1]


def test_resume_waits_for_the_jobs_of_a_command_that_was_killed(
    played: PlayedSlurm, closed: list[tuple[str, str | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver dies, its jobs go on, and the next command trains the same configurations beside them."""
    jobs = make(tmp_path, DONE, FAILS)
    (tmp_path / "before" / "1").mkdir(parents=True)
    write_batch(
        tmp_path / "before" / "1", 0, {0: replace(jobs[1], tracking=replace(JOB.tracking, parent_run_id="before"))}
    )
    (tmp_path / "other" / "1").mkdir(parents=True)
    write_batch(tmp_path / "other" / "1", 0, {0: replace(jobs[1], horizon=2)})
    names = ["lstm-pipeline-before", "lstm-pipeline-other", "somebody-elses", "lstm-pipeline-without-folder"]
    waited: list[float] = []
    monkeypatch.setattr(
        slurm_queue, "list_tasks", lambda: [Task("7_0", "RUNNING", "None", name) for name in names[bool(waited) :]]
    )
    monkeypatch.setattr("time.sleep", waited.append)
    monkeypatch.setattr("pipeline.data.sources.load_series", lambda dataset: None)
    monkeypatch.setattr(slurm_earlier, "read_back", lambda job, *rest: job.seed == FAILS)
    told: list[str] = []
    store = cast(Any, SimpleNamespace(uri=ADDRESS))
    assert slurm_earlier.find_left([replace(job, resume=True) for job in jobs], tmp_path, store, told.append) == [0]
    assert told == [
        "Slurm jobs of an earlier command train 1 of these jobs: waiting for them; `scancel "
        "--name=lstm-pipeline-before` ends them"
    ]
    assert len(waited) == 1 and closed == [("before", None)]


def test_large_sweeps_fit_into_one_array(tmp_path: Path) -> None:
    """Slurm refuses an array of more than a thousand tasks, or jobs are lost where batches are joined."""
    cut = arrays(make(tmp_path, *[DONE] * 2500))._cut(range(0, 2500))
    assert len(cut) == 834 and [place for batch in cut for place in batch] == list(range(2500))
    assert arrays(make(tmp_path, DONE, DONE, DONE))._cut([0, 2]) == [[0], [2]]
    assert arrays(make(tmp_path, DONE, DONE, DONE, same=True))._cut([0, 2]) == [[0, 2]]
    assert arrays(make(tmp_path, DONE))._cut([]) == []


def test_half_a_line_is_no_answer(tmp_path: Path) -> None:
    """A worker is killed while it answers, and the answers after it cannot be read."""
    add_answer(tmp_path, 0, {"place": 1, "kind": "", "error": ""})
    with (tmp_path / "0.answers").open("a") as file:
        file.write('\n{"place": 2, "ki')
    assert [answer["place"] for answer in read_answers(tmp_path, 0)] == [1]
    add_answer(tmp_path, 0, {"place": 3, "kind": "", "error": ""})
    assert [answer["place"] for answer in read_answers(tmp_path, 0)] == [1, 3]
    (tmp_path / "log").write_text("one\ntwo\nthr")
    assert read_log(tmp_path / "log", 0) == (["one", "two"], 8)
    (tmp_path / "log").write_text("one\ntwo\nthree\n")
    assert read_log(tmp_path / "log", 8) == (["three"], 14)


def test_settings_of_a_job_are_options_of_sbatch() -> None:
    """A limit is not passed on, and a job ends at the cluster's default, or waits for a whole node."""
    assert write_words(SlurmConfig()) == ["--cpus-per-task=1", "--requeue"]
    given = SlurmConfig("gpu", 90, 1.5, 4, requeue=False, extra={"qos": "high", "exclusive": True, "hold": False})
    assert write_words(given) == [
        "--partition=gpu", "--time=90", "--mem=1536M", "--cpus-per-task=4", "--no-requeue", "--qos=high", "--exclusive",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"time": 0}, "slurm.time must be at least 1"),
        ({"cpus": 0}, "slurm.cpus must be at least 1"),
        ({"memory": 0.0}, "slurm.memory must be above 0"),
        ({"extra": 3}, "slurm.extra must be a dictionary"),
        ({"extra": {"wrap": "rm -rf /"}}, "slurm.extra must not hold wrap"),
        ({"extra": {"time": 3}}, r"give slurm.time \(minutes\)"),
        ({"extra": {"qos=high --wrap": "x"}}, "long options of sbatch, each with one value"),
        ({"extra": {"account": ["a", "b"]}}, "long options of sbatch, each with one value"),
    ],
)
def test_what_slurm_cannot_take_is_said_before(settings: dict[str, Any], complaint: str) -> None:
    """A wrong limit is found by the cluster, or a setting of a sweep runs another program there."""
    with pytest.raises(UserError, match=complaint):
        check_ranges(replace(JOB, slurm=SlurmConfig(**settings)))


def test_a_machine_without_slurm_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person reads a traceback about a file that is not there."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match=r"launcher=slurm needs sbatch, which is not on the PATH: .*launcher=processes"):
        find_commands()


@pytest.mark.parametrize("code", [0, 1])
def test_what_slurm_says_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A refusal is not shown, a controller that is away is an empty queue, or the outer job's limits are kept."""
    said = {
        "sbatch": "12;cluster",
        "squeue": "12_3|PENDING|Resources|lstm-pipeline-x",
        "scontrol": "JobState=TIMEOUT A=1",
    }
    for name, text in said.items():
        script = tmp_path / name
        script.write_text(
            f"#!/bin/sh\nenv > {tmp_path}/seen\necho '{text}'\necho '{name}: error: no such thing' >&2\nexit {code}\n"
        )
        script.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "8")
    monkeypatch.setenv("SLURM_CONF", "/etc/here")
    if code:
        with pytest.raises(UserError, match="Slurm refuses the jobs: no such thing"):
            slurm_queue.submit(["--array=0-3"], "", {})
        assert slurm_queue.list_tasks() is None and slurm_queue.find_ending("12_3") == ""
        return
    assert slurm_queue.submit(["--array=0-3"], "", {"MLFLOW_TRACKING_URI": "x"}) == "12"
    seen = (tmp_path / "seen").read_text().splitlines()
    assert "MLFLOW_TRACKING_URI=x" in seen and "SLURM_CONF=/etc/here" in seen
    assert not any(line.startswith("SLURM_CPUS") for line in seen)
    assert slurm_queue.list_tasks() == [Task("12_3", "PENDING", "Resources", "lstm-pipeline-x")]
    assert slurm_queue.find_ending("12_3") == "TIMEOUT"
