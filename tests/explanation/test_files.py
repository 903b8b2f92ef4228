"""An explanation reaches the terminal and files whole, in colour only where a person looks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.explanation import files
from pipeline.explanation.files import print_explanation, write_explanation
from pipeline.explanation.svg.diagram import draw_svg
from pipeline.explanation.text.diagram import draw_text

MakeExplained = Callable[..., Any]


def test_the_name_of_the_file_says_what_is_written(make_explained: MakeExplained, tmp_path: Path) -> None:
    """Breaks explain's output: a drawing is written as text, in another encoding, or pieces of it stay behind."""
    facts = make_explained(name="Zürich").facts
    whole = "\n".join(map(str, draw_text(facts))) + "\n"
    for name, expected in (("a.svg", draw_svg(facts)), ("b.txt", whole), ("c", whole)):
        write_explanation(tmp_path / name, facts)
        assert (tmp_path / name).read_bytes().decode("utf-8") == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.txt", "c"]


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_colours_are_for_people_who_want_them(
    make_explained: MakeExplained,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    terminal: bool,
    no_color: str,
    coloured: bool,
) -> None:
    """Breaks pipes and NO_COLOR: escape codes stand in a file, or a terminal has no red, green and blue."""
    monkeypatch.setattr(files, "is_terminal", lambda: terminal)
    monkeypatch.setenv("NO_COLOR", no_color)
    facts = make_explained().facts
    print_explanation(facts)
    printed = capsys.readouterr().out
    assert ("\x1b[" in printed) is coloured
    if not coloured:
        assert printed == "\n".join(map(str, draw_text(facts))) + "\n"
