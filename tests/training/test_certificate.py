"""The certificate of parity: every kind of network gets it, and one program that answers otherwise loses it."""

import numpy as np
import pytest

from pipeline.base.errors import TrainingError
from pipeline.config.schema import Cell, Decoder, HeadName, Horizons, LagsAs, Normalise, Order, Skip, Wiring
from pipeline.data.prepare import prepare_data
from pipeline.models.keras_network import build_streaming_network, build_training_network
from pipeline.models.numpy_network import NumpyNetwork
from pipeline.training import parity
from pipeline.training.forecaster import Forecaster
from pipeline.training.parity import LIMIT, certify_parity, certify_windows
from pipeline.training.record import Certificate

EVERY_WAY = {"chunks", "one step at a time", "3 lanes", "engine"}


def certify(config, data, shift: float = 0.0) -> Certificate:
    """Certify a network with large random weights; `shift` is added to what the engine forecast."""
    windows = data.windows
    network = build_training_network(config, *windows.interface)
    random = np.random.default_rng(4)
    weights = [random.normal(0, 0.8, weight.shape).astype(np.float32) for weight in network.get_weights()]
    forecasts = Forecaster(config, windows).forecast(weights, windows.starts)
    prove = certify_parity if config.can_carry else certify_windows
    return prove(config, data, weights, forecasts + shift)


@pytest.mark.parametrize("cell", Cell)
def test_every_cell_is_certified(cell, make_config, make_data) -> None:
    """Every run would fail, or scores would come from programs that do not agree."""
    config = make_config(stateful=True, model={"cell": cell, "units": [4, 3]})
    certificate = certify(config, make_data(config))
    assert set(certificate.differences) == EVERY_WAY
    assert certificate.largest < LIMIT == 1e-4
    assert certificate.largest == max(certificate.differences.values())
    assert certificate.steps == 12  # three chunks of four steps


@pytest.mark.parametrize(
    ("changes", "engine"),
    [
        ({"stateful": False, "return_sequences": True}, False),  # reads each window anew
        ({"dataset": {"normalise": Normalise.window_standard}}, True),
        ({"model": {"skip": Skip.linear}}, True),
        ({"model": {"skip": Skip.linear, "head": HeadName.quantile}}, True),
        ({"model": {"head": HeadName.student_t}, "dataset": {"normalise": Normalise.window_standard}}, True),
        ({"model": {"head": HeadName.quantile}, "stateful": True, "return_sequences": True}, True),
        ({"stateful": True, "return_sequences": True}, True),
        (
            {
                "stateful": True,
                "model": {"embedding": 2},
                "dataset": {"features": ["a"], "future": ["w"], "categories": ["w"]},
            },
            True,
        ),
        ({"stateful": True, "look_back": 1, "horizon": 2}, True),
        ({"stateful": True, "look_back": 6}, True),
        ({"stateful": True, "dataset": {"order": Order.overlapping}}, False),  # reads rows several times
        ({"stateful": True, "dataset": {"lags_as": LagsAs.features}}, True),
    ],
    ids=str,
)
def test_every_kind_of_run_is_certified(changes, engine, make_config, make_data) -> None:
    """A kind of run would fail although nothing is wrong, or the engine would not be compared where it can be."""
    config = make_config(**changes)
    certificate = certify(config, make_data(config))
    assert certificate.largest < LIMIT
    assert ("engine" in certificate.differences) is engine


ENCODER = {"horizon": 2, "model": {"wiring": Wiring.encoder_decoder}, "dataset": {"horizons": Horizons.all}}
DECODER = {
    "horizon": 2,
    "model": {"wiring": Wiring.encoder_decoder, "decoder": Decoder.future},
    "dataset": {"horizons": Horizons.all, "features": ["a"], "future": ["b"]},
}


@pytest.mark.parametrize(
    "changes",
    [pytest.param(ENCODER, marks=pytest.mark.thorough, id="encoder"), pytest.param(DECODER, id="decoder")],
)
def test_windows_are_certified_where_no_state_is_carried(changes, make_config, make_data) -> None:
    """The network that serves would not be the one that was scored, and nobody would know."""
    config = make_config(**changes)
    data = make_data(config)
    certificate = certify(config, data)
    assert set(certificate.differences) == {"engine"} and certificate.largest < LIMIT
    assert certificate.steps == len(data.windows.starts)
    refused("engine", config, data, 0.01)


@pytest.mark.parametrize("lengths", [(7, 40), (40, 10), (10, 10)])
def test_panels_are_certified_on_their_longest_lane(lengths, make_config, make_panel) -> None:
    """A panel would fail, or be certified over nothing, because its first lane is short."""
    config = make_config(
        look_back=2, stateful=True, dataset={"lane_column": "stock", "test_fraction": 0.2, "validation_fraction": 0.2}
    )
    random = np.random.default_rng(8)
    series = make_panel([random.normal(size=length) for length in lengths])
    certificate = certify(config, prepare_data(config, series))
    assert certificate.largest < LIMIT
    assert certificate.steps == (12 if max(lengths) == 40 else 8)


# ------------------------------------------------------------------------------------------------- one is spoiled


def refused(way: str, config, data, shift: float = 0.0) -> None:
    with pytest.raises(TrainingError, match=f"parity: read as '{way}' the network answers .* defect of the program"):
        certify(config, data, shift)


def test_a_spoiled_plain_network(make_config, make_data, monkeypatch) -> None:
    """Streamed and served forecasts would differ from the scored ones, and nobody would know."""
    step = NumpyNetwork.step

    def spoiled(self, inputs, states):
        outputs, after = step(self, inputs, states)
        return outputs + 0.01, after

    monkeypatch.setattr(NumpyNetwork, "step", spoiled)
    config = make_config(stateful=True)
    refused("(one step at a time|3 lanes)", config, make_data(config))


def test_lanes_that_see_each_other(make_config, make_data, monkeypatch) -> None:
    """The state of one stock would leak into its neighbour's forecasts."""
    step = NumpyNetwork.step

    def spoiled(self, inputs, states):
        outputs, after = step(self, inputs, states)
        return outputs, [np.roll(state, 1, axis=0) for state in after]

    monkeypatch.setattr(NumpyNetwork, "step", spoiled)
    config = make_config(stateful=True)
    refused("3 lanes", config, make_data(config))


def test_a_state_that_is_not_carried(make_config, make_data, monkeypatch) -> None:
    """Keras' own stateful layers would start every chunk anew."""
    monkeypatch.setattr(
        parity, "build_chunk_network", lambda config, length, *shape: build_streaming_network(config, *shape)
    )
    config = make_config(stateful=True)
    refused("chunks", config, make_data(config))


@pytest.mark.parametrize("shift", [0.01, float("nan")])
def test_an_engine_that_forecasts_otherwise(shift, make_config, make_data) -> None:
    """The scored forecasts would be those of another network than the one that is saved, or of none."""
    for changes in ({"stateful": True}, {"dataset": {"normalise": Normalise.window_last}}):
        config = make_config(**changes)
        refused("engine", config, make_data(config), shift)
