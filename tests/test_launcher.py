"""`launcher=processes` as a command: the same runs as in one process, and what is wrong is said before."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.commands import run_command

WORDS = (
    "-m", "dataset=sine", "dataset.length=60", "model.units=[2],[3]", "training.learning_rate=0.01,0.03",
    "training.epochs=2", "seeds=1", "tracking.log_model=false",
)  # fmt: skip


@pytest.mark.thorough  # the parts have tests of their own, in tests/launching
def test_processes_train_the_same_runs(
    tmp_path: Path, make_store: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep in worker processes loses jobs, has other numbers, or says another thing than the same in one process."""
    uri = make_store(tmp_path)
    found = {}
    for launcher in ("local", "processes"):
        words = (*WORDS, f"launcher={launcher}", f"tracking.uri={uri}", f"tracking.experiment_name={launcher}")
        ended = run_command("pipeline.run", *words, cwd=tmp_path, capture_output=True)
        assert ended.returncode == 0, ended.stderr
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name(launcher)
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
        (parent,) = [run for run in runs if "sweep" in run.data.tags]
        children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        assert {run.info.status for run in runs} == {"FINISHED"} and len(children) == len(runs) - 1
        found[launcher] = {run.info.run_name: run.data.metrics["test_rmse"] for run in children}
        assert "report: " in ended.stderr
    assert len(found["local"]) == 4
    assert found["processes"] == found["local"]
