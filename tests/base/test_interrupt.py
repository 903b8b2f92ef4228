"""A signal ends a command soon, never in the moment in which a run is opened or closed, and is never lost."""

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from pipeline.base.interrupt import (
    check_interrupt,
    hold_interrupts,
    interrupt_reason,
    interrupt_signal,
    interruptible,
    listen_for_interrupts,
    wait_for_safe_point,
)

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    monkeypatch.setattr("sys.unraisablehook", sys.unraisablehook)
    monkeypatch.setattr("pipeline.base.interrupt._asked", [])
    listen_for_interrupts()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_interrupts_and_is_named(number: signal.Signals) -> None:
    """A cluster's SIGTERM or a lost terminal leaves runs RUNNING, or is not distinguishable from Ctrl-C."""
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert interrupt_signal() == number
    assert interrupt_reason() == f"interrupted ({number.name})"


def test_what_an_interrupt_throws_away_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Under "interrupted; repeat the command" stand lines of TensorFlow about a tensor that was never used."""
    logger = logging.getLogger("tensorflow")
    logger.error("Object was never used: before")
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    logger.error("Object was never used: after")
    logger.error("out of memory")
    assert [each.getMessage() for each in caplog.records] == ["Object was never used: before", "out of memory"]


def test_a_signal_in_a_destructor_is_not_lost(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C shows a traceback of a destructor, and the sweep trains on; or other errors there are no longer shown."""
    monkeypatch.setattr("pipeline.base.interrupt._tell_unraisable", sys.__unraisablehook__)

    class Dies:
        def __init__(self, act: Callable[[], object]) -> None:
            self.__act = act

        def __del__(self) -> None:
            self.__act()

    Dies(lambda: signal.raise_signal(signal.SIGINT))
    assert capsys.readouterr().err == ""
    with pytest.raises(KeyboardInterrupt):
        check_interrupt()
    Dies(lambda: 1 / 0)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_what_is_ignored_stays_ignored() -> None:
    """`nohup python -m pipeline.run` ends with the terminal all the same."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    listen_for_interrupts()
    signal.raise_signal(signal.SIGHUP)
    check_interrupt()


def test_a_notebook_listens_only_while_it_trains() -> None:
    """After Ctrl-C no cell trains any more, or the notebook's own way to stop a cell is gone."""
    own = signal.signal(signal.SIGINT, signal.default_int_handler)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), interruptible():
            check_interrupt()  # not for what ended the cell before
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, own)
    done: list[bool] = []

    def train() -> None:
        with interruptible():
            done.append(True)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert done == [True]  # only the main thread may listen


def test_a_training_ends_at_a_safe_point_or_with_its_block() -> None:
    """TensorFlow swallows the interrupt and trains on, or one that came in the last batch is forgotten."""
    reached = False
    with pytest.raises(KeyboardInterrupt), wait_for_safe_point():
        signal.raise_signal(signal.SIGTERM)
        reached = True
    assert reached
    with pytest.raises(KeyboardInterrupt):  # somebody swallowed it
        check_interrupt()


def test_a_second_signal_does_not_wait() -> None:
    """Somebody who presses Ctrl-C twice waits for a step that takes minutes."""
    reached = []
    with pytest.raises(KeyboardInterrupt), wait_for_safe_point():
        for press in (1, 2, 3):
            reached.append(press)
            signal.raise_signal(signal.SIGINT)
    assert reached == [1, 2]


@pytest.mark.parametrize("times", [1, 3])
def test_a_run_is_opened_and_closed_as_a_whole(times: int) -> None:
    """Ctrl-C, pressed twice, hits the moment in which a run is closed, and it stays RUNNING."""
    count = 0
    with pytest.raises(KeyboardInterrupt), wait_for_safe_point(), hold_interrupts():
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
            count += 1
    assert count == times


def test_an_error_inside_a_block_is_not_hidden_by_a_signal() -> None:
    """Why a run failed is lost when a signal came at the same time."""
    with pytest.raises(ValueError, match="shapes differ"), hold_interrupts():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("shapes differ")
    with pytest.raises(KeyboardInterrupt):
        check_interrupt()
