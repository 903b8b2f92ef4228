"""Wrong input on the command line: exit code 2, one or two lines with the remedy, at once, and nothing is logged."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore

from pipeline.base.errors import UserError
from pipeline.command.jobs import Plan, plan_jobs
from pipeline.config.schema import Config

Command = Callable[..., subprocess.CompletedProcess[str]]
SLOW_MODULES = ("tensorflow", "keras", "mlflow", "matplotlib")

COMMANDS = {
    "+typo=3": r"unknown key 'typo'; .*--cfg job",
    "lookback=3": r"unknown key 'lookback'; did you mean 'look_back'\?",
    "dataset.feature=[passengers]": r"unknown key 'dataset\.feature'; did you mean 'dataset\.features'\?",
    "look_back=three": r"look_back=three: .*'three'.*Integer",
    "look_back=0": r"look_back must be at least 1, but got look_back=0",
    "look_back=1,3": r"look_back=1,3 gives several values; add -m",
    "dataset=moon": r"unknown dataset 'moon'; choose from .*airline, csv, .*sine, sunspots",
    "dataset=csv": r"dataset\.path is required .*dataset\.path=sales\.csv",
    "dataset=csv dataset.path=nothing.csv": r"dataset\.path=nothing\.csv is not a file .*check the path",
    "dataset=csv dataset.path=text.csv": r"text\.csv, data row 2: 'many' in the column 'sales' is not a number; fix",
    "dataset=csv dataset.path=empty.csv": r"empty\.csv is empty; it must hold a header and one row per time step",
    "dataset.features=[crew]": r"dataset\.features names the column 'crew', but .* has: month, passengers",
    "look_back=200": r"'airline' has 72 training steps.*look_back=200 .* at least 201; lower look_back or",
    "dataset=sine dataset.transforms=[log]": r"data row \d+: the column 'value' .*no logarithm; leave log out",
    "-m look_back=1,3,200": r"look_back=200 .*lower look_back",
    "-m look_back=1,3 training.epochs=0": r"training\.epochs must be at least 1, but got training\.epochs=0",
}  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> None:
    """The files that COMMANDS name, in the folder where the commands run."""
    (tmp_path / "empty.csv").touch()
    (tmp_path / "text.csv").write_text("sales\n1\nmany\n3\n")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("line", COMMANDS)
def test_wrong_input_ends_at_once(command: Command, tmp_path: Path, line: str) -> None:
    """Breaks the promise to a newcomer: exit code 2, one or two lines that name key or row and remedy, no trace."""
    before = sorted(tmp_path.iterdir())
    found = command(*line.split())
    lines = [text for text in found.stderr.splitlines() if text.strip()]
    assert found.returncode == 2, found.stderr
    assert 1 <= len(lines) <= 2
    assert re.fullmatch(f"error: .*{COMMANDS[line]}.*", " ".join(lines))
    assert "Traceback" not in found.stderr
    assert found.stdout == ""
    assert sorted(tmp_path.iterdir()) == before  # no database, no output folder


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["look_back=200"], 2),
        (["-m", "look_back=1,3", "+typo=1"], 2),
        (["--help"], 0),
        (["--cfg", "job"], 0),
    ],
)
def test_nothing_slow_is_imported(tmp_path: Path, line: list[str], code: int) -> None:
    """Breaks the answer within a second: TensorFlow or MLflow is imported for help or for a wrong input."""
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline.run", *line],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )
    imported = {row.rpartition("|")[2].strip() for row in found.stderr.splitlines() if row.startswith("import time:")}
    assert found.returncode == code
    assert "pipeline.command.jobs" in imported
    assert [name for name in SLOW_MODULES if name in imported] == []


def test_traceback_on_request(command: Command) -> None:
    """Breaks finding a mistake of ours: HYDRA_FULL_ERROR=1 shows where an error came from, with the same exit code."""
    found = command("look_back=0", HYDRA_FULL_ERROR="1")
    assert found.returncode == 2
    assert "Traceback" in found.stderr
    assert "error: look_back must be at least 1" in found.stderr


def test_help_is_for_a_newcomer(command: Command) -> None:
    """Breaks --help: it must name the commands, the keys people sweep, the choices and the exit codes."""
    found = command("--help")
    assert found.returncode == 0
    for words in ("-m look_back=1,3,6 stateful=true,false", "dataset.path=", "airline", "seeds", "Exit codes"):
        assert words in found.stdout
    assert found.stderr == ""


def test_every_key_is_listed(command: Command) -> None:
    """Breaks the remedy that errors name: `--cfg job` lists every key with its value."""
    found = command("--cfg", "job", "look_back=7")
    assert found.returncode == 0
    assert "look_back: 7" in found.stdout
    assert "learning_rate:" in found.stdout


def test_store_that_cannot_be_used(command: Command) -> None:
    """Breaks the wrong tracking address: one line within seconds, not a traceback or MLflow's minutes of retries."""
    found = command("debug=smoke", MLFLOW_TRACKING_URI="http://127.0.0.1:1", timeout=300)
    assert found.returncode == 2
    assert re.match(r"error: the MLflow server http://127\.0\.0\.1:1 .*MLFLOW_TRACKING_URI", found.stderr)
    assert len(found.stderr.splitlines()) == 1


# ------------------------------------------------------------------------------------- plans, without a subprocess


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Plan]:
    """Plan the jobs of a command line, in an empty folder."""
    ConfigStore.instance().store(name="base_config", node=Config)
    monkeypatch.chdir(tmp_path)

    def make(line: str) -> Plan:
        return plan_jobs(get_args_parser().parse_args(line.split()))

    return make


@pytest.mark.parametrize(
    ("line", "jobs"),
    [
        ("look_back=6", [(6, False)]),
        ("-m look_back=1,3,6 stateful=true,false", [(n, s) for n in (1, 3, 6) for s in (True, False)]),
        ("-m look_back=range(1,4)", [(1, False), (2, False), (3, False)]),
        ("look_back=6 look_back=7", [(7, False)]),
        ("experiment=many_to_many", [(12, True), (12, False)]),
        ("experiment=many_to_many look_back=2 stateful=false", [(2, False)]),
    ],
)
def test_jobs_of_a_command(plan: Callable[[str], Plan], line: str, jobs: list[tuple[int, bool]]) -> None:
    """Breaks the gates of a sweep: every job that Hydra will start must be checked, in Hydra's order."""
    found = plan(line)
    assert [(job.look_back, job.stateful) for job in found.jobs] == jobs
    assert found.is_sweep is (line.startswith(("-m", "experiment")))


@pytest.mark.usefixtures("plan")
@pytest.mark.parametrize(
    ("values", "told"), [("1,2", []), ("range(1,25)", ["checking 24 jobs before the first one starts"])]
)
def test_a_long_check_is_announced(values: str, told: list[str]) -> None:
    """A sweep of many jobs is silent for seconds or minutes, and looks as if it hangs."""
    heard: list[str] = []
    plan_jobs(get_args_parser().parse_args(["-m", f"look_back={values}"]), heard.append)
    assert heard == told


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("+dataset.typo=1", r"unknown key 'dataset\.typo'"),
        ("model.unit=[4]", r"unknown key 'model\.unit'; did you mean 'model\.units'\?"),
        ("-m typo=1,2", "unknown key 'typo'"),
        ("-m look_back=1,two", "look_back=two: .*'two'.*Integer"),
        ("-m look_back=", "look_back=: .*''.*Integer"),
        ("look_back=3.5", "look_back=3.5: .*'3.5'.*Integer"),
        ("look_back=null", "look_back=null: .*look_back"),
        ("stateful=maybe", "stateful=maybe: .*'maybe'.*bool"),
        ("dataset.features=sales", r"dataset\.features=sales: .*list"),
        ("model.units=4", r"model\.units=4: .*list"),
        ("dataset.scaler=robust", r"dataset\.scaler=robust: .*minmax, standard, none"),
        ("training.engine=turbo", r"training\.engine=turbo: .*expected one of .*fit"),
        ("model=transformer", "unknown model 'transformer'; choose from .*gru, lstm, simple_rnn"),
        ("experiment=nothing", "unknown experiment 'nothing'; choose from .*many_to_many"),
        ("debug=nothing", "unknown debug 'nothing'; choose from .*smoke"),
        ("-m dataset=airline,moon", "unknown dataset 'moon'; choose from .*airline"),
        ("-m dataset=airline,sine dataset.features=[passengers]", r"dataset\.features .*'passengers', but sine has"),
        ("-m look_back=1,0", "look_back must be at least 1, but got look_back=0"),
        ("stateful=true batch_size=9", "batch_size=9 .*lower batch_size or raise dataset.segments"),
        ("look_back=${nothing}", "look_back: .*'nothing' not found"),
        ("foo", "foo"),
        ("=3", "=3"),
        ("--config-dir nothing", "--config-dir must be a folder, but got nothing"),
        ("--config-path nothing", "--config-path must be a folder, but got nothing"),
        ("+hydra.callbacks.x._target_=os.system", r"hydra\.callbacks names _target_=os\.system; only Hydra's own"),
        ("hydra.sweeper._target_=os.system", r"hydra\.sweeper names _target_=os\.system; only Hydra's own"),
        ("hydra.launcher._target_=builtins.exec", r"hydra\.launcher names _target_=builtins\.exec; only Hydra's own"),
    ],
)  # fmt: skip
def test_refused(plan: Callable[[str], Plan], line: str, complaint: str) -> None:
    """Breaks the gates: a wrong command is accepted, ends in a traceback, or its text does not say what is wrong."""
    with pytest.raises(UserError, match=complaint) as caught:
        plan(line)
    assert len(str(caught.value).splitlines()) <= 2
