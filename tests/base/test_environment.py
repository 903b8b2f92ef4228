"""What is prepared before TensorFlow is imported, and kept off the screen while it is."""

import gc
import os

import pytest

from pipeline.base import environment
from pipeline.base.environment import hushed_stderr, quick_imports


def test_nothing_is_hushed_where_the_disk_is_full(monkeypatch) -> None:
    """A full folder for temporary files fails the import of TensorFlow."""

    def refuse() -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(environment.tempfile, "TemporaryFile", refuse)
    with hushed_stderr():
        os.write(2, b"chatter")


def test_garbage_is_looked_for_after_the_imports() -> None:
    """A command whose imports fail, in a notebook, leaves a process that grows until it is killed."""
    with pytest.raises(ImportError, match="mlflow"), quick_imports():
        assert not gc.isenabled()
        raise ImportError("mlflow")
    gc.unfreeze()  # what other tests count
    assert gc.isenabled()
