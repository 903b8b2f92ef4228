"""Environment variables that must be set before TensorFlow or MLflow are imported."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def prepare_environment() -> None:
    """Choose Keras' TensorFlow backend, and silence start-up chatter and telemetry unless the user set them."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Without oneDNN the order of additions is fixed, so the numbers repeat; for networks this small it is not slower.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")


@contextmanager
def hushed_stderr() -> Iterator[None]:
    """Keep what C++ libraries write to stderr off the screen while the block lasts; show it if the block raises."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            caught.seek(0)
            os.write(2, caught.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
