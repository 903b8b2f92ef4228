"""What is prepared before TensorFlow is imported, and kept off the screen while it is."""

import os

from pipeline.base import environment
from pipeline.base.environment import hushed_stderr


def test_nothing_is_hushed_where_the_disk_is_full(monkeypatch) -> None:
    """A full folder for temporary files fails the import of TensorFlow."""

    def refuse() -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(environment.tempfile, "TemporaryFile", refuse)
    with hushed_stderr():
        os.write(2, b"chatter")
