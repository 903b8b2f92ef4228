"""A run of a text, ready to write: its vocabulary and its network, which reads a token and says what may come next."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.artifacts.recipe_files import CONFIG_NAME
from pipeline.artifacts.weights import FILE_NAME as WEIGHTS_NAME
from pipeline.artifacts.weights import load_weights
from pipeline.base.errors import UserError
from pipeline.config.schema import Config, Wiring
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.vocabulary import FILE_NAME as VOCABULARY_NAME
from pipeline.data.vocabulary import Vocabulary, load_vocabulary
from pipeline.models.numpy_network import NumpyNetwork, build_numpy_network
from pipeline.models.plan import plan_layers
from pipeline.serving.model import load_config

FILES = (CONFIG_NAME, WEIGHTS_NAME, VOCABULARY_NAME)  # what is needed of a run; not what it was trained on
Memory = Sequence[np.ndarray]  # what is remembered of several texts side by side, each array (rows, ...)


@dataclass(frozen=True)
class Writer:
    """One seed of a run of a text.

    Attributes:
        config: The run's configuration.
        vocabulary: Its tokens.
        network: In NumPy: (rows, 1) ids in, (rows, vocabulary) logits out.
        seed: The number of the seed.
        digest: Names network, vocabulary and way of reading: equal digests give equal texts.
    """

    config: Config
    vocabulary: Vocabulary
    network: NumpyNetwork
    seed: int
    digest: str

    @property
    def carries(self) -> bool:
        """Whether the state goes on from token to token; otherwise every token is the answer to a window of its own."""
        return self.config.stateful or self.config.answers_every_step

    def begin(self, rows: int) -> Memory:
        """Return the memory of texts of which nothing was read."""
        return self.network.zero_states(rows) if self.carries else [np.zeros((rows, 0), np.float32)]

    def read(self, ids: IntArray, memory: Memory) -> tuple[FloatArray, Memory]:
        """Read one token of each text.

        Args:
            ids: Shape (rows,).
            memory: Before the token; not changed.

        Returns:
            The logits of the token after it, shape (rows, vocabulary), float32, and the memory after it.
        """
        inputs = ids.astype(np.float32)[:, None]  # (rows, 1)
        if self.carries:
            return self.network.step(inputs, list(memory))
        window = np.concatenate([*memory, inputs], 1)[:, -self.config.look_back :]  # (rows, up to look_back)
        logits, _ = self.network.read(window[..., None], self.network.zero_states(len(ids)))
        return logits, [window]

    def read_all(self, ids: IntArray, rows: int) -> tuple[FloatArray, Memory]:
        """Let texts begin with the same tokens, shape (tokens,), at least one; for the rest see `read`."""
        memory = self.begin(1)
        for each in ids:
            logits, memory = self.read(np.array([each]), memory)
        return np.repeat(logits, rows, 0), [np.repeat(array, rows, 0) for array in memory]


def load_writer(folder: Path, seed: int | None = None) -> Writer:
    """Load a run of a text.

    Args:
        folder: Holds its config.yaml, weights.npz and vocabulary.json.
        seed: The number of the seed; None: the best by validation.

    Raises:
        UserError: If a file is damaged, they do not fit each other, or the run has no such seed or cannot write.
    """
    config = load_config(folder / CONFIG_NAME)
    saved = load_weights(folder / WEIGHTS_NAME)
    if seed is not None:
        saved = saved.of_seed(seed)
    vocabulary = load_vocabulary(folder / VOCABULARY_NAME)
    return make_writer(config, vocabulary, int(saved.seeds[saved.best]), saved.of_best())


def make_writer(config: Config, vocabulary: Vocabulary, seed: int, weights: Sequence[np.ndarray]) -> Writer:
    """Put the weights of one seed, as Keras' `get_weights` gives them, into a network that writes.

    Raises:
        UserError: If weights, vocabulary and configuration do not fit each other, or such a network cannot write.
    """
    _check_next(config)
    if vocabulary.kind is not config.dataset.token:
        raise UserError(
            f"{VOCABULARY_NAME} of the run holds tokens of the kind {vocabulary.kind.value}, but its configuration has "
            f"dataset.token={config.dataset.token.value}; train the run again"
        )
    try:
        network = build_numpy_network(plan_layers(config, 1, len(vocabulary)), weights)
    except ValueError as error:
        raise UserError(f"{WEIGHTS_NAME} of the run does not fit its vocabulary and configuration: {error}") from error
    identity = hashlib.sha256(repr(("writer", vocabulary.digest(), config.look_back, config.stateful)).encode())
    identity.update(repr((config.wiring, config.model.cell, config.model.units, config.model.embedding)).encode())
    for weight in weights:
        identity.update(np.ascontiguousarray(weight, dtype=np.float32).tobytes())
    return Writer(config, vocabulary, network, seed, identity.hexdigest())


def _check_next(config: Config) -> None:
    """Check that the network says which token comes next."""
    if not config.reads_text:
        raise UserError("the run was trained on a series, not on a text; `python -m pipeline.forecast` continues it")
    if config.wiring not in (Wiring.many_to_one, Wiring.many_to_many) or config.horizon_steps != (1,):
        raise UserError(
            f"a network with model.wiring={config.wiring.value} and horizon={config.horizon} does not say which token "
            "comes next; choose a run with many_to_one or many_to_many and horizon=1"
        )
