"""The page of all configuration keys, made from the comments in conf/ and the types in the schema.

python docs/keys.py    prints it; `make docs-outputs` writes it into docs/reference/keys.md
"""

import re
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pipeline.config.keys import RESULT, Role, role_of
from pipeline.config.schema import Config, Transform

ROOT = Path(__file__).resolve().parent.parent
CONF = ROOT / "conf"
PAGE = ROOT / "docs" / "reference" / "keys.md"
LINE = re.compile(r"^(?P<key>[a-z_]+): *(?P<value>.*?) +# (?P<meaning>.+)$", re.MULTILINE)
KINDS = {str: "text", int: "integer", float: "number", bool: "true, false"}
UNTYPED = {  # keys for which OmegaConf has no type
    "dataset.transforms": f"list of {', '.join(f'`{each.value}`' for each in Transform)}; or the word `auto`",
    "slurm.extra": "dictionary, `null`",
}
HEAD = """# Configuration keys

<!-- Written by docs/keys.py from the comments in conf/ and the schema: change those, then `make docs-outputs`. -->

Every key of `pipeline.run` and `pipeline.explain`, with what it takes, its default, its [role](#roles) and its meaning.
Give it as `key=value`, with the group before a dot (`training.epochs=50`); with `-m` as `key=value1,value2`. A group's
file is chosen by its name: `dataset=sunspots`, `model=gru`. Unknown keys and wrong types are refused. `null` stands for
"none", `???` for what the file of the group sets: a dataset's file gives its name, source, columns, unit and period.
`python -m pipeline.run --cfg job` prints every key with its value.
"""
ROLES = f"""What a key decides. Equal values of the roles {", ".join(role.name for role in Role if role in RESULT)},
and equal data, mean equal results: [`config_hash`](tags.md) is made of them.
"""


@dataclass(frozen=True)
class Described:
    """A key as its YAML file describes it: the value there, as text, and its comment."""

    value: str
    meaning: str


def make_page() -> str:
    """Return the page as Markdown.

    Raises:
        KeyError: If a key of the schema has no comment in conf/.
    """
    kinds = typing.get_type_hints(Config)
    groups = [each.name for each in fields(Config) if is_dataclass(kinds[each.name])]
    chosen = dict(re.findall(r"^  - (\w+): (\w+)", (CONF / "config.yaml").read_text(), re.MULTILINE))
    parts = [HEAD, "## The axes people sweep\n", _table("", Config, _read_keys([CONF / "config.yaml"]))]
    for group in groups:
        folder, common = CONF / group, CONF / group / "_common.yaml"
        parts += [
            f"## {group}\n",
            _table(f"{group}.", kinds[group], _read_keys([common, folder / f"{chosen[group]}.yaml"])),
        ]
        if common.exists():
            parts += [f"Files of this group, chosen by `{group}=NAME`:\n", _list_files(group)]
    parts += ["## Roles\n", ROLES, *(f"- {role.name}: {role.value}" for role in Role), ""]
    parts += ["## Presets\n", "Several changes under one name.\n", _list_files("experiment"), _list_files("debug")]
    return "\n".join(parts).rstrip("\n") + "\n"


def _table(prefix: str, record: type[Any], described: dict[str, Described]) -> str:
    rows = ["| key | takes | default | role | meaning |", "|---|---|---|---|---|"]
    kinds = typing.get_type_hints(record)
    for each in fields(record):
        if is_dataclass(kinds[each.name]):
            continue
        key = described[each.name]
        name, kind = f"{prefix}{each.name}", kinds[each.name]
        takes, role = UNTYPED[name] if kind is Any else _show_kind(kind), role_of(name).name
        rows.append(f"| `{name}` | {takes} | `{key.value}` | {role} | {_escape(key.meaning)} |")
    return "\n".join(rows) + "\n"


def _read_keys(files: list[Path]) -> dict[str, Described]:
    """Return the keys of the files; the first file that describes a key says what it means."""
    found: dict[str, Described] = {}
    for file in files:
        for line in LINE.finditer(file.read_text()) if file.exists() else ():
            found.setdefault(line["key"], Described(line["value"], line["meaning"]))
    return found


def _list_files(group: str) -> str:
    lines = []
    for file in sorted((CONF / group).glob("[!_]*.yaml")):
        head = " ".join(_read_head(file.read_text()))
        lines.append(f"- `{group}={file.stem}`: {_escape(_shorten(head, group, file.stem))}")
    return "\n".join(lines) + "\n"


def _read_head(text: str) -> Iterator[str]:
    """Yield the lines of the comment at the beginning of a file."""
    for line in text.splitlines():
        if not line.startswith("#"):
            return
        if "@package" not in line:
            yield line.lstrip("# ").strip()


def _shorten(head: str, group: str, name: str) -> str:
    """Leave out the command at the beginning of a preset's comment: the list says it."""
    return head.removeprefix(f"python -m pipeline.run {group}={name}: ")


def _show_kind(kind: Any) -> str:
    """Say what a key takes.

    Example:
        list[int] is "list of integer", int | None is "integer, null", an Enum its values.
    """
    if isinstance(kind, types.UnionType):
        return ", ".join("`null`" if each is type(None) else _show_kind(each) for each in typing.get_args(kind))
    if typing.get_origin(kind) is list:
        return f"list of {_show_kind(typing.get_args(kind)[0])}"
    if issubclass(kind, Enum):
        return ", ".join(f"`{each.value}`" for each in kind)
    return KINDS[kind]


def _escape(text: str) -> str:
    """Keep signs of Markdown and HTML in a comment what they are; code between backticks is left alone."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([\\|<>*\[\]])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


if __name__ == "__main__":
    print(make_page(), end="")
