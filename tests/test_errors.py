"""Wrong input on the command line: exit code 2, one or two lines with the remedy, at once, and nothing is logged."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import run_command

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


def assert_wrong_input(found: subprocess.CompletedProcess[str], complaint: str) -> None:
    lines = [text for text in found.stderr.splitlines() if text.strip()]
    assert found.returncode == 2, found.stderr
    assert 1 <= len(lines) <= 2
    assert re.fullmatch(f"error: .*{complaint}.*", " ".join(lines))
    assert "Traceback" not in found.stderr
    assert found.stdout == ""


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("line", COMMANDS)
def test_wrong_input_ends_at_once(run_here: Command, tmp_path: Path, line: str) -> None:
    """Breaks the promise to a newcomer: exit code 2, one or two lines that name key or row and remedy, no trace."""
    before = sorted(tmp_path.iterdir())
    assert_wrong_input(run_here(*line.split()), COMMANDS[line])
    assert sorted(tmp_path.iterdir()) == before  # no database, no output folder


@pytest.mark.parametrize("line", ["look_back=0", "-m look_back=1,3,200"])
def test_wrong_input_reaches_the_shell(tmp_path: Path, line: str) -> None:
    """Breaks scripts that call the command: its exit code is lost, or it says more in a process of its own."""
    found = run_command("pipeline.run", *line.split(), fresh=True, cwd=tmp_path)
    assert_wrong_input(found, COMMANDS[line])
    assert list(tmp_path.iterdir()) == []


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
    assert "pipeline.experiment.jobs" in imported
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
