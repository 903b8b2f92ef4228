"""The parent run of a sweep, or of a search, while that goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pipeline.base.disk import explain_disk
from pipeline.base.interrupt import wait_for_safe_point
from pipeline.base.record import Status
from pipeline.base.terminal import say
from pipeline.tracking.heartbeat import beating
from pipeline.tracking.live import close_parent
from pipeline.tracking.store import Store


@dataclass
class Parent:
    """A parent run that is open.

    Attributes:
        run_id: Of it.
        has_failed: It will be closed as FAILED, although the block ends without an error.
    """

    run_id: str
    has_failed: bool = False


@contextmanager
def keep_parent(store: Store, kind: str, start: Callable[[], str]) -> Iterator[Parent]:
    """Open a parent run, let it beat, and close it as what happened: FINISHED, FAILED or KILLED.

    Args:
        store: Where it is.
        kind: What it is to people: `sweep` or `search`.
        start: Opens it, and returns its id.
    """
    parent, ending = None, Status.failed
    try:
        with wait_for_safe_point():  # what is opened will be closed
            parent = Parent(start())
        with beating(store, parent.run_id):
            yield parent
        ending = Status.failed if parent.has_failed else Status.finished
    except KeyboardInterrupt:
        ending = Status.killed
        raise
    finally:
        if parent is not None:
            try:
                close_parent(store, parent.run_id, ending.value)
            except Exception as error:  # must not hide what ended it
                say(f"the {kind} stays open in MLflow, the next training will close it: {explain_disk(error) or error}")
