"""What is found out about a finished training reaches the run: its tags, metrics, files and the person who waits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.salvage import Salvage
from pipeline.config.schema import Config, DatasetConfig, Horizons, ModelConfig, Source, TrainingConfig, Wiring
from pipeline.data.prepare import prepare_data
from pipeline.experiment import diagnostics
from pipeline.experiment.diagnostics import log_certificate, study_memory
from pipeline.experiment.trainer import Trainer
from pipeline.models.plan import plan_layers
from pipeline.serving.model import ServedModel, make_model


@dataclass
class LiveRun:
    """Keeps what a run of MLflow is given."""

    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def set_tags(self, tags: dict[str, str]) -> None:
        self.tags |= tags

    def log_metrics(self, metrics: dict[str, float], per_epoch: dict[str, list[float]]) -> None:
        self.metrics |= metrics

    def log_file(self, path: Path) -> None:
        assert path.stat().st_size
        self.files.append(path.name)


@dataclass
class Found:
    """What a study of random weights left."""

    returned: dict[str, float]
    run: LiveRun
    told: list[str]
    lost: list[str]


def configure(**keys: Any) -> Config:
    dataset = DatasetConfig(name="test", source=Source.sine, unit="kW", **keys.pop("dataset", {}))
    return Config(look_back=3, dataset=dataset, model=ModelConfig(units=[4], **keys.pop("model", {})), **keys)


def prepare(config: Config, make_panel: Callable[..., Any]) -> tuple[ServedModel, np.ndarray]:
    """Return a network of random weights, and random outputs at every window."""
    random = np.random.default_rng(0)
    data = prepare_data(config, make_panel([random.normal(size=80)]))
    windows = data.windows
    layers = plan_layers(config, windows.num_features, windows.num_outputs)
    weights = [random.normal(size=shape) for layer in layers for shape in layer.weight_shapes]
    return make_model(config, data, 0, weights), random.normal(size=(len(windows.starts), windows.num_outputs))


def study(config: Config, make_panel: Callable[..., Any], folder: Path) -> Found:
    run, told = LiveRun(), list[str]()
    salvage = Salvage(told.append)
    best, outputs = prepare(config, make_panel)
    returned = study_memory(best, outputs, folder, run, salvage, told.append)  # type: ignore[arg-type]
    return Found(returned, run, told, salvage.lost)


def test_the_memory_is_told_tagged_logged_and_drawn(
    make_panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person reads another sentence than MLflow has, or the figure shows other numbers than the file beside it."""
    drawn: list[Any] = []
    draw = diagnostics.draw_memory
    monkeypatch.setattr(diagnostics, "draw_memory", lambda *given: (drawn.extend(given), draw(*given)))
    found = study(configure(stateful=True), make_panel, tmp_path)
    assert found.told == [found.run.tags["memory"]] and found.lost == []
    assert found.returned == found.run.metrics and found.returned["memory_steps"] >= 1
    assert found.run.files == ["memory.csv", "memory.png"]
    _, sentence, judged, step, warm_up, zeroed, whole = drawn
    assert (sentence, judged, step) == (found.told[0], "validation RMSE [kW]", "step") and np.isfinite(whole)
    table = pd.read_csv(tmp_path / "memory.csv").to_numpy()
    np.testing.assert_allclose(table[:, 1:3], np.column_stack([warm_up, zeroed]), rtol=1e-5)
    assert table[:, 0].tolist() == list(range(1, len(warm_up) + 1))


def test_a_figure_that_cannot_be_drawn_costs_only_itself(
    make_panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measure of the memory is lost, because its figure is."""

    def fail(*given: object) -> None:
        raise ValueError("no such colour")

    monkeypatch.setattr(diagnostics, "draw_memory", fail)
    found = study(configure(), make_panel, tmp_path)
    assert (found.lost, found.run.files) == (["memory.png"], ["memory.csv"])
    assert found.returned == found.run.metrics and "memory" in found.run.tags


@pytest.mark.parametrize(
    "keys",
    [
        {"horizon": 2, "dataset": {"horizons": Horizons.all}, "model": {"wiring": Wiring.encoder_decoder}},
        {"training": TrainingConfig(online=True), "stateful": True},
    ],
    ids=["no state", "online"],
)
def test_where_nothing_is_carried_nothing_is_measured(make_panel, tmp_path: Path, keys: dict[str, Any]) -> None:
    """A run claims a memory that it cannot have."""
    found = study(configure(**keys), make_panel, tmp_path)
    assert (found.returned, found.run, found.told) == ({}, LiveRun(), [])
    assert list(tmp_path.iterdir()) == []


def test_without_a_state_windows_are_certified(make_panel, tmp_path: Path) -> None:
    """A run that carries no state fails because of it, or claims more than it got."""
    keys = {"horizon": 2, "dataset": {"horizons": Horizons.all}, "model": {"wiring": Wiring.encoder_decoder}}
    config, run = configure(**keys), LiveRun()
    best, _ = prepare(config, make_panel)
    outputs = best.network.answer(best.data.windows.gather_inputs(best.data.windows.starts))
    metrics = log_certificate(config, Trainer().certify(config, best, outputs), tmp_path, run)  # type: ignore[arg-type]
    assert list(metrics) == ["parity_difference"] and metrics["parity_difference"] < 1e-4
    assert run.tags == {"parity": f"certified over {len(outputs)} windows; encoder_decoder carries no state"}
