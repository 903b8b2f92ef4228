"""A run of a text is loaded from three files, and reads a text as its network was trained to."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts.recipe_files import write_config
from pipeline.artifacts.weights import save_weights
from pipeline.base.errors import UserError
from pipeline.config.schema import Config, Horizons, ModelConfig, Source, Token, Wiring
from pipeline.data.tokens import tokenize
from pipeline.data.vocabulary import FILE_NAME, build_vocabulary, save_vocabulary
from pipeline.models.plan import plan_layers
from pipeline.serving.writer import Writer, load_writer, make_writer

TEXT = "to be, or not to be"


def save_run(folder: Path, writer: Writer) -> None:
    """Log two seeds, 3 and 4, the second one the best."""
    layers = plan_layers(writer.config, 1, len(writer.vocabulary))
    shapes = [shape for layer in layers for shape in layer.weight_shapes]
    weights = [[np.random.default_rng(seed).normal(size=shape) for shape in shapes] for seed in (3, 4)]
    write_config(folder, writer.config)
    save_weights(folder, [3, 4], 1, weights)
    save_vocabulary(folder / FILE_NAME, writer.vocabulary)


def test_three_files_are_all_that_is_needed(tmp_path: Path, random_writer: Any) -> None:
    """Breaks writing with a run whose text is gone, or takes another seed than the one asked for."""
    save_run(tmp_path, random_writer(TEXT))
    best, other = load_writer(tmp_path), load_writer(tmp_path, seed=3)
    assert (best.seed, other.seed) == (4, 3)
    assert best.digest != other.digest and best.digest == load_writer(tmp_path).digest
    logits, _ = best.read_all(best.vocabulary.encode("to b"), 2)
    assert logits.shape == (2, len(set(TEXT))) and logits.dtype == np.float32
    with pytest.raises(UserError, match="the run has no seed 9; it has 3, 4"):
        load_writer(tmp_path, seed=9)


def test_files_of_different_runs_are_refused(tmp_path: Path, random_writer: Any) -> None:
    """Breaks the check on loading: letters would be mixed up without a word."""
    save_run(tmp_path, random_writer(TEXT))
    save_vocabulary(tmp_path / FILE_NAME, random_writer(TEXT + "xyz").vocabulary)
    with pytest.raises(UserError, match=r"weights.npz of the run does not fit its vocabulary and configuration"):
        load_writer(tmp_path)
    save_vocabulary(tmp_path / FILE_NAME, random_writer(TEXT, Token.word).vocabulary)
    with pytest.raises(UserError, match=r"holds tokens of the kind word, but .* dataset.token=char"):
        load_writer(tmp_path)


def test_a_network_that_does_not_say_what_comes_next_is_refused(random_writer: Any) -> None:
    """Breaks the way out for other runs: a traceback, or a text of something else."""
    config, vocabulary = random_writer(TEXT).config, build_vocabulary(Token.char, tokenize(TEXT, Token.char), [], 1)[0]
    ahead = replace(config, horizon=2, dataset=replace(config.dataset, horizons=Horizons.all))
    series = replace(config, dataset=replace(config.dataset, source=Source.sine))
    wired: Config = replace(
        config, return_sequences=False, stateful=False, model=ModelConfig(wiring=Wiring.one_to_one), look_back=1
    )
    for wrong, told in ((ahead, "horizon=2 does not say"), (wired, "one_to_one"), (series, "trained on a series")):
        with pytest.raises(UserError, match=told):
            make_writer(wrong, vocabulary, 1, [])


def test_a_state_is_carried_from_token_to_token(random_writer: Any) -> None:
    """Breaks what the network remembers: a text would be read as if it had no beginning."""
    writer = random_writer(TEXT)
    ids = writer.vocabulary.encode("or not")
    logits, _ = writer.read_all(ids, 1)
    expected, _ = writer.network.read(ids.astype(np.float32)[None, :, None], writer.network.zero_states(1))
    np.testing.assert_array_equal(logits, expected)


def test_a_network_of_windows_reads_a_window_for_every_token(random_writer: Any) -> None:
    """Breaks runs like Keras' example: their network would read with a state that it never saw in training."""
    writer = random_writer(TEXT, stateful=False, return_sequences=False)
    ids = writer.vocabulary.encode("to be, or not")
    logits, memory = writer.read_all(ids, 2)
    window = ids[-writer.config.look_back :].astype(np.float32)[None, :, None]
    np.testing.assert_allclose(logits[:1], writer.network.answer(window), atol=1e-6)
    assert memory[0].shape == (2, writer.config.look_back)
