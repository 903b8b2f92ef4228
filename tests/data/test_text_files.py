"""A text reaches the network as its files hold it, or is refused with the key that helps."""

import gzip
import hashlib
import lzma
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import DatasetConfig, Source, Token
from pipeline.data.text_files import TextSource, read_text

LONG = "Ἄνδρα μοι ἔννεπε, Μοῦσα, πολύτροπον, ὃς μάλα πολλὰ\n" * 4
SHAKESPEARE = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


def read(path: Path | str, **settings: Any) -> TextSource:
    return read_text(DatasetConfig(name="text", source=Source.text, path=str(path), **settings))


def test_the_packaged_text_is_the_one_that_everybody_scores() -> None:
    """Breaks every comparison with published losses on tiny shakespeare: the text would be another one."""
    source = read("packaged:tinyshakespeare.txt.xz", token=Token.byte)
    assert isinstance(source.text, bytes)
    assert (len(source.text), hashlib.sha256(source.text).hexdigest()) == (1_115_394, SHAKESPEARE)


def test_any_alphabet_packed_or_not(tmp_path: Path) -> None:
    """Breaks texts that are not English, have a byte-order mark, another encoding, or are compressed."""
    (tmp_path / "plain[1].txt").write_bytes(LONG.encode())
    (tmp_path / "marked.txt").write_bytes(LONG.encode("utf-8-sig"))
    (tmp_path / "wide.txt").write_bytes(LONG.encode("utf-16"))
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(LONG.encode()))
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress(LONG.encode()))
    for path in tmp_path.iterdir():
        assert read(path).text == LONG, path
    (tmp_path / "windows.txt").write_bytes("déjà vu\r\n".encode("cp1252") * 20)
    assert read(tmp_path / "windows.txt", encoding="cp1252").text == "déjà vu\r\n" * 20
    assert read(tmp_path / "plain[1].txt", token=Token.byte).text == LONG.encode()


def test_files_of_a_pattern_are_one_text(tmp_path: Path) -> None:
    """Breaks `books/*.txt`: an order that changes from disk to disk, words grown together at the seams, or no word."""
    (tmp_path / "b.txt").write_text("second\n" + LONG)
    (tmp_path / "a.txt").write_text(LONG + "first")
    (tmp_path / "c.md").write_text(LONG)
    source = read(tmp_path / "*.txt")
    assert source.text == LONG + "first\nsecond\n" + LONG
    told = "2 files are read as one text, by their names: a.txt, b.txt; a line break was added at the end of 1 of them"
    assert source.notes == (told,)


@pytest.mark.parametrize(
    ("content", "settings", "told"),
    [
        (b"", {}, "text.txt is empty"),
        (b"x" * 99, {}, "fewer than 100 tokens (dataset.token=char)"),
        (b"many words " * 49, {"token": Token.word}, "fewer than 100 tokens (dataset.token=word)"),
        (b"a" * 300 + b"\xe9t\xe9", {}, "is not utf-8 text: byte 300 (0xe9) cannot be read; set the encoding"),
        (
            b"a\xe9" * 300,
            {"encoding": "ascii"},
            "byte 1 (0xe9) cannot be read; it has another encoding than dataset.encoding=ascii",
        ),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes, settings: dict[str, Any], told: str) -> None:
    """Breaks the way out for a file that is no text, or too short: a traceback, or a network trained on nothing."""
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(UserError, match=re.escape(told)):
        read(tmp_path / "text.txt", **settings)


def test_what_is_not_there_or_damaged_is_named(tmp_path: Path) -> None:
    """Breaks a mistyped path, or a download that stopped half-way: a traceback."""
    with pytest.raises(UserError, match=r"dataset.path=no/\*.txt matches no file that can be read from"):
        read("no/*.txt")
    for name, packed in {"a.gz": gzip.compress(LONG.encode()), "a.xz": lzma.compress(LONG.encode())}.items():
        (tmp_path / name).write_bytes(packed[:-9])
        with pytest.raises(UserError, match=f"{name} cannot be read: .*; check the file"):
            read(tmp_path / name)
