"""A comparison in a notebook is that of the command, as a DataFrame, a sentence and a text."""

import pytest

from pipeline import compare
from pipeline.api.records import Runs
from pipeline.base.errors import UserError


def test_a_comparison_has_a_table_a_verdict_and_a_text(runs: Runs) -> None:
    """A notebook shows other numbers than `python -m pipeline.compare`, or none."""
    comparison = compare(runs)
    table = comparison.table()
    assert table["test_rmse_mean"].tolist() == pytest.approx(runs.table()["test_rmse"].tolist())
    assert comparison.verdict in " ".join(str(comparison).split())
    assert comparison.document.by == ("stateful",)
    assert compare(runs, by=["look_back"]).table()["look_back"].tolist() == [2]


def test_runs_are_found_by_what_names_them(runs: Runs, store_of_runs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes back to a notebook must train again, because the variable is gone."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_of_runs)
    ids = [record.run_id for record in runs]
    for chosen in ("latest", ids):
        assert compare(chosen).document.configurations == compare(runs).document.configurations
    with pytest.raises(UserError, match="no run to compare"):
        compare([])
    with pytest.raises(UserError, match="there is no run nope"):
        compare(["nope"])
