"""The streams that a person sees: no encoding, closed pipe or closed stream of theirs can fail a command."""

import codecs
import io
import os
import sys

_ERRORS = "lstm_pipeline_plain_letters"
_PLAIN = {
    "±": "+-", "…": "...", "−": "-", "–": "-", "—": "-", "×": "x", "·": ".", "•": "*", "°": "deg", "→": "->",
    "←": "<-", "↓": "v", "↑": "^", "▶": ">", "▼": "v", "\xa0": " ", "“": '"', "”": '"', "‘": "'", "’": "'",
}  # fmt: skip


def prepare_terminal(unread: bool = False) -> None:
    """Make stdout, stderr and the command line safe; called first by every command.

    What the terminal cannot show is written in plain letters, or as an escape. Where a stream is closed, nothing is
    written to it. Nobody has to read stderr: what is said there is lost then, and the command goes on.

    Args:
        unread: Whether nobody has to read stdout either, as with `python -m pipeline.run | head`: what was trained is
            in MLflow. Otherwise a closed pipe raises BrokenPipeError.
    """
    codecs.register_error(_ERRORS, _in_plain_letters)
    _open_closed_streams()
    sys.argv[1:] = [_as_text(word) for word in sys.argv[1:]]
    if sys.stdout is sys.__stdout__:  # not what a test, or a caller, has put there
        sys.stdout = _wrap(sys.stdout, (BrokenPipeError,) if unread else ())
    if sys.stderr is sys.__stderr__:
        sys.stderr = _wrap(sys.stderr, (OSError,))


def say(text: str) -> None:
    """Say on stderr, to the person who waits, what does not belong to the answer."""
    print(text, file=sys.stderr, flush=True)


class _Unread(io.TextIOWrapper):
    """A stream that goes on into nothing when nobody reads it any more."""

    forgiven: tuple[type[OSError], ...] = ()

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except self.forgiven:
            self._let_go()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except self.forgiven:
            self._let_go()

    def _let_go(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def _wrap(stream: io.TextIOWrapper | None, forgiven: tuple[type[OSError], ...]) -> io.TextIOWrapper | None:
    if stream is None:
        return None
    if not forgiven:
        stream.reconfigure(errors=_ERRORS)
        return stream
    stream.flush()
    wrapped = _Unread(stream.buffer, stream.encoding, _ERRORS, line_buffering=stream.line_buffering)
    wrapped.forgiven = forgiven
    return wrapped


def _open_closed_streams() -> None:
    """Put nothing where a stream is closed: else the next file that is opened would get its number, and its text."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def _as_text(word: str) -> str:
    """Read a word as UTF-8 that Python, in a locale without letters beyond ASCII, has kept as bytes."""
    try:
        return os.fsencode(word).decode()
    except UnicodeError:
        return word  # the gates name the key


def _in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(character: str) -> str:
    if "\u2500" <= character <= "\u257f":  # lines of boxes
        return "-" if character in "─━═┄┅┈┉╌╍╴╶╸╺" else "|" if character in "│┃║┆┇┊┋╎╏" else "+"
    return _PLAIN.get(character) or character.encode("ascii", "backslashreplace").decode()
