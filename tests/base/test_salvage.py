"""What may fail without failing a run, and what may not."""

import pytest

from pipeline.base.salvage import Salvage


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_no_lost_artifact(ending: type[BaseException]) -> None:
    """Ctrl-C while a figure is drawn would be swallowed, and the sweep would go on."""
    salvage = Salvage(pytest.fail)
    with pytest.raises(ending), salvage.attempt("forecast.png"):
        raise ending
    assert salvage.lost == []


def test_a_reason_without_words_or_of_many_is_one_short_line() -> None:
    """The warning would be a page of text, or end in a colon with nothing behind it."""
    told: list[str] = []
    salvage = Salvage(told.append)
    for error in (ValueError(), ValueError("x" * 9999), ValueError("first\nsecond")):
        with salvage.attempt("a"):
            raise error
    assert [line.rpartition(": ")[2] for line in told[::2]] == ["ValueError", "first"]
    assert len(told[1]) < 400 and salvage.lost == ["a"] * 3
