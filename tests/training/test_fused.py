"""The fused engine's own promises: a seed's numbers depend on nothing but the seed, however the training is cut up."""

from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from pipeline.config.schema import Cell, Engine
from pipeline.training import fused, groups, plans
from pipeline.training.devices import ON_CORES
from pipeline.training.engine import choose_engine
from pipeline.training.forecaster import Forecaster
from pipeline.training.fused import train_fused
from pipeline.training.groups import Job
from pipeline.training.programs import Programs
from pipeline.training.record import EpochReport

SETTINGS = {
    "stateless with dropout": {"batch_size": 4, "model": {"dropout": 0.3}, "training": {"epochs": 5}},
    "stateful": {"batch_size": 2, "stateful": True, "training": {"epochs": 5}},
}
BY_NAME = ["stateless with dropout", pytest.param("stateful", marks=pytest.mark.thorough)]
Trained = tuple[list, np.ndarray]


class CountMaps(list[EpochReport]):
    """The memory maps of this process at each report: a program that is compiled adds some until the training ends."""

    def append(self, report: EpochReport) -> None:
        super().append(report)
        self.counts = [*getattr(self, "counts", []), len(Path("/proc/self/maps").read_text().splitlines())]


@pytest.fixture(scope="module")
def programs() -> Programs:
    """What one test has compiled serves the next."""
    return Programs()


@pytest.fixture
def compile_again(programs) -> Iterator[Callable[[], None]]:
    """For a test that changes what is compiled: before it, after it, and whenever it asks."""
    programs.close()
    yield programs.close
    programs.close()


@pytest.fixture(scope="module")
def train(make_config, make_data, ignore_epoch, programs) -> Iterator[Callable[..., Trained]]:
    def run(seed: int = 1, seeds: int = 1, told: list[EpochReport] | None = None, **changes) -> Trained:
        config = make_config(seed=seed, seeds=seeds, **changes)
        data = make_data(config)
        network = choose_engine(config, data).network
        tell = ignore_epoch if told is None else told.append
        return train_fused([Job(config, data)], network, programs, ON_CORES, tell)[0]

    yield run
    programs.close()


@pytest.fixture(scope="module")
def among_32(train) -> Callable[[str], Trained]:
    """Seeds 1 to 32 of some settings, trained when they are first asked for."""
    return cache(lambda name: train(1, 32, **SETTINGS[name]))


@pytest.fixture(scope="module")
def three(train) -> Trained:
    """Three seeds side by side, without dropout."""
    return train(1, 3, batch_size=4)


def assert_equal_bits(one: Trained, other: Trained) -> None:
    for first, second in zip(one[0], other[0], strict=True):
        assert (first.seed, first.losses, first.val_losses) == (second.seed, second.losses, second.val_losses)
        for weight, expected in zip(first.weights, second.weights, strict=True):
            np.testing.assert_array_equal(weight, expected)
    np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("name", BY_NAME)
def test_a_seed_alone_equals_the_same_seed_among_32(name, train, among_32) -> None:
    """A result could not be repeated alone: its numbers depend on its company."""
    trainings, forecasts = among_32(name)
    assert len({tuple(each.losses) for each in trainings}) == 32
    assert_equal_bits(train(31, 1, **SETTINGS[name]), (trainings[30:31], forecasts[30:31]))


@pytest.mark.parametrize("name", BY_NAME)
def test_numbers_do_not_depend_on_how_a_training_is_cut(name, train, among_32, monkeypatch, compile_again) -> None:
    """A slower machine, or a longer series, would give other numbers: calls, plans and blocks of reading differ."""
    whole = among_32(name)
    monkeypatch.setattr(fused, "_SECONDS_PER_CALL", 1e-9)  # one batch per call
    monkeypatch.setattr(plans, "_LARGEST_PLAN", 4 * 23 * 2)  # two epochs of four seeds per plan
    monkeypatch.setattr(plans, "_STEPS_AT_ONCE", 7)
    monkeypatch.setattr(plans, "_ROWS_AT_ONCE", 15)
    cut = train(**SETTINGS[name])
    np.testing.assert_allclose(cut[0][0].losses, whole[0][0].losses, rtol=1e-5)
    np.testing.assert_allclose(cut[0][0].val_losses, whole[0][0].val_losses, rtol=1e-4)
    np.testing.assert_allclose(cut[1], whole[1][:1], atol=1e-5)


def test_a_diverging_seed_is_named_and_spoils_no_other(train, monkeypatch) -> None:
    """One bad seed would turn the whole run into NaN, or be counted among the good ones."""
    settings = {"seeds": 4, "batch_size": 4, "training": {"epochs": 4, "patience": 3}}
    clean = train(**settings)
    make_groups = fused.make_groups

    def spoil(*arguments):
        for group in make_groups(*arguments):
            group.weights[1] = np.nan  # the second seed
            yield group

    monkeypatch.setattr(fused, "make_groups", spoil)
    trainings, forecasts = train(**settings)
    assert "seed 2: in epoch 1 the loss is nan" in trainings[1].failure
    assert len(trainings[1].losses) == 1
    rest = [0, 2, 3]
    assert not any(trainings[number].failure for number in rest)
    assert_equal_bits(
        ([trainings[number] for number in rest], forecasts[rest]),
        ([clean[0][number] for number in rest], clean[1][rest]),
    )


def test_a_seed_that_stopped_is_frozen_while_others_go_on(train) -> None:
    """Early stopping would depend on the company: a seed is trained on, or stopped, because of another one."""
    settings = {
        "batch_size": 8,
        "model": {"units": [8]},
        "training": {"epochs": 40, "learning_rate": 0.1, "patience": 2},
    }
    told: list[EpochReport] = []
    trainings, forecasts = train(1, 4, told, **settings)
    lengths = [len(each.losses) for each in trainings]
    assert len(set(lengths)) > 1
    assert all(each.kept_epoch == int(np.argmin(each.val_losses)) + 1 for each in trainings)
    first = int(np.argmin(lengths))  # it waited for all others
    assert_equal_bits(train(first + 1, 1, **settings), (trainings[first : first + 1], forecasts[first : first + 1]))
    ended = {report.seed: report.epoch for report in told if report.last}
    assert ended == dict(zip(range(1, 5), lengths, strict=True))


def test_dropout_changes_training_but_no_forecast(three, among_32, make_config, make_data) -> None:
    """model.dropout would do nothing in the default engine, or forecasts would be made with units dropped."""
    plain, _ = three
    dropped, forecasts = among_32("stateless with dropout")
    assert plain[0].losses[0] != dropped[0].losses[0]
    config = make_config(**SETTINGS["stateless with dropout"])
    windows = make_data(config).windows
    by_keras = Forecaster(config, windows).forecast(dropped[0].weights, windows.starts)
    np.testing.assert_allclose(forecasts[0], by_keras, atol=1e-5)


def test_a_large_network_is_trained_one_seed_per_call(make_config, make_data) -> None:
    """Large networks would lose their speed: seeds side by side in one program use one core."""
    small, large = make_config(), make_config(batch_size=26, model={"units": [64]})
    sizes = [
        groups.seeds_per_group(config, choose_engine(config, make_data(config)).network) for config in (small, large)
    ]
    assert sizes == [4, 1]


@pytest.mark.thorough
def test_large_and_small_groups_agree(train, three, monkeypatch, compile_again) -> None:
    """The size of a group would change what is learnt."""
    monkeypatch.setattr(groups, "_SMALL", 0)
    apart = train(1, 3, batch_size=4)
    np.testing.assert_allclose(three[1], apart[1], atol=1e-5)


@pytest.mark.thorough
def test_a_batch_that_is_cut_is_learnt_as_a_whole_one(train, monkeypatch, compile_again) -> None:
    """A large network would learn something else than a small one; or XLA compiles each of its batches again."""
    settings = {"stateful": True, "batch_size": 2, "training": {"epochs": 6, "patience": 6}}
    monkeypatch.setattr(groups, "_SMALL", 0)
    whole = train(**settings)
    monkeypatch.setattr(groups, "_WORTH_CUTTING", 0)
    compile_again()
    told = CountMaps()
    cut = train(told=told, **settings)
    assert max(told.counts) - min(told.counts) < 20
    assert cut[0][0].losses == pytest.approx(whole[0][0].losses, rel=1e-5)
    assert cut[0][0].val_losses == pytest.approx(whole[0][0].val_losses, rel=1e-5)
    np.testing.assert_allclose(whole[1], cut[1], atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("steps", [3, 6])  # written out, and as a loop
def test_parts_learn_the_same_in_turn_and_side_by_side(train, monkeypatch, compile_again, steps) -> None:
    """The bits of a seed of a large network would depend on how many seeds there are, and on the number of cores."""
    settings = SETTINGS["stateless with dropout"] | {"look_back": steps}
    monkeypatch.setattr(groups, "_SMALL", 0)
    monkeypatch.setattr(groups, "_WORTH_CUTTING", 0)
    monkeypatch.setattr(groups, "count_cores", lambda: 2)
    side_by_side, forecasts = train(1, 1, **settings)
    in_turn, others = train(1, 2, **settings)
    assert in_turn[0].losses == side_by_side[0].losses
    np.testing.assert_array_equal(others[0], forecasts[0])


def test_parts_learn_in_turn_where_seeds_keep_the_cores_busy(make_config, make_data, monkeypatch) -> None:
    """Two seeds of a large network would share two cores as four programs, or one would leave a core idle."""
    config = make_config(model={"units": [64]}, batch_size=26)
    data = make_data(config)
    network = choose_engine(config, data).network

    def in_turn(cores: int, *seeds: int) -> bool:
        monkeypatch.setattr(groups, "count_cores", lambda: cores)
        return groups.fill_cores([Job(replace(config, seeds=count), data) for count in seeds], network, ON_CORES)

    assert [in_turn(2, seeds) for seeds in (1, 2, 3, 8, 9, 11)] == [False, True, False, True, False, True]
    assert in_turn(2, 1, 1)  # two jobs of a sweep
    assert in_turn(1, 1)
    assert not in_turn(16, 8)


def test_auto_falls_back_and_says_why(make_config, make_data) -> None:
    """A network that the fused engine does not know would be approximated, or could not be trained at all."""
    config = make_config(model={"recurrent_dropout": 0.2})
    choice = choose_engine(config, make_data(config))
    assert choice.engine is Engine.fit
    assert choice.reason == "not covered by the fused engine: the layer lstm_1 (LSTM) has recurrent_dropout=0.2"


def test_initial_weights_that_are_kept_are_those_of_the_seed(make_config, make_data, monkeypatch) -> None:
    """A job of a sweep would start from the weights of another network or seed, and its scores hang on its company."""
    monkeypatch.setattr(groups, "_kept", {})

    def weights(**changes) -> np.ndarray:
        config = make_config(seeds=1, **changes)
        data = make_data(config)
        return next(iter(groups.make_groups([config], data, choose_engine(config, data).network, ON_CORES))).weights[0]

    first = weights(look_back=2)
    assert len(groups._kept) == 1
    np.testing.assert_array_equal(weights(look_back=5, stateful=True), first)
    assert len(groups._kept) == 1
    for changes in ({"seed": 9}, {"model": {"cell": Cell.gru}}, {"model": {"units": [5]}}):
        kept = weights(**{"look_back": 2} | changes)
        groups._kept.clear()
        np.testing.assert_array_equal(weights(**{"look_back": 2} | changes), kept)
        assert kept.shape != first.shape or not np.array_equal(kept, first)


def test_a_training_of_many_short_calls_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of epochs of a small network fail: how much the next call should train outgrows all numbers."""
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)
    monkeypatch.setattr(fused, "_SECONDS_PER_CALL", 0.005)  # fifty times as long as a call
    plan = SimpleNamespace(weights=[1], first_epoch=0)
    losses = np.zeros((1, 2, 1))
    carry = namedtuple("Carry", "active")(np.array([True]))

    def read(first_epoch: int) -> tuple[SimpleNamespace, np.ndarray]:
        plan.first_epoch = first_epoch
        return SimpleNamespace(plan=plan), losses  # the losses of one epoch are held at a time: each call is short

    program = SimpleNamespace(begin=lambda weights: carry)
    compiled = SimpleNamespace(program=program, train=lambda *given: (carry, losses))
    configs = [SimpleNamespace(training=SimpleNamespace(epochs=400))]
    task = SimpleNamespace(read=read, configs=configs, compiled=compiled, group=SimpleNamespace(weights=None))
    *_, (_, all_losses) = fused.call_by_call(cast(fused.Task, task))
    assert all_losses.shape == (400, 2, 1)
