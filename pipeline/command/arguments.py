"""Command lines of `key=value` words, described by one frozen dataclass: its fields are the keys.

Example:
    >>> @dataclass(frozen=True)
    ... class Arguments:
    ...     by: tuple[str, ...] = option((), "keys to group by")
    ...     uri: str | None = option(None, "where runs are recorded", name="tracking.uri")
    >>> parse_arguments(Arguments, ["by=[look_back,stateful]", "tracking.uri=http://127.0.0.1:5000"])
    Arguments(by=('look_back', 'stateful'), uri='http://127.0.0.1:5000')
"""

import sys
import textwrap
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from pipeline.base.errors import UserError
from pipeline.base.paths import replace_file
from pipeline.base.terminal import prepare_terminal, say
from pipeline.base.text import QUOTED, suggest, unquote
from pipeline.command.exits import DONE, run_to_exit

_WIDTH = 110
_BOOLEANS = {"true": True, "false": False}
_KINDS = {str: "text", int: "an integer", float: "a number", bool: "true or false", Path: "a path"}
Record = TypeVar("Record")


@dataclass(frozen=True)
class Manual:
    """What --help says besides the keys.

    Attributes:
        command: What people type, for example `python -m pipeline.compare`.
        purpose: What it is for, in a sentence or two.
        examples: Arguments, and what they do.
        notes: What else a newcomer must know, one paragraph each.
    """

    command: str
    purpose: str
    examples: Sequence[tuple[str, str]]
    notes: Sequence[str] = ()


def option(default: Any, help: str, name: str | None = None, shown: str | None = None) -> Any:
    """Describe one key; its type is the type of the field: str, int, float, bool, Path, an Enum, a tuple, or None too.

    Args:
        default: The value of a key that is not given; `MISSING` (of dataclasses) makes the key required. Fields with
            and without a default may mix in a dataclass that is `kw_only=True`.
        help: One or two sentences, with the unit.
        name: The key, where it differs from the field (`tracking.uri`).
        shown: How --help shows the value, where the type does not tell enough (`latest|RUN_ID`).
    """
    return field(default=default, metadata={"help": help, "name": name, "shown": shown})


def store_option() -> Any:
    """Describe the key `tracking.uri`, which every command that reads runs has."""
    help = "The MLflow store; MLFLOW_TRACKING_URI wins. Default: mlflow.db in the clone, else in the working directory."
    return option(None, help, name="tracking.uri", shown="URI")


def run_entry(words: Sequence[str], record: type[Record], manual: Manual, act: Callable[[Record], int]) -> int:
    """Parse, act, and return the exit code.

    Args:
        words: The command line, without the program.
        record: The dataclass of the keys.
        manual: For --help.
        act: Does the work and returns the exit code.

    Returns:
        What `exit_code` says: 0 done, 1 failed, 2 wrong input (one line on stderr says what to change), ...
    """
    prepare_terminal()

    def answer() -> int:
        if any(word in ("--help", "-h") for word in words):
            print(describe_arguments(record, manual))
            return DONE
        return act(parse_arguments(record, words))

    return run_to_exit(answer)


class AnswerFormat(Enum):
    """How an answer is written."""

    table = "table"
    csv = "csv"
    json = "json"


def write_answer(text: str, path: Path | None) -> None:
    """Print the answer of a command, or write it into a file and say so on stderr."""
    if path is None:
        sys.stdout.write(text)
        return
    with replace_file(path) as file:
        file.write(text.encode())
    say(f"written to {path}")


def parse_arguments(record: type[Record], words: Sequence[str]) -> Record:
    """Turn `key=value` words into the record.

    Lists are written [a,b] or a,b. Quotes are those of Hydra's grammar, as `run` takes them: they are left out, and
    what they hold is one text (`["a,b",c]` has two items); a backslash counts only before a quote. `null` stands for
    None, `'null'` for the text.

    Raises:
        UserError: If a word is no key=value, a key is unknown, given twice or missing, or a value has the wrong type.
    """
    described = {_key(each): each for each in _fields(record)}
    kinds = typing.get_type_hints(record)
    values: dict[str, Any] = {}
    for word in words:
        key, value = _split(word, list(described))
        target = described[key].name
        if target in values:
            raise UserError(f"{key} is given twice; give it once")
        values[target] = _convert(key, value, kinds[target])
    for key, each in described.items():
        if each.default is MISSING and each.name not in values:
            raise UserError(f"{key} is required: {each.metadata['help']}")
    return record(**values)


def describe_arguments(record: type[Any], manual: Manual) -> str:
    """Return the text of --help."""
    lines = [f"usage: {manual.command} [key=value ...]", "", *textwrap.wrap(manual.purpose, _WIDTH), "", "Examples"]
    for arguments, meaning in manual.examples:
        lines += [f"  {manual.command} {arguments}".rstrip(), f"      {meaning}"]
    lines += ["", "Keys"]
    kinds = typing.get_type_hints(record)
    for each in _fields(record):
        lines.append(f"  {_key(each)}={each.metadata['shown'] or _show_kind(kinds[each.name])}")
        told = f"{each.metadata['help']} {_show_default(each)}".strip()
        lines += textwrap.wrap(told, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
    for note in manual.notes:
        lines += ["", *textwrap.wrap(note, _WIDTH)]
    return "\n".join(lines)


def _fields(record: type[Any]) -> Sequence["Field[Any]"]:
    return fields(record)


def _key(described: "Field[Any]") -> str:
    return str(described.metadata["name"] or described.name)


def _split(word: str, known: Sequence[str]) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    bare = key.lstrip("-")
    if not equals:
        if bare in known:
            raise UserError(f"'{word}' has no value; write {bare}=VALUE")
        raise UserError(f"'{word}' is not key=value; --help lists the keys")
    if key in known:
        return key, value
    if bare in known:
        raise UserError(f"keys have no dashes; write {bare}={value}")
    raise UserError(f"unknown key '{key}'; {suggest(bare, known, 'the keys are ' + ', '.join(known))}")


def _convert(key: str, text: str, kind: Any) -> Any:
    allows_none, kind = _without_none(kind)
    if allows_none and text.strip() == "null":
        return None
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        return tuple(_convert(key, item, inner) for item in _items(key, text.strip()))
    value = unquote(text.strip())
    if not value:
        raise UserError(f"{key}= is empty; give a value or leave {key} out")
    if issubclass(kind, Enum):
        return _choose(key, value, {str(each.value): each for each in kind})
    if kind is bool:
        return _choose(key, value.lower(), _BOOLEANS)
    try:
        return kind(value)
    except ValueError:
        raise UserError(f"{key} must be {_KINDS[kind]}, but got {key}={value}") from None


def _choose(key: str, value: str, choices: Mapping[str, Any]) -> Any:
    if value not in choices:
        raise UserError(f"unknown {key} '{value}'; choose from {', '.join(choices)}")
    return choices[value]


def _items(key: str, value: str) -> list[str]:
    """Split at commas, but not at those inside quotes or brackets: [units=[8,4],horizon=1] has two items.

    Hydra's own parser takes 0.2 s to import, and refuses items such as horizon=1.
    """
    inside = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    items, depth, place = [""], 0, 0
    while place < len(inside):
        before = items[-1].rstrip()
        opens = inside[place] in "'\"" and (not before or before[-1] in "=[,")  # it's is a word
        quoted = QUOTED.match(inside, place) if opens else None
        if opens and quoted is None:
            raise UserError(f"{key}={value} has a quote {inside[place]} that is not closed; close it, or leave it out")
        part = quoted[0] if quoted else inside[place]
        place += len(part)
        depth += (part == "[") - (part == "]")
        if part == "," and depth == 0:
            items.append("")
        else:
            items[-1] += part
    return [item.strip() for item in items] if inside.strip() else []


def _without_none(kind: Any) -> tuple[bool, Any]:
    """Return whether `X | None` was asked for, and X."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        (inner,) = [each for each in typing.get_args(kind) if each is not type(None)]
        return True, inner
    return False, kind


def _show_kind(kind: Any) -> str:
    _, kind = _without_none(kind)
    if typing.get_origin(kind) is tuple:
        return f"[{_show_kind(typing.get_args(kind)[0])},...]"
    if issubclass(kind, Enum):
        return "|".join(str(each.value) for each in kind)
    return {bool: "true|false", str: "TEXT", int: "INTEGER", float: "NUMBER", Path: "FILE"}[kind]


def _show_default(described: "Field[Any]") -> str:
    default = described.default
    if default is MISSING:
        return "Required."
    if default is None or default == ():
        return ""
    shown = default.value if isinstance(default, Enum) else default
    return f"Default: {str(shown).lower() if isinstance(shown, bool) else shown}."
