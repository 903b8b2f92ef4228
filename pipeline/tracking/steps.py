"""What is logged on a run, step by step: as plain values and files, so that it can be kept and logged later."""

import json
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.pyfunc
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModel,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    Param,
    RunTag,
)
from mlflow.models import Model, ModelSignature
from mlflow.utils import requirements_utils
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from pipeline.tracking.store import Store

_METRICS_PER_CALL = 1000  # MLflow servers refuse larger batches
_PARAMS_PER_CALL = 100
_MODEL = "model"
_LOADER = "pipeline.serving.mlflow_model"


@dataclass(frozen=True)
class Step:
    """One thing that is logged on a run; to log it twice is to log it once.

    Attributes:
        kind: params, metrics, tags, dataset, files, model or end.
        values: What is logged, as JSON holds it.
        path: The file or folder that it needs.
    """

    kind: str
    values: Any = field(default_factory=dict)
    path: Path | None = None


def take_step(store: Store, run_id: str, step: Step) -> None:
    """Log one thing on a run.

    Args:
        store: Where the run is.
        run_id: The run.
        step: What is logged.
    """
    client = store.client
    if step.kind == "params":
        params = [Param(key, value) for key, value in step.values.items()]
        for first in range(0, len(params), _PARAMS_PER_CALL):
            client.log_batch(run_id, params=params[first : first + _PARAMS_PER_CALL])
    elif step.kind == "metrics":
        _log_metrics(client, run_id, [Metric(*row) for row in step.values])
    elif step.kind == "tags":
        client.log_batch(run_id, tags=[RunTag(key, value) for key, value in step.values.items()])
    elif step.kind == "dataset":
        context = InputTag(MLFLOW_DATASET_CONTEXT, "training")
        client.log_inputs(run_id, datasets=[DatasetInput(Dataset(**step.values), [context])])
    elif step.kind == "end":
        client.set_terminated(run_id, step.values)
    elif step.path is None:
        raise ValueError(f"nothing of the kind {step.kind} can be logged without a path")
    elif step.kind == "model":
        _log_model(client, run_id, step.path, step.values)
    elif step.path.is_dir():
        client.log_artifacts(run_id, str(step.path))
    else:
        client.log_artifact(run_id, str(step.path))


def write_step(step: Step, folder: Path, number: int) -> str:
    """Return a step as a line of JSON, and copy what it needs into a folder.

    Args:
        step: What is to be logged later.
        folder: It, and everything in it, outlasts the run.
        number: Of the step; names the copy.
    """
    kept = None
    if step.path is not None:
        kept = f"{number:03}/{step.path.name if step.path.is_file() else 'files'}"
        (folder / kept).parent.mkdir()
        if step.path.is_dir():
            shutil.copytree(step.path, folder / kept)
        else:
            shutil.copyfile(step.path, folder / kept)
    return json.dumps({"kind": step.kind, "values": step.values, "path": kept})


def read_step(line: str, folder: Path) -> Step:
    """Return the step that `write_step` wrote.

    Raises:
        ValueError: If it names a file outside the folder, which it never wrote.
    """
    read = json.loads(line)
    if read["path"] is None:
        return Step(read["kind"], read["values"])
    path = (folder / read["path"]).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"the record names {path}, which lies outside of it")
    return Step(read["kind"], read["values"], path)


@contextmanager
def _unsearched_packages() -> Iterator[None]:
    """Spare MLflow asking every installed package for its files, 0.6 s: the requirements name packages, not modules."""
    name = "_MODULES_TO_PACKAGES"
    before = getattr(requirements_utils, name)
    setattr(requirements_utils, name, before or {})
    try:
        yield
    finally:
        setattr(requirements_utils, name, before)


def _log_metrics(client: mlflow.MlflowClient, run_id: str, metrics: Sequence[Metric]) -> None:
    for first in range(0, len(metrics), _METRICS_PER_CALL):
        client.log_batch(run_id, metrics=metrics[first : first + _METRICS_PER_CALL])


def _log_model(client: mlflow.MlflowClient, run_id: str, folder: Path, values: dict[str, Any]) -> None:
    """Log a model as `mlflow.pyfunc.log_model` does, whose client is not patient, and asks for every metric once more.

    That is a call for each: of a server some ninety. The values are known here.
    """
    run = client.get_run(run_id)
    model = client.create_logged_model(
        run.info.experiment_id, name=_MODEL, source_run_id=run_id, params=run.data.params
    )
    status = LoggedModelStatus.FAILED
    try:
        final = values.get("metrics", [])  # what an earlier version kept for a store has none
        rows = ((key, value, moment, step, model.model_id) for key, value, moment, step in final)
        _log_metrics(client, run_id, [Metric(*row) for row in rows])
        with TemporaryDirectory() as made:
            _write_model(Path(made) / _MODEL, model, run_id, folder, values)
            client.log_model_artifacts(model.model_id, str(Path(made) / _MODEL))
        # Last: a model whose files are not there is no model of the run, which is logged again.
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        status = LoggedModelStatus.READY
    finally:
        client.finalize_logged_model(model.model_id, status)


def _write_model(path: Path, model: LoggedModel, run_id: str, folder: Path, values: dict[str, Any]) -> None:
    with warnings.catch_warnings(), _unsearched_packages():
        warnings.filterwarnings("ignore", ".*An input example was not provided", UserWarning)
        mlflow.pyfunc.save_model(
            path,
            mlflow_model=Model(model.artifact_location, run_id, model_uuid=model.model_id, model_id=model.model_id),
            loader_module=_LOADER,  # named, not pickled: what is loaded is this package and files of plain values
            data_path=str(folder),
            signature=ModelSignature.from_dict(values["signature"]),
            # Without this list MLflow starts a second Python that loads the model: seconds a run.
            pip_requirements=values["requirements"],
        )
