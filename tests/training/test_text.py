"""Both engines learn a text alike, and are judged by what its true tokens cost."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema import (
    Cell,
    Config,
    DatasetConfig,
    Engine,
    ModelConfig,
    Optimizer,
    Source,
    TextSplit,
    TrainingConfig,
)  # fmt: skip
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.models.heads.token import token_costs
from pipeline.models.numpy_network import NumpyNetwork, build_numpy_network
from pipeline.models.plan import plan_layers
from pipeline.training.parity import certify_parity
from pipeline.training.record import Training
from pipeline.training.train import train_seeds

TEXT = "How now, brown cow? The rain in Spain stays mainly in the plain.\n" * 12  # 780 characters


def configure(path: Path, **keys: Any) -> Config:
    dataset = DatasetConfig(
        name="text", source=Source.text, path=str(path), validation_fraction=0.1, test_fraction=0.1,
        **keys.pop("dataset", {}),
    )  # fmt: skip
    training = TrainingConfig(epochs=2, patience=None, **keys.pop("training", {}))
    model = ModelConfig(**{"units": [5], **keys.pop("model", {})})
    return Config(look_back=6, batch_size=4, seeds=1, dataset=dataset, training=training, model=model, **keys)


MODES: dict[str, dict[str, Any]] = {
    "lanes, end": {"stateful": True, "return_sequences": True},
    "lanes, each": {
        "stateful": True,
        "return_sequences": True,
        "dataset": {"split": TextSplit.lanes},
        "model": {"embedding": 3, "cell": Cell.gru},
        "training": {"optimizer": Optimizer.rmsprop, "decay": 0.5, "learning_rate": 0.02},
    },
    "shuffled chunks": {"return_sequences": True},
    "many to one": {"dataset": {"stride": 3}, "model": {"units": [4, 3]}},
}


THOROUGH = ("lanes, each", "lanes, end", "shuffled chunks")  # a smoke preset trains the first of them
PARAMS = [pytest.param(name, marks=pytest.mark.thorough) if name in THOROUGH else name for name in MODES]


@pytest.fixture(scope="module", params=PARAMS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return configuration, data, and what each engine made of them."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(TEXT)
    found = []
    for engine in (Engine.fused, Engine.fit):
        keys = {key: dict(value) if isinstance(value, dict) else value for key, value in MODES[request.param].items()}
        keys["training"] = {**keys.get("training", {}), "engine": engine}
        config = configure(path, **keys)
        data = prepare_data(config)
        found.append(train_seeds(config, data, lambda report: None))
    return config, data, *found


def test_engines_agree_on_a_text(trained: tuple[Config, PreparedData, Training, Training]) -> None:
    """One of the engines learns another text than the other, or scores it otherwise."""
    _, _, fused, fit = trained
    for one, other in zip(fused.seeds, fit.seeds, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=2e-4)
        assert one.val_losses == pytest.approx(other.val_losses, rel=2e-4)
        for mine, theirs in zip(one.weights, other.weights, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=2e-3)
    np.testing.assert_allclose(fused.forecasts[..., 0], fit.forecasts[..., 0], atol=5e-3)


def test_costs_are_those_of_the_numpy_network(trained: tuple[Config, PreparedData, Training, Training]) -> None:
    """A run reports other probabilities than those it writes with; or it has seen the token that it predicts."""
    config, data, fused, _ = trained
    layers = plan_layers(config, data.windows.num_features, data.windows.num_outputs)
    network = build_numpy_network(layers, [np.asarray(weight) for weight in fused.seeds[0].weights])
    expected = read_slowly(config, data, network)
    np.testing.assert_allclose(fused.forecasts[0, :, 0], expected, atol=1e-4)
    validation = np.isin(data.windows.starts, data.windows.validation)
    assert fused.seeds[0].val_losses[-1] == pytest.approx(expected[validation].mean(), rel=1e-4)


def read_slowly(config: Config, data: PreparedData, network: NumpyNetwork) -> np.ndarray:
    """Return the cost of each scored token, reading one token after another from where the state is zero."""
    ids, spec = data.series.values[:, 0].astype(int), data.windows.spec
    costs = []
    for start, first in zip(data.windows.starts, data.windows.first_of_series, strict=True):
        origin = start + spec.origin
        if config.stateful:
            begins = first
        elif config.answers_every_step:
            begins = origin - (start - first) % config.look_back
        else:
            begins = start
        states = network.zero_states(1)
        for row in range(begins, origin + 1):
            logits, states = network.step(np.array([[ids[row]]], np.float32), states)
        costs.append(token_costs(logits[0], ids[origin + 1]))
    return np.array(costs)


def test_the_certificate_holds_for_a_text(trained: tuple[Config, PreparedData, Training, Training]) -> None:
    """A run on a text claims a certificate that nothing was compared for."""
    config, data, fused, _ = trained
    weights = [np.asarray(weight) for weight in fused.seeds[0].weights]
    certificate = certify_parity(config, data, weights, fused.forecasts[0])
    assert 0 < certificate.largest < 1e-5
    assert ("engine" in certificate.differences) == config.stateful


def test_later_tokens_change_nothing(tmp_path: Path) -> None:
    """A probability depends on tokens that come later, or training has seen the test part."""
    found = []
    for text in (TEXT, TEXT[:-40] + TEXT[:40]):
        (tmp_path / "text.txt").write_text(text)
        config = configure(tmp_path / "text.txt", **MODES["lanes, end"])
        found.append(train_seeds(config, prepare_data(config), lambda report: None).forecasts)
    first, second = found  # each (seeds, tokens, 2)
    np.testing.assert_array_equal(first[:, :-40], second[:, :-40])
    assert (first[:, -39:, 0] != second[:, -39:, 0]).any()
