"""Networks that measure each window by its own past: what moves the series moves their forecasts, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.config.gates import check_ranges
from pipeline.config.schema import (
    Config,
    DatasetConfig,
    HeadName,
    Horizons,
    LagsAs,
    ModelConfig,
    Normalise,
    Scaler,
    Skip,
    Source,
)
from pipeline.models.heads.families import NegativeBinomial
from pipeline.models.numpy_network import NumpyNetwork, build_numpy_network, normalise
from pipeline.models.plan import plan_layers
from pipeline.models.window_rule import WindowRule

RULES = [how for how in Normalise if how is not Normalise.none]
SHIFTED = [how for how in RULES if how is not Normalise.window_scale]
STEPS, TARGETS = 2, (1, 0)  # two steps ahead, of the second feature and of the first


def build(how: Normalise, lags_as: LagsAs = LagsAs.time_steps) -> NumpyNetwork:
    """Return a network of random weights that reads 5 rows of two features."""
    dataset = DatasetConfig(normalise=how, lags_as=lags_as, horizons=Horizons.all)
    config = Config(look_back=5, horizon=STEPS, dataset=dataset, model=ModelConfig(units=[4]))
    layers = plan_layers(config, 2 * 5 // config.time_steps, STEPS * 2, TARGETS)
    random = np.random.default_rng(1)
    return build_numpy_network(layers, [random.normal(size=shape) for layer in layers for shape in layer.weight_shapes])


def windows(lags_as: LagsAs = LagsAs.time_steps) -> np.ndarray:
    """Ten windows of normal noise, as the network of `build` reads them."""
    rows = np.random.default_rng(2).normal(size=(10, 5, 2)).astype(np.float32)
    return rows.reshape(10, 1, 10) if lags_as is LagsAs.features else rows


@pytest.mark.parametrize("lags_as", LagsAs)
@pytest.mark.parametrize("how", SHIFTED)
def test_what_is_added_to_a_series_is_added_to_its_forecasts(how: Normalise, lags_as: LagsAs) -> None:
    """A series that has risen would be forecast on the level of its training part."""
    network, samples = build(how, lags_as), windows(lags_as)
    added = np.array([8.0, -4.0], np.float32)  # another constant for each feature
    moved = network.answer(samples + np.tile(added, samples.shape[-1] // 2))
    np.testing.assert_allclose(moved, network.answer(samples) + np.tile(added[list(TARGETS)], STEPS), atol=1e-5)


def test_what_stretches_a_series_stretches_its_forecasts() -> None:
    """A series that swings more than in its training part would be forecast with the swings of then."""
    stretch = np.array([4.0, 0.5], np.float32)
    for how, is_stretched in ((Normalise.window_standard, True), (Normalise.window_mean, False)):
        network, samples = build(how), windows()
        stretched = network.answer(samples * stretch)
        expected = network.answer(samples) * np.tile(stretch[list(TARGETS)], STEPS)
        assert np.allclose(stretched, expected, atol=1e-4) is is_stretched


def test_numbers_by_hand() -> None:
    """Another row would be taken off than the last one, or another deviation divide."""
    window = np.array([[[1.0], [2.0], [6.0]]], np.float32)
    read = {how: normalise(WindowRule(how, 1, (0,)), window).ravel().tolist() for how in RULES}
    assert read[Normalise.window_last] == [-5, -4, 0]
    assert read[Normalise.window_mean] == [-2, -1, 3]
    assert read[Normalise.window_scale] == [0.25, 0.5, 1.5]
    assert read[Normalise.window_standard] == pytest.approx(np.array([-2, -1, 3]) / np.sqrt(14 / 3))


def test_a_mean_of_counts_grows_with_its_window_and_its_dispersion_stays() -> None:
    """A shop that sells a hundred times as much is forecast like a small one, or as if its days were alike."""
    dataset = DatasetConfig(normalise=Normalise.window_scale, scaler=Scaler.none)
    model = ModelConfig(units=[4], head=HeadName.negative_binomial, quantiles=[0.1, 0.5, 0.9])
    config = Config(look_back=5, dataset=dataset, model=model)
    check_ranges(replace(config, dataset=replace(dataset, name="x", source=Source.sine)))
    layers = plan_layers(config, 1, 2, (0,))
    random = np.random.default_rng(1)
    network = build_numpy_network(
        layers, [random.normal(size=shape) for layer in layers for shape in layer.weight_shapes]
    )
    samples = random.poisson(4.0, size=(10, 5, 1)).astype(np.float32)
    size = 1 + samples.mean(axis=1)  # (windows, 1)
    core = NegativeBinomial().rule.apply(network.core.answer(samples / size[:, None]), np)
    said = network.answer(samples)
    np.testing.assert_allclose(said[:, :1], core[:, :1] * size, rtol=1e-5)
    np.testing.assert_allclose(said[:, 1], core[:, 1], rtol=1e-5)


@pytest.mark.parametrize("how", RULES)
def test_a_calendar_has_no_level_of_its_own(how: Normalise) -> None:
    """A network would be told how far the month is from this window's months, and not which month it is."""
    samples = windows()
    read = normalise(WindowRule(how, 2, (0,), untouched=1), samples)
    alone = normalise(WindowRule(how, 1, (0,)), samples[:, :, :1])
    np.testing.assert_array_equal(read[:, :, 1], samples[:, :, 1])
    np.testing.assert_allclose(read[:, :, 0], alone[:, :, 0], rtol=1e-6)
    dataset = DatasetConfig(normalise=how)
    rule = plan_layers(Config(look_back=5, dataset=dataset), 3, 1, (0,), 2)[0].rule
    assert rule is not None and (rule.features, rule.untouched) == (3, 2)


@pytest.mark.parametrize("how", SHIFTED)
def test_a_window_that_does_not_move_is_read_as_zeros(how: Normalise) -> None:
    """A shop that was closed for a week would be a division by zero, and everything after it no number."""
    network, samples = build(how), np.full((1, 5, 2), 0.7, np.float32)
    rule = network.layers[0].rule
    assert rule is not None and not normalise(rule, samples).round(4).any()
    assert np.isfinite(network.answer(samples)).all()


def test_the_core_is_all_but_the_measuring() -> None:
    """The certificate and the gate viewer would read something else than the cells."""
    network = build(Normalise.window_mean)
    assert [layer.name for layer in network.layers] == ["normalise", "lstm_1", "head", "denormalise"]
    assert [layer.name for layer in network.core.layers] == ["lstm_1", "head"]
    assert len(network.core.weights) == 2


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"stateful": True},
            "window_mean measures each .* stateful=true .*carried state.*set stateful=false",
        ),
        ({"return_sequences": True}, "window_mean measures a window by all its rows.*set return_sequences=false"),
        ({"look_back": 1}, "window_mean of one row leaves .*look_back=1; set look_back=2 or more"),
    ],
)
def test_what_cannot_be_measured_is_refused(changes: dict[str, object], complaint: str) -> None:
    """A network would be trained whose early outputs know the end of their window, or that reads nothing but zeros."""
    dataset = DatasetConfig(name="sine", source=Source.sine, normalise=Normalise.window_mean)
    with pytest.raises(UserError, match=complaint):
        check_ranges(Config(**({"look_back": 3} | changes), dataset=dataset))


def test_a_text_is_neither_normalised_nor_mapped() -> None:
    """The ids of tokens would be shifted like values, or their sum would be a logit."""
    dataset = DatasetConfig(name="text", source=Source.text, path="a.txt", normalise=Normalise.window_last)
    with pytest.raises(UserError, match=r"a text needs dataset.normalise=none: tokens are no numbers"):
        check_ranges(Config(dataset=dataset))
    with pytest.raises(UserError, match=r"a text needs model.skip=none: tokens are no numbers"):
        check_ranges(Config(dataset=replace(dataset, normalise=Normalise.none), model=ModelConfig(skip=Skip.linear)))
