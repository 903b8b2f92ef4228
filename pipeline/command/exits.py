"""How a command ends: every error has one exit code and one line on stderr, whichever door it came through."""

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from pipeline.base.disk import explain_disk
from pipeline.base.errors import PipelineError, UserError
from pipeline.base.interrupt import ignore_interrupts, interrupt_signal

DONE, FAILED, USER_ERROR = 0, 1, 2
DRIFTED = 3  # exit_on=drift: the forecasts of a lane have become worse
REPEAT = "repeat the command with resume=true to train only what is missing"  # after an interrupt, or a full disk
_SIGNALLED = 128  # and the number of the signal, as a shell has it
_FULL_ERROR = "HYDRA_FULL_ERROR"


def exit_code(error: BaseException) -> int | None:
    """Return the exit code of what ended a command; None for a bug, which keeps its traceback.

    Returns:
        0 where a pipe was closed by its reader (`... | head`), 1 failed (a run, a folder, a disk), 2 wrong input, 130
        Ctrl-C, 143 SIGTERM, 129 SIGHUP.

    Example:
        >>> exit_code(UserError("no such key")), exit_code(OSError("no such folder")), exit_code(ValueError("a bug"))
        (2, 1, None)
    """
    if isinstance(error, KeyboardInterrupt):
        return _SIGNALLED + interrupt_signal()
    if isinstance(error, BrokenPipeError):
        return DONE
    if isinstance(error, UserError):
        return USER_ERROR
    if isinstance(error, OSError | PipelineError) or (explain_disk(error) or _explain_store(error)) is not None:
        return FAILED
    return None


def run_to_exit(act: Callable[[], int], remedy: str = "") -> int:
    """Act, and tell every error on purpose in one place; with HYDRA_FULL_ERROR=1 its traceback as well.

    Args:
        act: Does the work and returns the exit code.
        remedy: What to do after an interrupt, or when a disk is full.

    Returns:
        What `act` returned, or the code of what ended it.
    """
    show_traceback = os.environ.get(_FULL_ERROR) == "1"  # before acting: the doors of Hydra set it for themselves
    try:
        code = act()
        sys.stdout.flush()  # a closed pipe, or a full disk, is told here, not while Python ends
        return code
    except (Exception, KeyboardInterrupt) as error:
        ended = exit_code(error)
        if ended is None:
            raise
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ended
        if show_traceback and not isinstance(error, KeyboardInterrupt):
            traceback.print_exc()
        with suppress(OSError):  # the terminal may be gone
            print(_tell(error, f"; {remedy}" if remedy else ""), file=sys.stderr)
        return ended


def leave(code: int) -> NoReturn:
    """End this process; after an interrupt at once: a thread may still compute, Python would end under it and crash.

    Args:
        code: Of the command.
    """
    if code > _SIGNALLED:
        with suppress(OSError):  # the terminal may be gone
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    atexit.register(ignore_interrupts)  # when Python really ends: a test that catches this end goes on
    gc.freeze()  # else Python would look through all modules for garbage before it ends, 1 s
    sys.exit(code)


def _tell(error: BaseException, remedy: str) -> str:
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted{remedy}"
    known = isinstance(error, OSError | PipelineError)  # says itself what happened
    reason = None if isinstance(error, UserError) else explain_disk(error) or (None if known else _explain_store(error))
    return f"error: {error if reason is None else f'{reason}{remedy}'}"


def _explain_store(error: BaseException) -> str | None:
    """Say that the MLflow store did not answer for minutes; None if the error is about something else."""
    if "pipeline.tracking.outage" not in sys.modules:  # nobody asked a store, and to import this takes seconds
        return None
    from pipeline.tracking.outage import explain_outage

    return explain_outage(error)
