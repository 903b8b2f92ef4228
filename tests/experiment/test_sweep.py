"""The parent run of a sweep is closed as what happened, from the moment in which it is there."""

import signal

import pytest

from pipeline.base import interrupt
from pipeline.base.interrupt import interruptible
from pipeline.experiment.sweep import open_sweep
from pipeline.tracking import live
from pipeline.tracking.store import Store


@pytest.mark.parametrize("moment", ["opening", "open"])
def test_a_sweep_that_is_interrupted_is_closed(moment: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the moment in which a sweep is opened leaves it RUNNING, until the next training looks after it."""
    opening, parents = live.open_parent, list[str]()

    def open_slowly(*of: object, **named: object) -> str:
        parents.append(opening(*of, **named))  # type: ignore[arg-type]
        if moment == "opening":
            signal.raise_signal(signal.SIGINT)
        return parents[0]

    monkeypatch.setattr(live, "open_parent", open_slowly)
    with interruptible(), pytest.raises(KeyboardInterrupt), open_sweep(store, ["-m"], []):
        assert moment == "open"
        signal.raise_signal(signal.SIGINT)
    assert store.client.get_run(parents[0]).info.status == "KILLED"
    interrupt._asked.clear()
