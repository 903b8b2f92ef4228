"""A disk that is full or broken is told as what it is, whichever library met it."""

import errno

import pytest
from mlflow.exceptions import MlflowException

from pipeline.base.disk import explain_disk


def from_within(cause: Exception) -> Exception:
    """Return an error that another one led to."""
    try:
        raise RuntimeError("the run could not be logged") from cause
    except RuntimeError as error:
        return error


SQLITE = "(sqlite3.OperationalError) database or disk is full\n[SQL: INSERT INTO runs]"
XLA = "/cache/xla_compile_cache__1.pb.tmp; No space left on device [Op:__inference_train]"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "weights.npz"), "weights.npz"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "quota"),
        (OSError(errno.EFBIG, "File too large"), "too large"),
        (OSError(errno.EIO, "Input/output error"), "Input/output"),
        (OSError("4096 requested and 0 written"), "4096 requested"),
        (MlflowException(SQLITE), "database or disk is full"),
        (RuntimeError(XLA), "xla_compile_cache"),
        (from_within(OSError(errno.ENOSPC, "No space left on device")), "No space"),
        (from_within(from_within(MlflowException(SQLITE))), "database or disk is full"),
    ],
)
def test_a_full_disk_is_one_line(error: Exception, told: str) -> None:
    """A full disk looks like a bug of this program: pages of a traceback."""
    line = explain_disk(error)
    assert line is not None and told in line
    assert line.startswith("the disk is full or cannot be written to: ")
    assert "\n" not in line and len(line) < 320


@pytest.mark.parametrize(
    "error", [ValueError("shapes differ"), FileNotFoundError(2, "No such file"), MlflowException("")]
)
def test_another_error_is_not_called_a_full_disk(error: Exception) -> None:
    """A bug is told as a full disk, and nobody looks for it."""
    assert explain_disk(error) is None
    assert explain_disk(from_within(error)) is None


def test_errors_that_led_to_each_other_end() -> None:
    """Two errors that name each other as their cause are followed for ever."""
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert explain_disk(first) is None
