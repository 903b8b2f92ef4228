"""Which runs a command is about: one way to choose them, said in words that find them again."""

from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.command.selection import Selection, check_selection, select_runs
from pipeline.tracking import past, store
from pipeline.tracking.past import Sweep


@pytest.mark.parametrize(
    ("chosen", "complaint"),
    [
        (Selection(sweep="abc", experiment="e"), "experiment=e and sweep=abc are given; choose one of"),
        (Selection(runs=("a",), experiment="e"), r"experiment=e and runs=\[\.\.\.\] are given"),
        (Selection(runs=("a",), sweep="abc"), r"runs=\[\.\.\.\] and sweep=abc are given"),
        (Selection(output=Path("no/such/folder/answer.json")), "output"),
    ],
)
def test_what_contradicts_itself_is_refused(
    chosen: Selection, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two choices is silently dropped, or a long answer is made that cannot be written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=complaint):
        check_selection(chosen)


@pytest.mark.parametrize(
    "chosen", [Selection(), Selection(experiment="e"), Selection(runs=("a", "b")), Selection(sweep="abc")]
)
def test_one_choice_is_enough(chosen: Selection) -> None:
    """The newest sweep cannot be compared without saying so."""
    check_selection(chosen)


@pytest.mark.parametrize(
    ("chosen", "experiment", "words"),
    [
        (Selection(), "lstm-pipeline", "sweep=0f (airline)"),
        (Selection(experiment_name="mine"), "mine", "sweep=0f (airline)"),
        (Selection(sweep="0f"), None, "sweep=0f (airline)"),  # an id is found in any experiment
        (Selection(experiment="mine"), "mine", "experiment=mine"),
        (Selection(runs=("a", "b")), None, "runs=[a,b]"),
    ],
)
def test_runs_are_looked_for_where_they_are(
    chosen: Selection, experiment: str | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep is looked for in another experiment, or the answer does not say what it is about."""
    asked: list[str | None] = []
    monkeypatch.setattr(store, "find_store", lambda tracking, name: asked.append(name))
    monkeypatch.setattr(past, "find_sweep", lambda found, sweep: Sweep("0f", "airline", ()))
    monkeypatch.setattr(past, "sweep_runs", lambda found, sweep, tell: ["of the sweep"])
    monkeypatch.setattr(past, "experiment_runs", lambda found: ["of the experiment"])
    monkeypatch.setattr(past, "named_runs", lambda found, ids: list(ids))
    _, runs, said = select_runs(chosen)
    assert (asked, said) == ([experiment], words)
    assert (
        runs == {"sweep": ["of the sweep"], "experiment": ["of the experiment"], "runs": ["a", "b"]}[said.split("=")[0]]
    )
