"""The two engines are one training: same initial weights, same batches, same data, so the same losses and forecasts.

The product of cell x stateful x return_sequences x layers x batch size x optimizer has 192 combinations, ten minutes:
`make test ARGS=--every-combination`. By default a part is run in which every value occurs; with --thorough, as CI does,
one in which every pair of values meets. The optimizers only take turns there: they meet Keras' own in test_updates.py.
So do the losses and clipping, always.
"""

import itertools

import numpy as np
import pytest

from pipeline.config.schema import (
    Cell,
    Decoder,
    Engine,
    HeadName,
    Horizons,
    LagsAs,
    Loss,
    Normalise,
    Optimizer,
    Order,
    Skip,
    Wiring,
)
from pipeline.training.train import train_seeds

# Loss, clipping, epochs: the steps of mae jump where an error changes its sign, and clipping amplifies rounding.
LOSSES = ((Loss.mse, 1.0, 10), (Loss.mae, None, 5), (Loss.huber, 0.01, 5))
AXES = {
    "cell": list(Cell),
    "stateful": [False, True],
    "return_sequences": [False, True],
    "units": [[3], [4, 3]],
    "batch_size": [1, 2],  # 2: the last batch, and the last group of lanes, is not full
    "optimizer": list(Optimizer),
}


def cover(axes: dict[str, list], strength: int) -> list[tuple]:
    """Return some combinations in which every `strength` values of as many axes meet, greedily the most new ones."""
    every = list(itertools.product(*axes.values()))

    def meetings(combination: tuple) -> set:
        return set(itertools.combinations([(axis, str(value)) for axis, value in enumerate(combination)], strength))

    chosen, seen = [], set()
    while best := max(every, key=lambda each: len(meetings(each) - seen)):
        if meetings(best) <= seen:
            return chosen
        chosen.append(best)
        seen |= meetings(best)
    return chosen


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "combination" in metafunc.fixturenames:
        everything = metafunc.config.getoption("--every-combination")
        strength = 2 if metafunc.config.getoption("--thorough") else 1
        network = {name: values for name, values in AXES.items() if name != "optimizer"}
        turns = [(*each, optimizer) for each, optimizer in zip(cover(network, strength), itertools.cycle(Optimizer))]
        chosen = list(itertools.product(*AXES.values())) if everything else turns
        combinations = [(*each, *loss) for each, loss in zip(chosen, itertools.cycle(LOSSES))]
        names = ["-".join(str(getattr(value, "value", value)) for value in each) for each in combinations]
        metafunc.parametrize("combination", combinations, ids=names)


def assert_engines_agree(config_of, make_data, ignore_epoch) -> None:
    trainings = []
    for engine in (Engine.fit, Engine.fused):
        config = config_of(engine)
        data = make_data(config)
        trainings.append(train_seeds(config, data, ignore_epoch))
    fit, fused = trainings
    assert fused.engine is Engine.fused
    spread = np.ptp(data.windows.targets)
    for one, other in zip(fused.seeds, fit.seeds, strict=True):
        np.testing.assert_allclose(one.losses, other.losses, rtol=1e-4)
        np.testing.assert_allclose(one.val_losses, other.val_losses, rtol=1e-4)
        assert one.kept_epoch == other.kept_epoch
    np.testing.assert_allclose(fused.forecasts, fit.forecasts, atol=1e-3 * spread)


def test_engines_agree(combination, make_config, make_data, ignore_epoch) -> None:
    """The default engine would train another network than keras.Model.fit does."""
    cell, stateful, return_sequences, units, batch_size, optimizer, loss, clip_norm, epochs = combination
    training = {"optimizer": optimizer, "loss": loss, "clip_norm": clip_norm, "epochs": epochs}

    def config_of(engine: Engine):
        return make_config(
            stateful=stateful,
            return_sequences=return_sequences,
            batch_size=batch_size,
            model={"cell": cell, "units": units},
            training=training | {"engine": engine},
        )

    assert_engines_agree(config_of, make_data, ignore_epoch)


OTHERS = {
    "early stopping": {
        "batch_size": 8,
        "seeds": 3,
        "model": {"cell": Cell.simple_rnn, "units": [8]},
        "training": {"epochs": 15, "learning_rate": 0.1, "patience": 2},
    },
    "decay": {
        "batch_size": 4,
        "training": {"epochs": 5, "optimizer": Optimizer.rmsprop, "rho": 0.95, "decay": 0.5, "decay_after": 2},
    },
    "lags as features": {"stateful": True, "dataset": {"lags_as": LagsAs.features}},
    "overlapping": {"stateful": True, "look_back": 6, "dataset": {"order": Order.overlapping}},
    "several features, targets, horizons": {
        "horizon": 2,
        "stateful": True,
        "batch_size": 4,
        "return_sequences": True,
        "dataset": {"horizons": Horizons.all, "segments": 2, "features": ["a", "b"], "targets": ["a", "b"]},
    },
    "normalised": {
        "look_back": 4,
        "horizon": 2,
        "batch_size": 4,
        "dataset": {
            "horizons": Horizons.all,
            "features": ["a", "b"],
            "targets": ["b"],
            "normalise": Normalise.window_standard,
        },
        "model": {"skip": Skip.linear},
    },
    "quantiles": {
        "look_back": 4,
        "horizon": 2,
        "batch_size": 4,
        "dataset": {"horizons": Horizons.all, "normalise": Normalise.window_standard},
        "model": {"head": HeadName.quantile, "skip": Skip.linear, "cell": Cell.simple_rnn},
        "training": {"epochs": 5},
    },
    "distribution": {
        "batch_size": 4,
        "stateful": True,
        "return_sequences": True,
        "dataset": {"segments": 2, "features": ["a", "b"], "targets": ["a", "b"]},
        "model": {"head": HeadName.student_t},
    },
    "one to one": {"look_back": 1, "model": {"wiring": Wiring.one_to_one, "units": [4, 3]}},
    "one to many": {
        "look_back": 1,
        "horizon": 3,
        "model": {"wiring": Wiring.one_to_many},
        "dataset": {"horizons": Horizons.all, "features": ["a", "b"], "targets": ["a", "b"]},
    },
    "encoder-decoder": {
        "horizon": 3,
        "batch_size": 4,
        "model": {"wiring": Wiring.encoder_decoder, "cell": Cell.gru, "skip": Skip.linear},
        "dataset": {"horizons": Horizons.all},
    },
    "categories embedded": {
        "batch_size": 4,
        "stateful": True,
        "model": {"embedding": 2, "cell": Cell.gru},
        "dataset": {"features": ["a"], "future": ["w"], "categories": ["w"], "segments": 2},
    },
    "the known future decoded": {
        "horizon": 2,
        "batch_size": 4,
        "model": {"wiring": Wiring.encoder_decoder, "decoder": Decoder.future},
        "dataset": {"horizons": Horizons.all, "features": ["a"], "future": ["b"]},
    },
}


# What stands in a class of its own elsewhere: rate_of_epoch, the windows, and the lanes have tests.
THOROUGH = (
    "decay",
    "distribution",
    "quantiles",
    "lags as features",
    "overlapping",
    "normalised",
    "one to one",
    "one to many",
    "encoder-decoder",
    "categories embedded",
    "the known future decoded",
    "early stopping",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.thorough) if name in THOROUGH else name for name in OTHERS]
)
def test_engines_agree_on_other_settings(name, make_config, make_data, ignore_epoch) -> None:
    """A loss, clipping, early stopping or a framing of the data would mean another thing in the default engine."""

    def config_of(engine: Engine):
        changes = OTHERS[name]
        return make_config(**changes | {"training": changes.get("training", {}) | {"engine": engine}})

    assert_engines_agree(config_of, make_data, ignore_epoch)
