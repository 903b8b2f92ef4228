"""Read a text: the packaged one, or the user's own files, plain or packed, in any encoding that is named."""

import glob
import gzip
import lzma
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.errors import UserError
from pipeline.base.paths import data_dir
from pipeline.base.text import show_names, show_setting
from pipeline.config.schema import DatasetConfig, Token
from pipeline.data.files import find_encoding
from pipeline.data.tokens import reaches

PACKAGED = "packaged:"  # dataset.path of a file in data/
FEWEST = 100  # tokens
_LARGEST = 4 << 30  # bytes of an unpacked file; a small archive can hold more than any memory
_OPENERS: dict[str, Callable[[Path], gzip.GzipFile | lzma.LZMAFile]] = {".gz": gzip.GzipFile, ".xz": lzma.LZMAFile}
_MARK = "\ufeff"


@dataclass(frozen=True)
class TextSource:
    """What the files hold.

    Attributes:
        text: Characters; bytes of UTF-8 if the token is a byte.
        origin: The file, or the pattern, for error texts.
        notes: What a person should know of the reading.
    """

    text: str | bytes
    origin: str
    notes: tuple[str, ...] = ()


def read_text(dataset: DatasetConfig) -> TextSource:
    """Read the text that a configuration names; nothing in it is executed, and no character of it is changed.

    Args:
        dataset: The `dataset` node: `path` is a file, a pattern such as `books/*.txt`, or `packaged:` and a file in
            data/; `encoding` and `token` say how it is read.

    Raises:
        UserError: If there is no such file, it is empty, not in that encoding, or has too few tokens; the text names
            the key that would help.
    """
    files, origin = _find_files(dataset.path)
    texts = [read_file(path, dataset.encoding, _remedy(dataset)) for path in files]
    notes = _tell_joined(files, texts) if len(files) > 1 else ()
    text = "".join(_end_line(each) for each in texts[:-1]) + texts[-1]
    found: str | bytes = text.encode() if dataset.token is Token.byte else text
    if not reaches(found, dataset.token, FEWEST):
        raise UserError(
            f"{origin} holds fewer than {FEWEST} tokens (dataset.token={dataset.token.value}); give a longer text"
        )
    return TextSource(found, origin, notes)


def _find_files(path: str | None) -> tuple[list[Path], str]:
    """Return the files in the order of their names, and what they are called together."""
    if path is None:
        raise UserError("dataset.path is required with dataset=text, e.g. dataset.path=book.txt or 'books/*.txt'")
    if path.startswith(PACKAGED):
        return [data_dir() / path.removeprefix(PACKAGED)], path.removeprefix(PACKAGED)
    whole = Path(path).expanduser()
    if whole.is_file():  # also where its name looks like a pattern
        return [whole], str(whole)
    found = glob.glob(str(whole), recursive=True)  # noqa: PTH207 - that of Path takes no absolute pattern
    files = sorted(Path(each) for each in found if Path(each).is_file())
    if not files:
        raise UserError(f"dataset.path={path} matches no file that can be read from {Path.cwd()}; check the path")
    return files, str(whole)


def read_file(path: Path, asked: str | None, remedy: str) -> str:
    """Read one file, plain or packed.

    Args:
        path: The file.
        asked: Its encoding, as `dataset.encoding` names it.
        remedy: What to do if it has another one.

    Raises:
        UserError: If it cannot be read, is empty, or not in that encoding.
    """
    content = _unpack(path)
    if not content:
        raise UserError(f"{path} is empty; give a text, or leave the file out of dataset.path")
    encoding = find_encoding(content, asked)
    try:
        return content.decode(encoding).removeprefix(_MARK)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not {encoding} text: byte {error.start} (0x{content[error.start]:02x}) cannot be read; {remedy}"
        ) from error


def _remedy(dataset: DatasetConfig) -> str:
    if dataset.encoding is not None:
        return f"it has another encoding than dataset.encoding={dataset.encoding}"
    return f"set the encoding that it has, for example {show_setting('dataset.encoding', 'latin-1')}"


def _unpack(path: Path) -> bytes:
    opener = _OPENERS.get(path.suffix.lower())
    try:
        if opener is None:
            return path.read_bytes()
        with opener(path) as packed:
            content = packed.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UserError(f"{path} cannot be read: {error}; check the file") from error
    if len(content) > _LARGEST:
        raise UserError(f"{path} unpacks to more than {_LARGEST >> 30} GiB; cut it into smaller files")
    return content


def _end_line(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _tell_joined(files: Sequence[Path], texts: Sequence[str]) -> tuple[str, ...]:
    added = sum(not text.endswith("\n") for text in texts[:-1])
    ends = f"; a line break was added at the end of {added} of them" if added else ""
    return (f"{len(files)} files are read as one text, by their names: {show_names([f.name for f in files])}{ends}",)
