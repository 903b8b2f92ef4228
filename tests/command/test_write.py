"""`python -m pipeline.write`: only the text on stdout, everything else on stderr, and one line for wrong input."""

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.api import forecasting
from pipeline.command import written
from pipeline.command.arguments import run_entry
from pipeline.command.write import MANUAL, Arguments, write_or_score
from pipeline.config.schema import Token

TEXT = "the quick brown fox\njumps over the lazy dog\n"
Write = Callable[..., tuple[int, str, str]]


@pytest.fixture
def write(
    random_writer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Write:
    """Run the command with a network of random weights; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, kind: Token = Token.char, most: int = 100) -> tuple[int, str, str]:
        monkeypatch.setattr(forecasting, "open_writer", lambda *_: random_writer(TEXT, kind, most))
        code = run_entry(["run=best", *words], Arguments, MANUAL, write_or_score)
        out, told = capfd.readouterr()
        assert "Traceback" not in told
        return code, out, told

    return run


def test_only_the_text_is_on_stdout(write: Write) -> None:
    """Breaks `write > play.txt`: other lines would be in the play, or the prime would be missing."""
    code, out, told = write("prime=the fox\\n", "length=80")
    assert (code, told) == (0, "")
    assert out.startswith("the fox\n") and len(out) == 8 + 80 and set(out) <= set(TEXT)
    assert write("prime=the fox\\n", "length=80")[1] == out
    assert write("prime=the fox\\n", "length=80", "seed=2")[1] != out
    assert len(write()[1]) == 500


def test_samples_stand_one_after_another_or_in_one_object(write: Write) -> None:
    """Breaks samples=3: two texts would be mixed, or a script could not tell them apart."""
    _, out, _ = write("prime=fox", "length=30", "samples=3")
    _, packed, _ = write("prime=fox", "length=30", "samples=3", "format=json")
    facts = json.loads(packed)
    assert facts["prime"] == "fox" and len(facts["samples"]) == 3
    assert out == "\n\n".join("fox" + text for text in facts["samples"])


def test_a_state_continues_the_text(write: Write) -> None:
    """Breaks `state=play.npz >> play.txt`: the play would not be the one that is written in one go."""
    whole = write("prime=fox", "length=60")[1]
    first = write("prime=fox", "length=25", "state=play.npz")[1]
    _, second, told = write("length=35", "state=play.npz")
    assert first + second == whole
    assert told == "state=play.npz: 1 text(s) go on after 25 tokens\n"
    assert "state=play.npz holds 1 text(s), but got samples=2" in write("samples=2", "state=play.npz")[2]


def test_a_text_is_scored(write: Write) -> None:
    """Breaks score=: another number for a script than for a person, or places that are not in the file."""
    Path("mine.txt").write_text("the lazy fox\njumps over\n" * 3)
    code, packed, told = write("score=mine.txt", "format=json")
    facts = json.loads(packed)
    assert (code, told, list(facts)) == (0, "", ["nats_per_token", "bits_per_character", "tokens"])
    assert facts["tokens"] == 72 and facts["bits_per_character"] == pytest.approx(facts["nats_per_token"] / 0.6931472)
    _, shown, _ = write("score=mine.txt", "places=3")
    assert f"{facts['nats_per_token']:.4f} nats per token" in shown
    assert len(re.findall(r"^ +\d+\.\d\d  \d:\d+ .*\[.+\]", shown, re.MULTILINE)) == 3
    Path("other.txt").write_text("the Fox\n")
    code, out, told = write("score=other.txt")
    assert (code, out) == (2, "") and "'F'; the first is token 5 of the text" in told
    Path("old.txt").write_bytes(b"the f\xf6x")
    assert "old.txt is not utf-8 text: byte 5 (0xf6) cannot be read; write it in the" in write("score=old.txt")[2]
    code, _, told = write("score=other.txt", kind=Token.word, most=5)
    assert code == 0 and "other.txt holds tokens that the network does not know and reads as <unk>: ' Fox'" in told


def test_an_interrupt_ends_the_text_after_what_was_printed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks Ctrl-C: a traceback, or a state that knows more, or less, of the text than the reader."""
    whole = write("length=40")[1]
    ticks = iter(range(1000))

    def interrupt() -> None:
        if next(ticks) == 14:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(written, "check_interrupt", interrupt)
        first = write("state=play.npz", "length=40")[1]
    assert len(first) == 15 and whole.startswith(first)
    assert first + write("state=play.npz", "length=25")[1] == whole


def test_a_closed_pipe_ends_it_quietly(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks `write | head`: an error, or a state that counts as read what nobody has read."""
    read, closed = os.pipe()
    os.close(read)
    with os.fdopen(closed, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        code, _, told = write("state=play.npz")
        assert (code, told) == (0, "") and not Path("play.npz").exists()


def test_a_terminal_is_not_given_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks safety: a network trained on a log with control sequences would recolour, or rename, the terminal."""
    assert written._show("a\x1b[31m\n") == "a\x1b[31m\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert written._show("a\x1b[31mä\u200d\t\r\n\x9b") == "a\\x1b[31mä\u200d\t\r\n\\x9b"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["prime=the FOX"], "prime holds 'F', 'O', 'X', which the network was not trained on; leave it out"),
        (["length=0"], "length must be at least 1, but got length=0"),
        (["samples=2000"], "samples must be at most 1000, but got samples=2000"),
        (["top_p=2"], "top_p must be above 0 and at most 1, but got top_p=2"),
        (["seed=-1"], "seed must be at least 0, but got seed=-1"),
        (["score=nowhere.txt"], "score=nowhere.txt is not a file that can be read from"),
        (["state=no/play.npz"], "state=no/play.npz: the folder no is not there; create it first"),
        (["temprature=1"], "unknown key 'temprature'; did you mean 'temperature'?"),
    ],
)
def test_wrong_input_is_one_line(words: list[str], told: str, write: Write) -> None:
    """Breaks the way out of wrong input: a traceback, or a text of something else."""
    code, out, said = write(*words)
    assert (code, out) == (2, "") and told in said


def test_words_that_are_not_known_are_told(write: Write) -> None:
    """Breaks a prime of words: unknown ones would be refused, or read as others without a word."""
    code, out, told = write("prime=the cat", "length=5", kind=Token.word, most=4)
    assert code == 0 and out.startswith("the cat") and "<unk>" not in out
    assert "the prime holds words that the network does not know and reads as <unk>: ' cat'" in told
