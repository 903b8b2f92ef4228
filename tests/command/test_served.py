"""The run that is put to work is the one that was asked for, and standard output stays clean."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.base.record import RunRecord, Status
from pipeline.command.served import ServedRun, fetch_model
from pipeline.models.heads.point import RMSE
from pipeline.serving import model
from pipeline.tracking import past, store
from pipeline.tracking.store import Store

RECORD = RunRecord("0f", Status.finished, {}, {"validation_rmse": 12.345, "test_rmse": 20.0}, RMSE)


@pytest.mark.parametrize(
    ("run", "experiment", "told"),
    [
        ("best", "mine", "run 0f: validation RMSE 12.35\n"),
        ("latest", "mine", "run 0f: validation RMSE 12.35\n"),
        ("0f", None, ""),  # an id is found in any experiment, and needs no word about it
    ],
)
def test_the_run_is_found_loaded_and_told_beside_the_answer(
    run: str, experiment: str | None, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A forecast comes from a run that nobody knows, from another experiment, or its name stands in a CSV."""
    asked: list[object] = []

    def fetch(found: Store, run_id: str, names: object, folder: Path, also: object) -> dict[str, str]:
        asked.extend([run_id, names])
        assert folder.is_dir()
        return {"tag": "value"}

    monkeypatch.setattr(store, "find_store", lambda keys, name: asked.append(name) or Store("sqlite:////a/b.db", "1"))
    monkeypatch.setattr(past, "choose_run", lambda found, wanted, of_text: asked.extend([wanted, of_text]) or RECORD)
    monkeypatch.setattr(past, "fetch_files", fetch)
    monkeypatch.setattr(
        model,
        "load_model",
        lambda folder, tags, beside, table, seed, future: SimpleNamespace(scored=None, of=(tags, beside, seed)),
    )
    assert fetch_model(ServedRun(run=run, experiment="mine"), 3).of == ({"tag": "value"}, Path("/a"), 3)
    assert asked == [experiment, run, False, "0f", model.FILES]
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", told)
