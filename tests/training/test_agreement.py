"""The two engines are one training: same initial weights, same batches, same data, so the same losses and forecasts.

The product of cell x stateful x return_sequences x layers x batch size x optimizer has 192 combinations, ten minutes. A
part in which every pair of values meets is run by default, all of them with `make test ARGS=--every-combination`. The
optimizers only take turns by default: they meet Keras' own in test_updates.py. So do the losses and clipping, always.
"""

import itertools

import numpy as np
import pytest

from pipeline.config.schema import Cell, Engine, Horizons, LagsAs, Loss, Optimizer, Order, Wiring
from pipeline.training.train import train_seeds

# Loss, clipping, epochs: the steps of mae jump where an error changes its sign, and clipping amplifies rounding.
LOSSES = ((Loss.mse, 1.0, 20), (Loss.mae, None, 5), (Loss.huber, 0.01, 5))
AXES = {
    "cell": list(Cell),
    "stateful": [False, True],
    "return_sequences": [False, True],
    "units": [[3], [4, 3]],
    "batch_size": [1, 2],  # 2: the last batch, and the last group of lanes, is not full
    "optimizer": list(Optimizer),
}


def cover_pairs(axes: dict[str, list]) -> list[tuple]:
    """Return some combinations in which every two values of two axes meet: greedily the one with most new pairs."""
    every = list(itertools.product(*axes.values()))

    def pairs(combination: tuple) -> set:
        return set(itertools.combinations([(axis, str(value)) for axis, value in enumerate(combination)], 2))

    chosen, seen = [], set()
    while best := max(every, key=lambda each: len(pairs(each) - seen)):
        if pairs(best) <= seen:
            return chosen
        chosen.append(best)
        seen |= pairs(best)
    return chosen


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "combination" in metafunc.fixturenames:
        everything = metafunc.config.getoption("--every-combination")
        network = {name: values for name, values in AXES.items() if name != "optimizer"}
        turns = [(*each, optimizer) for each, optimizer in zip(cover_pairs(network), itertools.cycle(Optimizer))]
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
    assert fused.choice.engine is Engine.fused
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
        "model": {"wiring": Wiring.encoder_decoder, "cell": Cell.gru, "units": [3, 4]},
        "dataset": {"horizons": Horizons.all},
    },
}


@pytest.mark.parametrize("name", OTHERS)
def test_engines_agree_on_other_settings(name, make_config, make_data, ignore_epoch) -> None:
    """A loss, clipping, early stopping or a framing of the data would mean another thing in the default engine."""

    def config_of(engine: Engine):
        changes = OTHERS[name]
        return make_config(**changes | {"training": changes.get("training", {}) | {"engine": engine}})

    assert_engines_agree(config_of, make_data, ignore_epoch)
