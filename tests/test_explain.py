"""`python -m pipeline.explain` as a user runs it: text, drawing, sweeps, wrong input."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.command import explain
from pipeline.explanation import files

Explain = Callable[[str], tuple[int, str, str]]
SLOW_MODULES = ("tensorflow", "keras", "mlflow", "matplotlib", "rich.console")


@pytest.fixture
def run_explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Explain:
    """Run a command line in an empty folder; return its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(line: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["explain", *line.split()])
        with pytest.raises(SystemExit) as caught:
            explain.main()
        assert isinstance(caught.value.code, int)
        return caught.value.code, *capsys.readouterr()

    return run


def test_answers_without_tensorflow(tmp_path: Path) -> None:
    """Breaks the two seconds of an answer: TensorFlow, Keras or MLflow is imported, or a log folder is left behind."""
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline.explain", "stateful=true", "return_sequences=true"],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {row.rpartition("|")[2].strip() for row in found.stderr.splitlines() if row.startswith("import time:")}
    assert "pipeline.explanation.facts.explanation" in imported
    assert [name for name in SLOW_MODULES if name in imported] == []
    assert "many-to-many, stateful: 3 monthly values of passengers in" in found.stdout
    assert "\x1b" not in found.stdout  # no colours in a pipe
    assert list(tmp_path.iterdir()) == []


def test_what_was_guessed_of_a_file_is_told(run_explain: Explain, tmp_path: Path) -> None:
    """The person who looks before training does not learn that gaps or spellings of the file were guessed."""
    rows = "".join(f"2024-01-{day:02};{day % 7},5\n" for day in range(1, 31) if day != 9)
    (tmp_path / "sales.csv").write_text(f"day;sales\n{rows}")
    code, printed, _ = run_explain("dataset=csv dataset.path=sales.csv dataset.time_column=day")
    assert code == 0
    brief = " ".join(printed.split("In brief")[1].split())
    assert "- sales.csv: cells are separated by ';'" in brief and "1 of 30 days are missing" in brief


@pytest.mark.parametrize("line", ["", "stateful=true batch_size=3", "dataset=eu_stocks model=gru", "debug=smoke"])
def test_a_drawing_and_a_text(run_explain: Explain, tmp_path: Path, line: str) -> None:
    """Breaks output=: the file is missing, is no drawing, or says something else than the terminal."""
    code, printed, _ = run_explain(line)
    assert code == 0
    for name in ("diagram.svg", "explanation.txt"):
        code, told, errors = run_explain(f"{line} output={name}")
        assert (code, errors) == (0, "")
        assert told.endswith(f"written: {name}\n")
    assert (tmp_path / "explanation.txt").read_text(encoding="utf-8") == printed
    assert ElementTree.parse(tmp_path / "diagram.svg").getroot().tag.endswith("svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diagram.svg", "explanation.txt"]


def test_a_sweep_is_explained_job_by_job(run_explain: Explain) -> None:
    """Breaks -m: a job of the sweep has no explanation, or two run into each other."""
    code, printed, _ = run_explain("-m look_back=1,3 stateful=true,false")
    assert code == 0
    titles = [line for line in printed.splitlines() if line.startswith("airline: ")]
    assert [title.split()[1::3] for title in titles] == [
        ["look_back=1", "stateful=true"],
        ["look_back=1", "stateful=false"],
        ["look_back=3", "stateful=true"],
        ["look_back=3", "stateful=false"],
    ]
    assert run_explain("experiment=many_to_many")[1].count("many-to-many, state") == 2


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("look_back=0", "look_back must be at least 1, but got look_back=0"),
        ("lookback=3", "unknown key 'lookback'; did you mean 'look_back'?"),
        ("look_back=200", "'airline' has 72 training steps"),
        ("look_back=1,3", "gives several values; add -m"),
        ("model.wiring=one_to_many look_back=1", "set for example horizon=6 dataset.horizons=all"),
        ("output=diagram.png", "output must end in .svg (a drawing) or .txt (text), but got output=diagram.png"),
        ("output=", "output= is empty; give a value or leave output out"),
        ("output=a.svg output=b.svg", "output is given twice; give it once"),
        ("output=nowhere/diagram.svg", "output=nowhere/diagram.svg: the folder nowhere is not there; create it"),
        ("output=folder.svg", "output=folder.svg is a folder; name a file in it"),
        (
            "-m look_back=1,3 output=diagram.svg",
            "the sweep has 2 jobs; give one value to each key",
        ),
        ("--cfg job", "use python -m pipeline.run"),
    ],
)
def test_wrong_input(run_explain: Explain, tmp_path: Path, line: str, complaint: str) -> None:
    """Breaks the promise of one line and exit code 2, the same as those of a run; or a file is written all the same."""
    (tmp_path / "folder.svg").mkdir()
    code, printed, errors = run_explain(line)
    assert (code, printed) == (2, "")
    assert errors.startswith("error: ") and complaint in errors
    assert len(errors.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder.svg"]


def test_a_file_is_old_or_new_never_half(run_explain: Explain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks a drawing in use: a full disk leaves half a file, or a stray one beside it."""
    old = tmp_path / "diagram.svg"
    old.write_text("old")

    def fill_disk(path: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fill_disk)
    code, _, errors = run_explain("output=diagram.svg")
    assert (code, errors) == (
        1,
        "error: the disk is full or cannot be written to: [Errno 28] No space left on device\n",
    )
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_on_a_terminal(
    run_explain: Explain, monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool
) -> None:
    """Breaks the red, green and blue of the picture on a terminal, or NO_COLOR."""
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm-256color")
    plain = run_explain("")[1]
    monkeypatch.setattr(files, "is_terminal", lambda: True)
    found = run_explain("")[1]
    assert ("\x1b[31m" in found) is coloured
    assert (found == plain) is not coloured


def test_help_is_for_a_newcomer(run_explain: Explain) -> None:
    """Breaks --help: it must say what the command does, with examples, the key of its own and the exit codes."""
    code, printed, errors = run_explain("--help")
    assert (code, errors) == (0, "")
    for words in ("before it is trained", "stateful=true", "output=diagram.svg", "encoder_decoder", "Exit codes"):
        assert words in printed
    assert max(map(len, printed.splitlines())) <= 120
