"""Where a training runs. A GPU is played by the CPU under another name: what is decided and divided is the same."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.errors import UserError
from pipeline.config.schema import Device
from pipeline.models.plan import plan_layers
from pipeline.training import devices, fused
from pipeline.training.devices import Gpu, Placement, count_fitting, place_training, train_as_fits
from pipeline.training.groups import Job, size_groups
from pipeline.training.programs import Programs
from pipeline.training.train import most_side_by_side, train_seeds, train_side_by_side

GIGABYTE = 2**30
PLAYED = "/CPU:0"


@pytest.fixture
def play_gpu(monkeypatch):
    """Pretend that there is a GPU with so many bytes."""

    def play(memory: int) -> None:
        monkeypatch.setattr(devices, "find_gpu", lambda: Gpu(PLAYED, memory))

    return play


@pytest.fixture
def groups_made(monkeypatch) -> list[list[int]]:
    """The seeds of every group that was trained."""
    made: list[list[int]] = []
    make_groups = fused.make_groups

    def note(*arguments):
        for group in make_groups(*arguments):
            made.append(group.seeds)
            yield group

    monkeypatch.setattr(fused, "make_groups", note)
    return made


def test_without_a_gpu_the_cores_train(make_config, make_data) -> None:
    """A laptop would be asked for a card it has not got, or be told nothing when it names one."""
    config = make_config()
    assert place_training(config, make_data(config)).tell() == "cpu:0: TensorFlow sees no GPU"
    config = make_config(training={"device": Device.gpu})
    with pytest.raises(UserError, match=r"training.device=gpu, but TensorFlow sees no GPU.*lstm-pipeline\[gpu\]"):
        place_training(config, make_data(config))


@pytest.mark.parametrize(
    ("settings", "on_gpu"),
    [
        ({"model": {"units": [4]}, "batch_size": 1, "seeds": 8}, False),
        ({"model": {"units": [128]}, "batch_size": 64, "seeds": 1}, True),
        ({"model": {"units": [32]}, "batch_size": 32, "seeds": 8}, False),
        ({"model": {"units": [128]}, "batch_size": 64, "seeds": 1, "training": {"device": Device.cpu}}, False),
        ({"model": {"units": [4]}, "batch_size": 1, "seeds": 1, "training": {"device": Device.gpu}}, True),
    ],
    ids=str,
)
def test_the_size_of_a_network_decides(settings, on_gpu, make_config, make_data, play_gpu, monkeypatch) -> None:
    """The tutorial's network would take ten times as long on a card, or a large one never see the card."""
    play_gpu(8 * GIGABYTE)
    monkeypatch.setattr(devices, "count_cores", lambda: 16)
    config = make_config(**settings)
    assert place_training(config, make_data(config)).on_gpu is on_gpu


def test_memory_bounds_a_group(make_config, make_data) -> None:
    """A group would not fit into the card, or a card would be left half empty."""
    config = make_config(model={"units": [128]}, batch_size=64, look_back=6)
    data = make_data(config)
    layers = plan_layers(config, *data.windows.interface)
    one, two = (count_fitting(config, data, layers, memory) for memory in (GIGABYTE, 2 * GIGABYTE))
    assert 1 < one <= two / 2 + 1
    assert count_fitting(config, data, layers, 1) == 1
    wider = make_config(model={"units": [256]}, batch_size=64, look_back=6)
    assert count_fitting(wider, data, plan_layers(wider, *data.windows.interface), GIGABYTE) < one


@pytest.mark.parametrize(("seeds", "most", "size"), [(1, 100, 1), (100, 100, 100), (101, 100, 51), (7, 1, 1)])
def test_groups_of_a_gpu_are_equal(seeds, most, size, make_config) -> None:
    """The last group would be filled up with nothing but copies, and the card compute them."""
    assert size_groups(make_config(), None, Placement("/GPU:0", "asked", most), seeds) == size


@pytest.mark.thorough
def test_all_seeds_of_all_configurations_are_one_group(make_config, make_data, play_gpu, groups_made) -> None:
    """A card would train four seeds at a time, as a core does, and idle."""
    play_gpu(GIGABYTE)
    settings = {"seeds": 5, "training": {"epochs": 2, "device": Device.gpu}}
    configs = [make_config(**settings), make_config(**settings)]
    configs[1].training.learning_rate = 0.1
    data = make_data(configs[0])
    assert most_side_by_side(configs[0], data) > 1000
    with Programs() as programs:
        first, second = train_side_by_side([Job(config, data) for config in configs], programs, lambda report: None)
    assert groups_made == [[1, 2, 3, 4, 5, 1, 2, 3, 4, 5]]
    assert first.device == "cpu:0: training.device=gpu asks for it"
    on_cores = train_seeds(make_config(**settings | {"training": {"epochs": 2}}), data, lambda report: None)
    for mine, theirs in zip(first.seeds, on_cores.seeds, strict=True):
        assert mine.seed == theirs.seed
        np.testing.assert_allclose(mine.losses, theirs.losses, rtol=1e-5)
    assert not np.allclose(first.forecasts, second.forecasts)


def full(limit: int):
    """Return a training that fits with so many seeds in a group, and what it was tried with."""
    tried = []

    def train(placement: Placement) -> str:
        tried.append(placement.most_seeds)
        if placement.most_seeds is not None and placement.most_seeds > limit:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return "trained"

    return train, tried


def test_a_full_card_gets_smaller_groups(caplog) -> None:
    """An estimate of memory that is too low would end a sweep."""
    train, tried = full(3)
    assert train_as_fits(Placement("/GPU:0", "asked", 500), Device.auto, 20, train)[0] == "trained"
    assert tried == [500, 10, 5, 2]
    assert "/GPU:0 is full with 20 seeds in a group; now 10" in caplog.text


def test_a_network_that_does_not_fit_goes_to_the_cores(caplog) -> None:
    """A card that someone else uses would end a sweep that the cores can train."""
    train, tried = full(0)
    _, placement = train_as_fits(Placement("/GPU:0", "asked", 500), Device.auto, 2, train)
    assert (placement.name, placement.on_gpu, tried) == ("/CPU:0", False, [500, 1, None])
    assert "now on the cores" in caplog.text
    with pytest.raises(UserError, match="one seed does not fit into the memory of /GPU:0; lower batch_size"):
        train_as_fits(Placement("/GPU:0", "asked", 500), Device.gpu, 2, train)


def test_memory_of_the_cores_is_not_tried_again() -> None:
    """A host without memory would be asked for the same memory for ever."""

    def train(placement: Placement) -> str:
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    with pytest.raises(tf.errors.ResourceExhaustedError):
        train_as_fits(devices.ON_CORES, Device.auto, 2, train)
