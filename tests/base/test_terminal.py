"""What a terminal, a pipe or a locale can do to a command: nothing."""

import os
import subprocess
import sys

import pytest

SAY = "import sys; from pipeline.base.terminal import prepare_terminal; prepare_terminal(unread={unread}); {act}"


def say(act: str, redirection: str = "", unread: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python as a command does, in a shell of its own; the exit code is Python's."""
    code = SAY.format(unread=unread, act=act)
    return subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" °C {redirection}', sys.executable, code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


ODD = "± ┏━┓│ … é \N{SLIGHTLY SMILING FACE} " + chr(0xDC80)
NAMES = f"print({ODD!a}, sys.argv[1]); print(sys.argv[1], file=sys.stderr)"
IN_ASCII = "+- +-+| ... \\xe9 \\U0001f642 \\udc80 degC\n"


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
@pytest.mark.parametrize("unread", [True, False])
def test_a_terminal_without_letters_fails_nothing(environment: dict[str, str], unread: bool) -> None:
    """A finished training would end with UnicodeEncodeError and without its table."""
    shown = say(NAMES, unread=unread, **environment)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, IN_ASCII, "degC\n")


def test_a_terminal_with_letters_shows_them() -> None:
    """Names would be shown as escapes where they need not be."""
    shown = say(NAMES, PYTHONIOENCODING="utf-8")
    assert (shown.returncode, shown.stdout) == (0, "± ┏━┓│ … é \U0001f642 \\udc80 °C\n")


MANY = "[(print('x' * 99), print('y' * 99, file=sys.stderr)) for _ in range(5000)]; sys.exit(7)"


@pytest.mark.parametrize(
    "redirection",
    ["| head -1; exit ${{PIPESTATUS[0]}}", "2>&1 | head -1; exit ${{PIPESTATUS[0]}}", ">&-", "2>&-", ">&- 2>&- <&-"],
)
def test_a_command_that_nobody_reads_goes_on(redirection: str) -> None:
    """A training would be lost, or reported as failed, because its progress went to `head`."""
    assert say(MANY, redirection.format()).returncode == 7


def test_an_answer_that_nobody_reads_ends() -> None:
    """A command whose only purpose is its answer would work on for hours for nobody."""
    act = """import os
try:
    [print('x' * 99, flush=True) for _ in range(5000)]
except BrokenPipeError:
    os._exit(3)"""
    shown = say(act, "| head -1; exit ${PIPESTATUS[0]}", unread=False)
    assert (shown.returncode, shown.stderr) == (3, "")


def test_a_closed_stream_is_not_mistaken_for_a_file() -> None:
    """What is meant for the screen would be written into the next file that is opened, for example the database."""
    act = "file = open('/dev/null'); print(file.fileno() > 2, file=sys.stderr)"
    assert say(act, ">&- <&-").stderr == "True\n"
