"""Bytes that arrive become lines, in any encoding and in any pieces; what is no text is told, and costs one line."""

import codecs
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.serving.lines import _LONGEST_LINE, LineCutter
from pipeline.serving.rows import RowError

TEXT = ["Tag,Größe", "2024-01-01,1", "", "Köln,2"]
# How the run names it, how the sender writes it, and the mark in front.
WRITTEN = [
    (None, "utf-8", b""),
    (None, "utf-8", codecs.BOM_UTF8),
    (None, "utf-16-le", codecs.BOM_UTF16_LE),
    (None, "utf-16-be", codecs.BOM_UTF16_BE),
    ("UTF8", "utf-8", b""),
    ("utf-8-sig", "utf-8", codecs.BOM_UTF8),
    ("utf-16", "utf-16-be", codecs.BOM_UTF16_BE),
    ("utf-16", "utf-16-le", b""),
    ("utf-16-be", "utf-16-be", b""),
    ("utf-32", "utf-32-be", codecs.BOM_UTF32_BE),
    ("U32", "utf-32-le", codecs.BOM_UTF32_LE),
    ("latin-1", "latin-1", b""),
    ("cp1252", "cp1252", b""),
    ("cp500", "cp500", b""),  # another byte ends its lines
    ("gb18030", "gb18030", b""),
    ("utf-7", "utf-7", b""),
]


def cut(encoding: str | None, data: bytes, places: list[int]) -> list[str | RowError]:
    cutter = LineCutter(encoding)
    pieces = [data[start:end] for start, end in pairwise([0, *sorted(places), len(data)])]
    return [line for piece in pieces for line in cutter.cut(piece)] + cutter.cut(b"", end=True)


@given(st.sampled_from(WRITTEN), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.data())
def test_lines_are_those_that_were_written(
    how: tuple[str | None, str, bytes], newline: str, ended: bool, data: st.DataObject
) -> None:
    """The file that `run` read cannot be piped into `stream`, or a letter that arrives in halves is lost."""
    asked, written, mark = how
    content = mark + (newline.join(TEXT) + newline * ended).encode(written)
    places = data.draw(st.lists(st.integers(0, len(content))))
    lines = cut(asked, content, places)
    assert [str(line).removeprefix("\ufeff") for line in lines] == TEXT


@pytest.mark.parametrize(
    ("encoding", "data", "complaint"),
    [
        (None, b"day,a\nK\xf6ln,1\nx,2\n", r"cannot be read as utf-8 \(byte 0xf6 at position 2\)"),
        ("cp1252", b"day,a\n\x81,1\nx,2\n", r"cannot be read as cp1252 \(byte 0x81 at position 1\)"),
        ("shift_jis", b"day,a\n\x83\nx,2\n", r"cannot be read as shift_jis \(byte 0x83 at position 1\)"),
        ("iso2022_jp", b"day,a\n\x1b$\nx,2\n", "cannot be read as iso2022_jp"),
        ("idna", b"day,a\n\xf6\nx,2\n", "cannot be read as idna"),
        ("utf-7", b"day,a\n+2AA-\nx,2\n", "cannot be read as utf-7"),  # half a character
        ("utf-16", "day,a\n\ud800,1\nx,2\n".encode("utf-16", "surrogatepass"), "cannot be read as utf-16"),
        ("utf-32", "day,a\n?\nx,2\n".encode("utf-32-le").replace(b"?\0\0", b"\0\0\x11"), "cannot be read as utf-32"),
    ],
)
def test_a_line_that_is_no_text_costs_only_itself(encoding: str | None, data: bytes, complaint: str) -> None:
    """One bad byte ends the stream, swallows the rows after it, or becomes the name of a lane that nobody has."""
    first, bad, last = cut(encoding, data, [])
    assert [str(first).removeprefix("\ufeff"), last] == ["day,a", "x,2"]
    assert isinstance(bad, RowError)
    with pytest.raises(RowError, match=complaint):
        raise bad


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32-be"])
def test_a_line_without_an_end_is_cut_between_characters(encoding: str) -> None:
    """After a line that is too long the memory is full, or no later line is found."""
    long, after = ("9" * (_LONGEST_LINE + 1) + "\n").encode(encoding), "x,2\n".encode(encoding)
    cutter, data, lines = LineCutter(encoding), long + after, []
    for start in range(0, len(data), 65_533):  # in the middle of characters
        lines += cutter.cut(data[start : start + 65_533])
        assert len(cutter._rest) <= _LONGEST_LINE + 4
    assert len(lines) == 2 and lines[1] == "x,2"
