"""What `from pipeline import ...` gives a notebook: typed configurations, runs, tables, figures."""

import importlib
import subprocess
import sys
import types

import pandas as pd
import pytest
from matplotlib.figure import Figure

import pipeline
from pipeline.api.records import Run, Runs
from pipeline.base.errors import UserError
from pipeline.config.schema import Cell

from .conftest import SETTINGS


def test_importing_the_package_imports_nothing_slow() -> None:
    """Every command would start seconds later: the functions of the package are imported when they are used."""
    code = (
        "import sys, pipeline; print([name for name in ('pandas', 'hydra', 'mlflow', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", pipeline.__all__)
def test_the_function_stays_when_the_door_of_its_name_is_imported(name: str) -> None:
    """`from pipeline import compare` gives a module, because something has imported the command of that name."""
    for module in (f"pipeline.{name}", f"pipeline.command.{name}"):
        if importlib.util.find_spec(module) is not None:
            importlib.import_module(module)
    found = getattr(importlib.import_module("pipeline"), name)
    assert isinstance(found, types.FunctionType) and found.__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typo in an import is told as something else."""
    with pytest.raises(AttributeError, match="has no attribute 'comapre'"):
        pipeline.comapre  # noqa: B018


def test_settings_make_a_typed_configuration(frame: pd.DataFrame) -> None:
    """The grammar of Python differs from that of the command line."""
    config = pipeline.compose("look_back=6", "model=gru")
    assert (config.look_back, config.model.cell, config.dataset.name) == (6, Cell.gru, "airline")
    config = pipeline.compose("look_back=2", data=frame.rename_axis("my month"))
    assert (config.dataset.name, config.dataset.time_column) == ("frame", "my month")
    assert pipeline.compose("look_back=2", "dataset.time_column=null", data=frame[:0:-1].reset_index(drop=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("look_bak=2",), "did you mean 'look_back'"),
        (("look_back=1,2",), "look_back=1,2 gives several values"),
        (("experiment=many_to_many",), r"make a sweep; give them to sweep\(...\)"),
        (("hydra/launcher=joblib",), "for the command python -m pipeline.run"),
        (("look_back=200",), "lower look_back"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_trained(settings: tuple[str, ...], message: str) -> None:
    """A mistake in a notebook is told after the training, or not as the command line tells it."""
    with pytest.raises(UserError, match=message):
        pipeline.train(*settings)


def test_a_table_and_another_dataset_are_refused(frame: pd.DataFrame) -> None:
    """A person believes to have trained on a table, and the packaged series was used, or the other way round."""
    with pytest.raises(UserError, match="dataset=airline names another one"):
        pipeline.sweep("dataset=airline", "look_back=1,2", data=frame)
    with pytest.raises(UserError, match="dataset=airline reads no table"):
        pipeline.train(pipeline.compose(), data=frame)
    with pytest.raises(UserError, match="only Python can give"):
        pipeline.compose("dataset=frame")


def test_a_sweep_of_a_table_gives_records_tables_and_figures(runs: Runs) -> None:
    """A notebook cannot see what was trained, or sees it in another order than the best validation score first."""
    table = runs.table()
    assert len(runs) == 2 and {run.status.value for run in runs} == {"FINISHED"}
    assert [runs[number] for number in range(2)] == list(runs) and runs[-1].run_id == runs[1].run_id
    assert repr(runs[0]).startswith(f"Run(run_id='{runs[0].run_id}', status=FINISHED, validation=")
    assert set(table["stateful"]) == {True, False}
    assert table["validation_rmse"].is_monotonic_increasing
    assert table["run_id"].iloc[0] == runs.best.run_id
    assert {record.params["dataset.name"] for record in runs} == {"sales"}
    figures = runs.figures()
    assert list(figures) == ["cost", "learning_curves", "forecast"]
    assert all(isinstance(figure, Figure) for figure in figures.values())
    with pytest.raises(UserError, match="unknown figure 'costs'; did you mean 'cost'"):
        runs.figure("costs")


def test_a_run_that_is_there_is_read_back(
    runs: Runs, frame: pd.DataFrame, store_of_runs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """resume=true trains a table again, because nothing says that its values are the same."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_of_runs)
    run = pipeline.train("stateful=true", "resume=true", *SETTINGS, data=frame.copy())
    assert isinstance(run, Run) and run.record.resumed
    assert run.run_id in {record.run_id for record in runs}
    test = run.predictions().query("part == 'test' and horizon == 2")
    assert test[["seed_1", "seed_2"]].notna().all(axis=None) and len(test) > 20
    assert run.seeds()["seed"].tolist() == [1, 2]
