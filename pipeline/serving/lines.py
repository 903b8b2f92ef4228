"""Bytes that arrive become lines of text, in the encoding of the run's file; a line that is none spoils no other."""

import codecs

from pipeline.data.files import find_encoding
from pipeline.serving.rows import RowError

_LONGEST_LINE = 1 << 20  # bytes; a longer one is none of a CSV
_LONGEST_MARK = 4  # bytes of a byte-order mark


class LineCutter:
    """Cuts bytes into lines. Each line is decoded by itself, so that a bad byte costs only its own line.

    Args:
        encoding: dataset.encoding of the run; None: UTF-8, or UTF-16 with a byte-order mark, as a file is read.
    """

    def __init__(self, encoding: str | None) -> None:
        self._asked = encoding
        self._encoding = ""  # known when the first bytes came
        self._newline = b""
        self._rest = b""

    def cut(self, some: bytes, end: bool = False) -> list[str | RowError]:
        """Return the lines that are complete now, without their ends; in place of one that is no text why it is none.

        Of a line that is too long only the beginning is kept.

        Args:
            some: The next bytes.
            end: Whether they are the last: then a line needs no end.
        """
        data = self._rest + some
        if not self._encoding:
            if len(data) < _LONGEST_MARK and not end:
                self._rest = data
                return []
            self._encoding = _name_exactly(find_encoding(data, self._asked), data)
            self._newline = _encode_newline(self._encoding)
        *whole, rest = self._split(data)
        if end and rest:
            whole.append(rest)
        # What is left out is whole characters: else the ends of later lines would not be found.
        self._rest = rest[: _LONGEST_LINE + len(rest) % len(self._newline)]
        return [self._decode(line) for line in whole]

    def _split(self, data: bytes) -> list[bytes]:
        width = len(self._newline)
        if width == 1:
            return data.split(self._newline)
        pieces, start, found = [], 0, data.find(self._newline)
        while found >= 0:
            if found % width == 0:  # else it is the halves of two characters
                pieces.append(data[start:found])
                start = found + width
            found = data.find(self._newline, found + 1)
        return [*pieces, data[start:]]

    def _decode(self, line: bytes) -> str | RowError:
        try:
            text = line.decode(self._encoding)
            if self._encoding != "utf-8":
                text.encode()  # some encodings can write half characters, which no answer can hold
        except UnicodeError as error:
            where = ""
            if isinstance(error, UnicodeDecodeError) and error.start < len(line):
                where = f" (byte 0x{line[error.start]:02x} at position {error.start + 1})"
            return RowError(f"cannot be read as {self._asked or self._encoding}{where}")
        return text.rstrip("\r")


def _name_exactly(encoding: str, start: bytes) -> str:
    """Return the encoding's own name; of those with a byte-order mark, with the order of the bytes."""
    name = codecs.lookup(encoding).name
    if name == "utf-16":
        return "utf-16-be" if start.startswith(codecs.BOM_UTF16_BE) else "utf-16-le"
    if name == "utf-32":
        return "utf-32-be" if start.startswith(codecs.BOM_UTF32_BE) else "utf-32-le"
    return name


def _encode_newline(encoding: str) -> bytes:
    newline = "\n".encode(encoding)
    return newline if encoding.startswith(("utf-16", "utf-32")) else newline[-1:]  # without a mark in front
