"""Import what commands import, once, and fork a process for each command that tests ask for (tests/commands.py).

python tests/commandserver.py NAME      listens at that name, until the last connection to it is closed

No operation of TensorFlow is computed here and no thread of ours is started, so that a fork begins like a process that
has just imported the same: what it opens, compiles, logs or registers for its end is its own.
"""

import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass

ANSWER = struct.Struct("i")
LOST_SECONDS = 600  # a server that nobody has reached by then ends
LATE = (  # what they and the libraries import when they need it
    "tensorflow", "keras", "mlflow.pyfunc", "mlflow.store.tracking.sqlalchemy_workspace_store", "alembic.command",
    "sqlalchemy.dialects.sqlite", "matplotlib.pyplot", "PIL.JpegImagePlugin", "git",
)  # fmt: skip


@dataclass(frozen=True)
class Order:
    """A command: the words after `python -m`, where it runs, and its stdin, stdout and stderr."""

    words: list[str]
    folder: str
    environment: dict[str, str]
    streams: list[int]


def main() -> None:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(f"\0{sys.argv[1]}")
    except OSError:  # another worker was faster
        return
    listener.listen(64)
    import_everything()
    order = serve(listener)
    if order is not None:
        run_command(order)


def import_everything() -> None:
    gc.disable()  # of what is imported, nothing is garbage
    import pipeline
    from pipeline.base.environment import prepare_environment

    prepare_environment()
    for name in LATE:
        importlib.import_module(name)
    for found in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if found.ispkg or found.name.count(".") > 1:  # others are commands, which a fork runs
            importlib.import_module(found.name)
    gc.freeze()
    gc.enable()


def serve(listener: socket.socket) -> Order | None:
    """Fork for every order: in the fork it is returned, and in the server None, when nobody is connected any more."""
    woken, waking = socket.socketpair()
    waking.setblocking(False)
    signal.set_wakeup_fd(waking.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    listener.settimeout(LOST_SECONDS)
    children = {listener.accept()[0]: 0}  # of each connection, 0 where none runs
    while children:
        for ready in select.select([listener, woken, *children], [], [])[0]:
            if ready is listener:
                children[listener.accept()[0]] = 0
            elif ready is woken:
                woken.recv(4096)
            elif order := receive(ready):
                children[ready] = os.fork()
                if children[ready] == 0:
                    signal.set_wakeup_fd(-1)
                    for each in (listener, woken, waking, *children):
                        each.close()
                    return order
                for stream in order.streams:
                    os.close(stream)
                answer(ready, children[ready])
            else:
                end(children.pop(ready))
                ready.close()
        for connection, child in children.items():
            if child and (waited := os.waitpid(child, os.WNOHANG))[0]:
                children[connection] = 0
                answer(connection, waited[1])
    return None


def receive(connection: socket.socket) -> Order | None:
    """Read an order; None where the connection was closed."""
    try:
        begun, streams, *_ = socket.recv_fds(connection, 1, 3)
        with connection.makefile() as lines:
            return Order(**json.loads(lines.readline()), streams=streams) if begun else None
    except OSError:
        return None


def answer(connection: socket.socket, number: int) -> None:
    with suppress(OSError):  # nobody waits for it any more
        connection.sendall(ANSWER.pack(number))


def end(child: int) -> None:
    """Kill what nobody waits for any more, with all that it has started."""
    if child:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.kill(child, signal.SIGKILL)  # where it has not come to its setsid
        os.waitpid(child, 0)


def run_command(order: Order) -> None:
    """Be the process that `python -m WORDS` would have started."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(order.streams):
        os.dup2(stream, number)
        os.close(stream)
    open_streams()
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    time.tzset()
    tempfile.tempdir = None  # it is TMPDIR when it is asked for
    sys.path[0] = order.folder
    sys.argv = list(order.words)
    runpy.run_module(order.words[0], run_name="__main__", alter_sys=True)


def open_streams() -> None:
    """Make sys.stdin, sys.stdout and sys.stderr anew, as Python does when it starts."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        binary = open(number, "rb" if number == 0 else "wb", closefd=False)  # noqa: SIM115
        made = io.TextIOWrapper(binary, old.encoding, old.errors, line_buffering=number == 2)
        setattr(sys, name, made)
        setattr(sys, f"__{name}__", made)


if __name__ == "__main__":
    main()
