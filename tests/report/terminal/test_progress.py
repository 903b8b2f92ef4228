"""Progress on stderr: a bar on a terminal, plain lines now and then otherwise."""

import io
import sys

import pytest

from pipeline.report.terminal import progress
from pipeline.report.terminal.progress import show_progress
from pipeline.training.record import EpochReport


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run_two_seeds(epochs: int = 2) -> None:
    with show_progress("sales[old].csv", first_seed=7, seeds=2, epochs=epochs) as report:
        for seed in (7, 8):
            for epoch in range(1, epochs + 1):
                report(EpochReport(seed, epoch, loss=0.5, val_loss=0.25 * epoch))


def test_plain_lines_without_a_terminal(monkeypatch, capsys) -> None:
    """A log file would hold nothing or control codes; or progress would mix with the results on stdout."""
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    run_two_seeds()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "sales[old].csv: seed 1/2, epoch 1/2, loss 0.5000, val_loss 0.2500",
        "sales[old].csv: seed 1/2, epoch 2/2, loss 0.5000, val_loss 0.5000",
        "sales[old].csv: seed 2/2, epoch 1/2, loss 0.5000, val_loss 0.2500",
        "sales[old].csv: seed 2/2, epoch 2/2, loss 0.5000, val_loss 0.5000",
    ]


def test_lines_only_now_and_then(monkeypatch, capsys) -> None:
    """A log file of a long sweep would hold a line for every epoch."""
    clock = iter(range(0, 1000, 4))  # four seconds between two looks at the clock
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    run_two_seeds(epochs=10)
    assert 2 <= len(capsys.readouterr().err.splitlines()) <= 10


def test_a_bar_on_a_terminal(monkeypatch, capsys) -> None:
    """A person would wait without seeing which seed and epoch is trained and how good it is."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    run_two_seeds()
    shown = screen.getvalue()
    for words in ("sales[old].csv", "seed 2/2", "epoch 2/2", "val_loss 0.5"):
        assert words in shown
    assert shown.endswith("\x1b[2K")  # the bar is wiped: the table comes next
    assert capsys.readouterr().out == ""


def test_a_training_that_fails_closes_the_bar(monkeypatch) -> None:
    """The cursor would stay hidden, or the error would be swallowed, after a failed training."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm-256color")
    with pytest.raises(ValueError, match="the loss is nan"), show_progress("a", 1, 1, 1):
        raise ValueError("the loss is nan")
    assert "\x1b[?25h" in sys.stderr.getvalue()  # cursor on again
