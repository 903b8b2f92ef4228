"""The plan of a network is what Keras builds, and the same network in NumPy and as a function gives Keras' answers."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.errors import UserError
from pipeline.config.gates import check_ranges
from pipeline.config.schema import (
    Cell,
    Config,
    DatasetConfig,
    Decoder,
    Horizons,
    LagsAs,
    ModelConfig,
    Normalise,
    Skip,
    Source,
    Wiring,
)
from pipeline.models.keras_network import build_serving_network, build_streaming_network, build_training_network
from pipeline.models.numpy_network import NumpyNetwork, build_numpy_network
from pipeline.models.plan import plan_layers
from pipeline.models.read_network import read_network
from pipeline.models.row_layout import RowLayout

FEATURES, TARGETS, ROWS = 2, 3, 5
_SETTINGS: dict[Wiring, dict[str, Any]] = {
    Wiring.one_to_one: {"look_back": 1},
    Wiring.one_to_many: {"look_back": 1, "horizon": 4, "dataset": DatasetConfig(horizons=Horizons.all)},
    Wiring.many_to_one: {},
    Wiring.many_to_many: {},
    Wiring.encoder_decoder: {"horizon": 4, "dataset": DatasetConfig(horizons=Horizons.all)},
}


def configure(wiring: Wiring, cell: Cell) -> Config:
    return Config(model=ModelConfig(cell=cell, units=[4, 3], wiring=wiring), **_SETTINGS[wiring])


def build(config: Config, seed: int = 0) -> tuple[keras.Model, list[np.ndarray], NumpyNetwork]:
    """Return a Keras network with random weights, those weights, and the same network in NumPy."""
    outputs = TARGETS * len(config.horizon_steps)
    network = build_training_network(config, FEATURES, outputs)
    random = np.random.default_rng(seed)
    weights = [random.normal(size=weight.shape).astype(np.float32) for weight in network.get_weights()]
    network.set_weights(weights)
    return network, weights, build_numpy_network(plan_layers(config, FEATURES, outputs), weights)


@pytest.mark.parametrize("cell", list(Cell))
@pytest.mark.parametrize("wiring", list(_SETTINGS))
def test_three_ways_to_compute_a_network_agree(wiring: Wiring, cell: Cell) -> None:
    """A served forecast, or a fused training, would not be that of the Keras network."""
    config = configure(wiring, cell)
    network, weights, plain = build(config)
    assert network.count_params() == sum(layer.num_parameters for layer in plain.layers)
    samples = np.random.default_rng(1).normal(size=(ROWS, config.time_steps, FEATURES)).astype(np.float32)
    expected = network(samples).numpy()
    assert expected.shape[-1] == TARGETS * len(config.horizon_steps)
    expected = expected[:, -1] if config.answers_every_step else expected  # (rows, outputs)
    np.testing.assert_allclose(plain.answer(samples), expected, atol=2e-5)
    function = read_network(network)
    inputs = tf.constant(np.swapaxes(samples, 0, 1)[:, None])  # (steps, 1, rows, features)
    packed = tf.constant(function.pack(weights))[None]
    outputs = function.apply(packed, inputs, function.zero_states(1, ROWS), every_step=False)[0].numpy()
    np.testing.assert_allclose(outputs[-1, 0] if config.answers_every_step else outputs[0], expected, atol=2e-5)


WHOLE_WINDOWS = [
    *((how, Wiring.many_to_one, Skip.none) for how in Normalise if how is not Normalise.none),
    *((how, Wiring.encoder_decoder, Skip.none) for how in Normalise if how is not Normalise.none),
    (Normalise.none, Wiring.many_to_one, Skip.linear),
    (Normalise.window_standard, Wiring.encoder_decoder, Skip.linear),
]


@pytest.mark.parametrize(("how", "wiring", "skip"), WHOLE_WINDOWS)
def test_three_ways_to_read_whole_windows_agree(how: Normalise, wiring: Wiring, skip: Skip, tmp_path: Path) -> None:
    """A served forecast would lie elsewhere than that of training, or a saved network could not be loaded safely."""
    lags = LagsAs.time_steps if wiring is Wiring.many_to_one else LagsAs.features
    dataset = DatasetConfig(normalise=how, lags_as=lags, horizons=Horizons.all)
    model = ModelConfig(units=[4, 3], wiring=wiring, skip=skip)
    config = Config(look_back=5, horizon=2, dataset=dataset, model=model)
    interface = (FEATURES * (5 // config.time_steps), 2 * FEATURES, (1, 0))  # two steps ahead, of b and of a
    network = build_training_network(config, *interface)
    random = np.random.default_rng(5)
    weights = [random.normal(size=weight.shape).astype(np.float32) for weight in network.get_weights()]
    network.set_weights(weights)
    samples = random.normal(size=(ROWS, config.time_steps, interface[0])).astype(np.float32)
    samples[0] = 3.5  # a window that does not move
    expected = network(samples).numpy()
    assert np.isfinite(expected).all()
    plain = build_numpy_network(plan_layers(config, *interface), weights)
    assert network.count_params() == sum(layer.num_parameters for layer in plain.layers)
    np.testing.assert_allclose(plain.answer(samples), expected, atol=1e-5)
    function = read_network(network)
    packed, inputs = tf.constant(function.pack(weights))[None], tf.constant(np.swapaxes(samples, 0, 1)[:, None])
    outputs = function.apply(packed, inputs, function.zero_states(1, ROWS), every_step=False)[0].numpy()
    np.testing.assert_allclose(outputs[0], expected, atol=1e-5)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(samples).numpy(), expected)


def assert_three_ways_agree(config: Config, interface: tuple[Any, ...], folder: Path) -> list[np.ndarray]:
    """Compare Keras, NumPy, the function for two seeds, and what was saved; return the weights of the first seed."""
    network = build_training_network(config, *interface)
    random = np.random.default_rng(6)
    weights = [random.normal(size=weight.shape).astype(np.float32) for weight in network.get_weights()]
    network.set_weights(weights)
    plain = build_numpy_network(plan_layers(config, *interface), weights)
    assert network.count_params() == sum(layer.num_parameters for layer in plain.layers)
    samples = random.normal(size=(ROWS, config.time_steps, interface[0])).astype(np.float32)
    expected = network(samples).numpy()
    np.testing.assert_allclose(plain.answer(samples), expected, atol=1e-5)
    function = read_network(network)
    two = np.stack([function.pack(weights), function.pack([0.5 * weight for weight in weights])])
    inputs = tf.constant(np.swapaxes(samples, 0, 1)[:, None])
    outputs = function.apply(tf.constant(two), inputs, function.zero_states(2, ROWS), every_step=False)[0].numpy()
    np.testing.assert_allclose(outputs[0], expected, atol=1e-5)
    network.set_weights(function.unpack(two[1]))
    np.testing.assert_allclose(outputs[1], network(samples).numpy(), atol=1e-5)
    network.save(folder / "model.keras")
    loaded = keras.models.load_model(folder / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(samples).numpy(), network(samples).numpy())
    return weights


@pytest.mark.parametrize(
    ("how", "skip"),
    [
        pytest.param(Normalise.none, Skip.none, marks=pytest.mark.thorough),
        (Normalise.window_standard, Skip.linear),
    ],
)
def test_three_ways_to_decode_the_known_future_agree(how: Normalise, skip: Skip, tmp_path: Path) -> None:
    """A served forecast would read the price of another step, or a saved network could not be loaded safely."""
    dataset = DatasetConfig(normalise=how, horizons=Horizons.all, future=["b", "c"])
    model = ModelConfig(units=[4, 3], wiring=Wiring.encoder_decoder, skip=skip, decoder=Decoder.future)
    config = Config(look_back=4, horizon=3, dataset=dataset, model=model)
    interface = (9, 3, (0,), 8, RowLayout(2))  # a, b, c; b and c of three steps ahead
    weights = assert_three_ways_agree(config, interface, tmp_path)
    assert [weight.shape[0] for weight in weights if weight.ndim == 2][:6:2] == [3, 4, 5]  # a, b, c; then h, b, c


EMBEDDED: dict[str, tuple[dict[str, Any], tuple[int, int, int], RowLayout]] = {
    "lags as features": ({"dataset": {"lags_as": LagsAs.features}}, (6, 1, 5), RowLayout(0, ((1, 0), (4, 1)), (3, 2))),
    "decoder": (
        {
            "horizon": 2,
            "dataset": {"horizons": Horizons.all, "normalise": Normalise.window_last},
            "model": {"wiring": Wiring.encoder_decoder, "decoder": Decoder.future, "skip": Skip.linear},
        },
        (13, 2, 12),  # a, c=x, c=y, d=x, d=y; twice what is known ahead: c=x, c=y and two numbers
        RowLayout(4, ((1, 0), (3, 1), (5, 0), (9, 0)), (2, 2)),
    ),
}


@pytest.mark.parametrize("name", EMBEDDED)
def test_three_ways_to_embed_categories_agree(name: str, tmp_path: Path) -> None:
    """A served forecast would look up the numbers of another value, or of another category."""
    keys, (features, outputs, untouched), layout = EMBEDDED[name]
    dataset, model = DatasetConfig(**keys["dataset"]), ModelConfig(units=[4], embedding=3, **keys.get("model", {}))
    config = Config(look_back=4, horizon=keys.get("horizon", 1), dataset=dataset, model=model)
    rows = 4 // config.time_steps
    weights = assert_three_ways_agree(config, (features * rows, outputs, (0,), untouched, layout), tmp_path)
    assert [weight.shape for weight in weights[:2]] == [(size, 3) for size in layout.sizes]


def test_a_value_is_a_row_of_its_table_wherever_it_stands() -> None:
    """Tomorrow's rain would be other numbers than today's, or a value that was never learnt passes for a known one."""
    layout = RowLayout(2, ((1, 0), (4, 0)), (2,))  # sales, rain, sun, price, rain+1, sun+1
    table = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    matrix = layout.lay_tables([table], 6, np)
    row = np.array([[7, 0, 1, 8, 1, 0], [7, 0, 0, 8, 0, 1]], np.float32)
    assert (row @ matrix).tolist() == [[7, 4, 5, 6, 8, 1, 2, 3], [7, 0, 0, 0, 8, 4, 5, 6]]
    columns = ("sales", "w=rain", "w=sun", "price", "w=rain+1", "w=sun+1")
    assert layout.name(columns, 2) == ["sales", "w 1", "w 2", "price", "w 1+1", "w 2+1"]


def test_a_step_of_the_decoder_reads_no_step_after_it() -> None:
    """What is known of the third day ahead would change the forecast for the first; or be read from an earlier row."""
    model = ModelConfig(units=[3], wiring=Wiring.encoder_decoder, decoder=Decoder.future)
    config = Config(horizon=3, dataset=DatasetConfig(horizons=Horizons.all, future=["b"]), model=model)
    layers, random = plan_layers(config, 5, 3, layout=RowLayout(1)), np.random.default_rng(7)
    plain = build_numpy_network(layers, [random.normal(size=each) for layer in layers for each in layer.weight_shapes])
    sample = random.normal(size=(1, 3, 5)).astype(np.float32)
    before = plain.answer(sample)[0]
    for step in range(3):
        changed = sample.copy()
        changed[:, -1, 2 + step] += 1  # a row is a, b, b+1, b+2, b+3
        assert (plain.answer(changed)[0] != before).tolist() == [place >= step for place in range(3)]
    sample[:, :-1, 2:] += 1  # of rows before the last one
    np.testing.assert_array_equal(plain.answer(sample)[0], before)


VOCABULARY = 7
TEXTS: list[tuple[Cell, int | None, Wiring]] = [
    (Cell.lstm, None, Wiring.many_to_many),
    (Cell.gru, None, Wiring.many_to_one),
    (Cell.simple_rnn, None, Wiring.many_to_many),
    (Cell.lstm, 3, Wiring.many_to_one),
]


@pytest.mark.parametrize(("cell", "embedding", "wiring"), TEXTS)
def test_three_ways_to_read_a_text_agree(cell: Cell, embedding: int | None, wiring: Wiring, tmp_path: Path) -> None:
    """A text would be written by another network than the one that was trained, or by one that cannot be loaded."""
    model = ModelConfig(cell=cell, units=[4, 3], wiring=wiring, embedding=embedding)
    config = Config(model=model, dataset=DatasetConfig(source=Source.text), stateful=True, batch_size=ROWS, look_back=6)
    network = build_training_network(config, 1, VOCABULARY)
    random = np.random.default_rng(4)
    weights = [random.normal(size=weight.shape).astype(np.float32) for weight in network.get_weights()]
    network.set_weights(weights)
    plain = build_numpy_network(plan_layers(config, 1, VOCABULARY), weights)
    assert network.count_params() == sum(layer.num_parameters for layer in plain.layers)
    samples = random.integers(0, VOCABULARY, (ROWS, 6, 1)).astype(np.float32)
    expected = network(samples).numpy().reshape(ROWS, -1, VOCABULARY)  # (rows, positions, outputs)
    np.testing.assert_allclose(plain.answer(samples), expected[:, -1], atol=2e-5)
    np.testing.assert_allclose(plain.read(samples, plain.zero_states(ROWS))[0], expected[:, -1], atol=2e-5)
    function = read_network(network)
    packed, inputs = tf.constant(function.pack(weights))[None], tf.constant(np.swapaxes(samples, 0, 1)[:, None])
    outputs = function.apply(packed, inputs, function.zero_states(1, ROWS), every_step=True)[0].numpy()
    np.testing.assert_allclose(outputs[-1, 0], expected[:, -1], atol=2e-5)
    served = build_serving_network(config, 1, VOCABULARY)
    served.set_weights(weights)
    served.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(loaded(samples).numpy().reshape(expected.shape), expected, atol=2e-5)


@pytest.mark.parametrize("cell", list(Cell))
def test_numpy_carries_the_state_that_keras_carries(cell: Cell) -> None:
    """A stream would drift away from the network step by step."""
    config = configure(Wiring.many_to_one, cell)
    _, weights, plain = build(config)
    streaming = build_streaming_network(config, FEATURES, TARGETS)
    streaming.set_weights(weights)
    sequence = np.random.default_rng(2).normal(size=(1, 30, FEATURES)).astype(np.float32)
    expected = streaming(sequence).numpy()[0]  # (30, outputs)
    states, one_by_one = plain.zero_states(1), []
    for step in range(30):
        outputs, states = plain.step(sequence[:, step], states)
        one_by_one.append(outputs[0])
    np.testing.assert_allclose(one_by_one, expected, atol=2e-5)
    first, halfway = plain.read(sequence[:, :11], plain.zero_states(1))
    np.testing.assert_allclose(first[0], expected[10], atol=2e-5)
    np.testing.assert_allclose(plain.read(sequence[:, 11:], halfway)[0][0], expected[-1], atol=2e-5)


def test_a_lane_does_not_see_its_neighbours() -> None:
    """400 lanes in one process would mix their states."""
    _, _, plain = build(configure(Wiring.many_to_one, Cell.lstm))
    samples = np.random.default_rng(3).normal(size=(7, 6, FEATURES)).astype(np.float32)
    together, _ = plain.read(samples, plain.zero_states(7))
    alone, _ = plain.read(samples[3:4], plain.zero_states(1))
    np.testing.assert_allclose(together[3], alone[0], atol=1e-6)


def test_weights_of_another_network_are_refused() -> None:
    """A saved file of another shape would be served as if it fitted."""
    config = configure(Wiring.many_to_one, Cell.lstm)
    _, weights, _ = build(config)
    with pytest.raises(ValueError, match=r"needs weights of the shapes .*\(4,.*but got"):
        build_numpy_network(plan_layers(config, FEATURES + 1, TARGETS), weights)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"return_sequences": True, "wiring": Wiring.encoder_decoder}, "return_sequences=true is short for .*leave"),
        ({"wiring": Wiring.one_to_one}, "one_to_one reads one time step, but look_back=3 gives 3; set look_back=1"),
        ({"wiring": Wiring.one_to_many, "look_back": 1}, "one_to_many gives several steps, but horizon=1"),
        ({"wiring": Wiring.encoder_decoder}, "encoder_decoder gives several steps, .*horizon=6 dataset.horizons=all"),
        ({"decoder": Decoder.future}, "model.decoder=future needs model.wiring=encoder_decoder; leave it out"),
        ({"wiring": Wiring.one_to_one, "look_back": 1, "stateful": True}, "stateful=true carries .*has none for"),
        ({"wiring": Wiring.one_to_one, "look_back": 1, "dropout": 0.1}, "belong to recurrent layers; .*set them to 0"),
    ],
)  # fmt: skip
def test_wirings_that_make_no_sense_are_refused(changes: dict[str, Any], complaint: str) -> None:
    """A wiring would be trained that is not what was asked for."""
    own = {key: changes.pop(key) for key in ("wiring", "dropout", "decoder") if key in changes}
    model = ModelConfig(**own)
    with pytest.raises(UserError, match=complaint):
        check_ranges(Config(model=model, dataset=DatasetConfig(path="a.csv"), **changes))
