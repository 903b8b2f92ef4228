"""Environment variables that must be set before TensorFlow or MLflow are imported."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipeline.base.programs import keep_programs


def prepare_environment() -> None:
    """Choose Keras' TensorFlow backend, and silence start-up chatter and telemetry unless the user set them."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # Errors that matter come as exceptions; at level 2 XLA calls every file of its cache an error before it reads it.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Without oneDNN the order of additions is fixed, so the numbers repeat; for networks this small it is not slower.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    # XLA's older emitters make the same numbers and compile in two thirds of the time (docs/explanation/engines.md).
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # it may hold a password
    # Of a server that keeps its files in S3 MLflow's client would fetch them past it: S3 is there for the server alone.
    os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
    os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "false")
    keep_programs()


@contextmanager
def quick_imports() -> Iterator[None]:
    """While the block imports, Python looks for no garbage: modules stay, and to look takes a fifth of the time.

    What is there at its end is never looked through again; so once in a process, not for each job.
    """
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if looked:
            gc.enable()


def _open_scratch() -> IO[bytes]:
    """Open a file that nobody sees; where the disk is full, one that keeps nothing."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return Path(os.devnull).open("r+b")


@contextmanager
def hushed_stderr() -> Iterator[None]:
    """Keep what C++ libraries write to stderr off the screen while the block lasts; show it if the block raises."""
    sys.stderr.flush()
    saved = os.dup(2)
    with _open_scratch() as caught:
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
