"""Command lines of key=value words: what is read, what is refused and in which words, and what --help shows."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import MISSING, dataclass
from enum import Enum
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.base.errors import UserError
from pipeline.base.text import show_setting
from pipeline.command.arguments import Manual, describe_arguments, option, parse_arguments, run_entry


class Format(Enum):
    table = "table"
    csv = "csv"


@dataclass(frozen=True)
class Arguments:
    sweep: str | None = option(None, "The sweep.", shown="latest|RUN_ID")
    look_back: int = option(3, "Past steps in one window.")
    interval: float = option(95.0, "Width of the interval in percent.")
    resume: bool = option(False, "Train only what is missing.")
    by: tuple[str, ...] = option((), "Keys to group by.")
    steps: tuple[int, ...] = option((1, 2), "Steps ahead.")
    format: Format = option(Format.table, "How the answer is written.")
    output: Path | None = option(None, "File to write.")
    uri: str | None = option(None, "Where runs are recorded.", name="tracking.uri")


MANUAL = Manual("tool", "Does things.", [("by=[look_back]", "one row per look_back")], ["Exit codes: 0 done."])


def parse(*words: str) -> Arguments:
    return parse_arguments(Arguments, words)


def test_no_words_give_the_defaults() -> None:
    """A bare command does something else than --help says."""
    assert parse() == Arguments()
    assert Arguments() == Arguments(None, 3, 95.0, False, (), (1, 2), Format.table, None, None)


@pytest.mark.parametrize(
    ("word", "field", "value"),
    [
        ("sweep=latest", "sweep", "latest"),
        ("sweep=null", "sweep", None),
        ("sweep='a b'", "sweep", "a b"),
        ("sweep=a=b", "sweep", "a=b"),
        ("look_back=12", "look_back", 12),
        ("interval=90", "interval", 90.0),
        ("resume=true", "resume", True),
        ("resume=False", "resume", False),
        ("by=[look_back,stateful]", "by", ("look_back", "stateful")),
        ("by=look_back,stateful", "by", ("look_back", "stateful")),
        ("by=[ look_back , 'stateful' ]", "by", ("look_back", "stateful")),
        ("by=[]", "by", ()),
        ("""by=["a,b",c]""", "by", ("a,b", "c")),
        ("""by='a,b',c""", "by", ("a,b", "c")),
        ("""by=['a','b']""", "by", ("a", "b")),
        ("""by='a','b'""", "by", ("a", "b")),
        ("""by="[a,b]\"""", "by", ("[a,b]",)),
        ("""by=["a]",'[b']""", "by", ("a]", "[b")),
        ("""by=[name="a,b",units=["x,]",8]]""", "by", ('name="a,b"', 'units=["x,]",8]')),
        ("by=[it's,that's]", "by", ("it's", "that's")),
        ("""sweep="it's"; say \\"x\\\"""", "sweep", """"it's"; say \\"x\\\""""),
        (r"sweep='C:\data'", "sweep", r"C:\data"),
        ("sweep='null'", "sweep", "null"),
        ("by=[units=[8, 4],horizon=1]", "by", ("units=[8, 4]", "horizon=1")),
        ("steps=[1,5]", "steps", (1, 5)),
        ("format=csv", "format", Format.csv),
        ("output=a/b.html", "output", Path("a/b.html")),
        ("tracking.uri=sqlite:////x.db", "uri", "sqlite:////x.db"),
    ],
)
def test_a_word_is_read_as_its_type(word: str, field: str, value: object) -> None:
    """A key of some entry arrives with another value than was typed."""
    found = getattr(parse(word), field)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lookback=3"], r"unknown key 'lookback'; did you mean 'look_back'\?"),
        (["tracking.url=x"], r"unknown key 'tracking.url'; did you mean 'tracking.uri'\?"),
        (["zzz=3"], r"unknown key 'zzz'; the keys are sweep, look_back, .*tracking\.uri"),
        (["latest"], r"'latest' is not key=value; --help lists the keys"),
        (["--verbose"], r"'--verbose' is not key=value; --help lists the keys"),
        (["sweep", "latest"], r"'sweep' has no value; write sweep=VALUE"),
        (["--sweep=latest"], r"keys have no dashes; write sweep=latest"),
        (["sweep=a", "sweep=b"], r"sweep is given twice; give it once"),
        (["sweep="], r"sweep= is empty; give a value or leave sweep out"),
        (["by=[a,,b]"], r"by= is empty"),
        (["by=['a,b]"], r"by=\['a,b\] has a quote ' that is not closed; close it, or leave it out"),
        ([r'by=["a\"]'], r"by=.* has a quote \" that is not closed"),
        (["look_back=three"], r"look_back must be an integer, but got look_back=three"),
        (["look_back=1.5"], r"look_back must be an integer, but got look_back=1\.5"),
        (["interval=wide"], r"interval must be a number, but got interval=wide"),
        (["resume=yes"], r"unknown resume 'yes'; choose from true, false"),
        (["format=xml"], r"unknown format 'xml'; choose from table, csv"),
        (["steps=[1,b]"], r"steps must be an integer, but got steps=b"),
    ],
)
def test_wrong_words_are_named_with_the_remedy(words: list[str], message: str) -> None:
    """A typo is ignored, or ends in a traceback."""
    with pytest.raises(UserError, match=f"^{message}"):
        parse(*words)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1), min_size=1, max_size=3))
@example(["a,b", "c]"])
@example(["a\\", '\\"', "it's"])
def test_quotes_are_those_of_run(names: list[str]) -> None:
    """The same quoted list means other names to `compare` than to `run`."""
    (word,) = shlex.split(show_setting("by", names))
    single = "by=[" + ",".join(_single(name) for name in names) + "]"
    for each in (word, single):
        assert list(parse(each).by) == names == OverridesParser.create().parse_override(each).value()


def _single(name: str) -> str:
    """Put a text into single quotes: a backslash counts only before a quote, or at the end."""
    return "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), name) + "'"


def test_a_required_key_must_be_given() -> None:
    """An entry starts without what it needs, and fails later in other words."""

    @dataclass(frozen=True)
    class Needs:
        run: str = option(MISSING, "The MLflow run.")

    assert parse_arguments(Needs, ["run=abc"]).run == "abc"
    with pytest.raises(UserError, match=r"^run is required: The MLflow run\.$"):
        parse_arguments(Needs, [])
    assert "The MLflow run. Required." in describe_arguments(Needs, MANUAL)


def test_help_shows_every_key_with_its_values_and_default() -> None:
    """A newcomer cannot find out what may be written."""
    text = describe_arguments(Arguments, MANUAL)
    for line in (
        "usage: tool [key=value ...]",
        "  tool by=[look_back]",
        "      one row per look_back",
        "  sweep=latest|RUN_ID",
        "  format=table|csv",
        "      How the answer is written. Default: table.",
        "  resume=true|false",
        "      Train only what is missing. Default: false.",
        "  by=[TEXT,...]",
        "  tracking.uri=TEXT",
        "Exit codes: 0 done.",
    ):
        assert line in text.splitlines()
    assert max(map(len, text.splitlines())) <= 110


def test_an_entry_shows_help_acts_or_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    """--help acts, a wrong word acts, or the code of what was done is lost."""
    assert run_entry([], Arguments, MANUAL, lambda found: found.look_back) == 3
    assert run_entry(["--help", "nonsense"], Arguments, MANUAL, lambda _: 9) == 0
    assert capsys.readouterr().out.startswith("usage: tool")
    assert run_entry(["nonsense"], Arguments, MANUAL, lambda _: 9) == 2
    assert capsys.readouterr().err == "error: 'nonsense' is not key=value; --help lists the keys\n"


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    """`python -m pipeline.compare format=csv | head` ends with a traceback."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom dataclasses import dataclass\nfrom pipeline.command.arguments import Manual, run_entry\n"
        "@dataclass(frozen=True)\nclass None_: pass\n"
        "def act(_):\n    print('x\\n' * 200000)\n    return 0\n"
        "sys.exit(run_entry([], None_, Manual('tool', '', []), act))\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, str(script)], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=1200,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
