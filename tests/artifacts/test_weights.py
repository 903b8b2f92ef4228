"""weights.npz: every seed's weights come back as they were, and nothing else is read from it."""

import pickle
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts.weights import FILE_NAME, load_weights, save_weights
from pipeline.base.errors import UserError
from pipeline.config.schema import Config, ModelConfig
from pipeline.models.keras_network import build_serving_network

SHAPES = [(2, 12), (3, 12), (12,), (3, 1), (1,)]


def random_weights(seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(size=shape).astype(np.float32) for shape in SHAPES]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Three seeds, the second one the best."""
    save_weights(tmp_path, [7, 8, 9], 1, [random_weights(seed) for seed in (7, 8, 9)])
    return tmp_path / FILE_NAME


def test_round_trip(saved: Path) -> None:
    """A run could not be served or explained: other weights come back, in another order, or of another seed."""
    loaded = load_weights(saved)
    assert (loaded.seeds.tolist(), loaded.best) == ([7, 8, 9], 1)
    assert len(loaded.arrays) == len(SHAPES)
    for position, seed in enumerate((7, 8, 9)):
        for array, weight in zip(loaded.arrays, random_weights(seed), strict=True):
            assert array.dtype == np.float32
            np.testing.assert_array_equal(array[position], weight)
    for one, other in zip(loaded.of_best(), random_weights(8), strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_plain_arrays_are_in_the_file(saved: Path) -> None:
    """A reader that trusts nobody could not open it, or a setting of NumPy was written as if it were a weight."""
    with np.load(saved, allow_pickle=False) as file:
        assert sorted(file.files) == ["best", "seeds", *(f"weight_{number:03d}" for number in range(len(SHAPES)))]


def test_more_than_ten_weights_keep_their_order(tmp_path: Path) -> None:
    """Weight 10 would come before weight 2, as names are sorted: a deep network would be put together wrongly."""
    weights = [np.full((1,), number, np.float32) for number in range(120)]
    save_weights(tmp_path, [1], 0, [weights])
    assert [float(weight[0]) for weight in load_weights(tmp_path / FILE_NAME).of_best()] == list(range(120))


def test_weights_of_a_network_fit_back(tmp_path: Path) -> None:
    """What Keras gave would not fit into the network that is rebuilt from the configuration."""
    config = Config(look_back=4, batch_size=2, model=ModelConfig(units=[3, 2]))
    network = build_serving_network(config, 2, 1)
    save_weights(tmp_path, [1], 0, [network.get_weights()])
    again = build_serving_network(config, 2, 1)
    again.set_weights(load_weights(tmp_path / FILE_NAME).of_best())
    window = np.ones((1, 4, 2), np.float32)
    np.testing.assert_array_equal(again(window).numpy(), network(window).numpy())


def test_digest_names_the_best_network(tmp_path: Path) -> None:
    """Two networks could not be told apart, or one network would have two names."""

    def digest(best: int, *seeds: int) -> str:
        save_weights(tmp_path, seeds, best, [random_weights(seed) for seed in seeds])
        return load_weights(tmp_path / FILE_NAME).digest()

    assert digest(0, 7, 8) == digest(1, 8, 7) == digest(0, 7)
    assert digest(0, 7) != digest(0, 8)
    assert len(digest(0, 7)) == 64


# ------------------------------------------------------------------------------------------------- what is refused


def spoil_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"seeds": [1]}))


def spoil_object_array(path: Path) -> None:
    np.savez(path, seeds=np.array([1]), best=np.array(0), weight_000=np.array([{"a": 1}], dtype=object))


def spoil_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def spoil_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    at = content.find(random_weights(7)[0].tobytes())
    content[at] ^= 0xFF
    path.write_bytes(bytes(content))


SPOILED = {
    "a pickle": spoil_pickle,
    "an array of objects": spoil_object_array,
    "cut off": spoil_end,
    "a flipped byte": spoil_middle,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("weights\n"),
    "missing": lambda path: path.unlink(),
    "one array": lambda path: path.write_bytes(_npy(np.ones(3))),
    "no seeds": lambda path: np.savez(path, best=np.array(0), weight_000=np.ones((1, 2))),
    "no best": lambda path: np.savez(path, seeds=np.array([1]), weight_000=np.ones((1, 2))),
    "seeds of no length": lambda path: np.savez(path, seeds=np.array(1), best=np.array(0), weight_000=np.ones((1, 2))),
    "a weight of no length": lambda path: np.savez(path, seeds=np.array([1]), best=np.array(0), weight_000=np.array(1)),
}


def _npy(array: np.ndarray) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_file_is_refused(saved: Path, name: str) -> None:
    """A damaged download would end in a traceback, serve wrong numbers, or execute what somebody put into it."""
    SPOILED[name](saved)
    with pytest.raises(
        UserError, match=r"^weights\.npz of the run (cannot be read: .*; train the run again|is damaged: .*)$"
    ):
        load_weights(saved)


@pytest.mark.parametrize(
    ("best", "entries"), [(1, 1), (-1, 1), (0, 2)], ids=["best too high", "best below zero", "weights of two seeds"]
)
def test_arrays_that_do_not_go_together_are_refused(tmp_path: Path, best: int, entries: int) -> None:
    """Another seed than the best one would be served, without a word."""
    np.savez(tmp_path / FILE_NAME, seeds=np.array([1]), best=np.array(best), weight_000=np.ones((entries, 2)))
    with pytest.raises(UserError, match=r"weights\.npz of the run is damaged: .* one entry per seed"):
        load_weights(tmp_path / FILE_NAME)


def test_a_seed_is_found_by_its_number(tmp_path: Path) -> None:
    """People ask for seed 5 and are shown another network."""
    save_weights(tmp_path, [4, 5], 0, [[np.zeros(2)], [np.ones(2)]])
    saved = load_weights(tmp_path / FILE_NAME)
    assert saved.of_seed(5).of_best()[0].tolist() == [1, 1]
    with pytest.raises(UserError, match=r"the run has no seed 6; it has 4, 5"):
        saved.of_seed(6)
