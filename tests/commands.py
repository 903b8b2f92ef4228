"""Commands in processes of their own that begin at once: forks of one that has imported what takes seconds.

What a fork cannot show, a test asks a fresh process for: what is imported, how long it takes and what it prints, and
what Python, TensorFlow and matplotlib read from the environment as they are imported.
"""

import atexit
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

SECONDS = 1200  # for what should take ten: only what hangs takes longer
ANSWER = struct.Struct("i")  # of the server: the process id, and at the end what waitpid says
READ_AT_START = ("PYTHON", "TF_CPP", "TF_ENABLE", "KERAS_", "OPENBLAS_", "OMP_", "MPL", "LC_", "LANG")
ADDRESS = f"\0lstm-pipeline-tests-{os.environ.get('PYTEST_XDIST_TESTRUNUID', uuid.uuid4().hex)}"  # of all workers
PIPES: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
_held: list[socket.socket | subprocess.Popen[bytes]] = []  # while this process lasts


@atexit.register
def _let_go() -> None:
    """Leave the server, which ends when nobody is left; one that others still use is not waited for."""
    for each in _held:
        if isinstance(each, socket.socket):
            each.close()
    for each in _held:
        if isinstance(each, subprocess.Popen):
            try:
                each.wait(5)
            except subprocess.TimeoutExpired:
                each.returncode = 0  # otherwise Python says that it still runs


class Forked(subprocess.Popen[str]):
    """`python -m WORDS`, forked by `tests/commandserver.py`: its pid, signals, pipes and exit code are its own.

    It is in a session of its own, as with start_new_session, and is killed when nobody holds this object any more.
    """

    def __init__(self, *words: str, env: dict[str, str] | None = None, **settings: Any) -> None:
        env = dict(os.environ if env is None else env)
        changed = {name for name, _ in os.environ.items() ^ env.items() if name.startswith(READ_AT_START)}
        if late := sorted(changed - {"PYTHONPATH"}):
            raise ValueError(f"{', '.join(late)} is read when a process starts: a fork is too late; start it fresh")
        super().__init__(words, env=env, text=True, **settings)

    def _execute_child(
        self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, cwd: Any, env: Any,
        startupinfo: Any, creationflags: Any, shell: Any, p2cread: int, p2cwrite: int, c2pread: int, c2pwrite: int,
        errread: int, errwrite: int, *others: Any,
    ) -> None:  # fmt: skip
        """Ask the server for what `subprocess.Popen` does here."""
        streams = [own if given == -1 else given for own, given in enumerate((p2cread, c2pwrite, errwrite))]
        order = json.dumps({"words": args, "folder": str(cwd or Path.cwd()), "environment": env})
        if not _held:  # a connection of the session's own: between commands the server waits
            _held.append(reach_server())
        self._server = reach_server()
        socket.send_fds(self._server, [b"."], streams)
        self._server.sendall(f"{order}\n".encode())
        self.pid = self._hear()
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)

    def _hear(self) -> int:
        answer = self._server.recv(ANSWER.size, socket.MSG_WAITALL)
        if len(answer) < ANSWER.size:
            raise RuntimeError("what commands are forked from has ended; see why with: python tests/commandserver.py x")
        return int(ANSWER.unpack(answer)[0])

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._server], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._server], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = os.waitstatus_to_exitcode(self._hear())
            self._server.close()
        return self.returncode


def start_command(*words: str, fresh: bool = False, **settings: Any) -> subprocess.Popen[str]:
    """Start `python -m WORDS`, as a fork or fresh; the settings are those of `subprocess.Popen`."""
    if fresh:
        return subprocess.Popen([sys.executable, "-m", *words], text=True, **settings)
    return Forked(*words, **settings)


def run_command(
    *words: str, fresh: bool = False, timeout: float = SECONDS, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """Wait for the end of `python -m WORDS`, and return what was printed."""
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    with start_command(*words, fresh=fresh, **pipes, **settings) as process:
        try:
            output, complaints = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(words, process.returncode, output, complaints)


def reach_server() -> socket.socket:
    """Connect to the server, which is started if it is not there and ends with its last connection."""
    script, server = Path(__file__).with_name("commandserver.py"), None
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(ADDRESS)
            return connection
        except ConnectionRefusedError:
            connection.close()
        if server is None:
            quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
            server = subprocess.Popen([sys.executable, script, ADDRESS[1:]], start_new_session=True, **quiet)
            _held.append(server)
        elif server.poll():
            raise RuntimeError(f"what commands are forked from has failed; see why with: python {script} x")
        time.sleep(0.01)


def wait_for_line(process: "subprocess.Popen[str]", words: str) -> None:
    """Read what a command says on stderr until a line has these words."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"the command ended without saying {words}")
