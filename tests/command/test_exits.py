"""How a command ends: its exit code, and the one line it says."""

import errno
import signal
import subprocess
import sys

import pytest

from pipeline.base.errors import TrainingError, UserError
from pipeline.command.exits import exit_code, leave, run_to_exit


def end(error: BaseException, remedy: str = "") -> int:
    def act() -> int:
        raise error

    return run_to_exit(act, remedy)


def test_every_ending_has_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """A script cannot tell success from wrong input, or a user sees a traceback."""
    assert run_to_exit(lambda: 7) == 7
    assert end(UserError("no such run")) == 2
    assert end(TrainingError("diverged")) == 1
    assert end(PermissionError("not yours")) == 1
    assert capsys.readouterr().err.splitlines() == ["error: no such run", "error: diverged", "error: not yours"]
    with pytest.raises(ZeroDivisionError, match="bug"):  # what is not on purpose keeps its traceback
        end(ZeroDivisionError("bug"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_has_the_code_that_a_shell_gives_it(
    number: signal.Signals, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cluster's SIGTERM or a lost terminal is not distinguishable from Ctrl-C."""
    monkeypatch.setattr("pipeline.base.interrupt._asked", [number])
    assert end(KeyboardInterrupt(), "repeat it") == code
    assert capsys.readouterr().err == "interrupted; repeat it\n"


def test_what_to_do_is_said_where_it_helps(capsys: pytest.CaptureFixture[str]) -> None:
    """Who has a full disk does not learn that a repeated command goes on where it stopped, or a typo is "repeated"."""
    full = OSError(errno.ENOSPC, "No space left on device")
    wrapped = TrainingError("the run failed")
    wrapped.__cause__ = full
    assert [end(error, "repeat it") for error in (full, wrapped, UserError("a typo"), OSError("no"))] == [1, 1, 2, 1]
    told = capsys.readouterr().err.splitlines()
    assert [line.endswith("; repeat it") for line in told] == [True, True, False, False]
    assert all(line.startswith("error: the disk is full") for line in told[:2])


def test_a_traceback_is_shown_on_demand(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """HYDRA_FULL_ERROR=1 does not show where an error came from, or changes the exit code."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert end(UserError("a typo")) == 2
    told = capsys.readouterr().err
    assert told.startswith("Traceback") and told.endswith("error: a typo\n")


def test_a_disk_is_named_behind_any_error() -> None:
    """A library that wraps a full disk in an error of its own ends with a traceback."""
    wrapped = RuntimeError("cannot log")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert exit_code(wrapped) == 1
    assert exit_code(RuntimeError("cannot log")) is None


def test_a_store_that_stays_locked_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    """Who waited for minutes for a database gets a traceback of SQLAlchemy, and no word about what to do."""
    from sqlalchemy.exc import OperationalError

    import pipeline.tracking.outage  # noqa: F401

    locked = RuntimeError("cannot open the run")
    locked.__cause__ = OperationalError("SELECT", None, Exception("(sqlite3.OperationalError) database is locked"))
    assert end(locked, "repeat it") == 1
    told = capsys.readouterr().err
    assert told.startswith("error: the MLflow store does not answer: ") and "database is locked" in told
    assert told.endswith("; repeat it\n")


def test_only_an_interrupt_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python ends under a thread that still computes, and crashes; or an ordinary end skips what is registered."""
    left: list[int] = []
    monkeypatch.setattr("os._exit", left.append)
    for code in (0, 1, 2, 130):
        with pytest.raises(SystemExit) as ended:
            leave(code)
        assert ended.value.code == code
    assert left == [130]
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN  # nor would what this process starts ever end by it


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_after_everything_is_done_changes_nothing(number: signal.Signals) -> None:
    """A sweep that has said where its report lies ends as if it had been killed: its script repeats it for nothing."""
    late = f"""
import os, sys
from pipeline.base.interrupt import listen_for_interrupts
from pipeline.command.exits import leave
class Late:
    def __del__(self, kill=os.kill, own=os.getpid()): kill(own, {int(number)})
listen_for_interrupts()
sys.late = Late()  # goes with the module, when Python has given up its handlers
leave(1)
"""
    ended = subprocess.run([sys.executable, "-c", late], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")
