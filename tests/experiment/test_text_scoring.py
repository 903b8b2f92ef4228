"""Seeds that were trained on a text are scored on its true tokens, beside models that need no network."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.base.errors import TrainingError
from pipeline.config.schema import Config, DatasetConfig, Source, TextSplit, Token
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.experiment.text_scoring import describe_order, score_text
from pipeline.training.record import SeedTraining

TEXT = "the quick brown fox jumps over the lazy dög. " * 20


def configure(path: Path, **keys: Any) -> Config:
    path.write_text(TEXT, encoding="utf-8")
    dataset = DatasetConfig(name="text", source=Source.text, path=str(path), **keys)
    return Config(look_back=5, batch_size=4, return_sequences=True, stateful=True, dataset=dataset)


def trained(data: PreparedData, costs: tuple[float, ...]) -> Any:
    """Return seeds of which each pays the same for every token of the validation part, and twice that in the test."""
    rows = data.windows.spec.forecast_rows(data.windows.starts)[:, 0]
    factor = np.where(data.split.rows("test")[rows], 2.0, 1.0)
    kept = np.stack([np.stack([cost * factor, factor - 1], -1) for cost in costs])  # (seeds, tokens, 2)
    seeds = [SeedTraining(number, [], [1.0], [1.0], 1, 0.5, "") for number in range(1, len(costs) + 1)]
    return SimpleNamespace(seeds=seeds, forecasts=kept, fit_seconds=1.5)


@pytest.mark.parametrize("split", TextSplit)
@pytest.mark.parametrize("token", [Token.char, Token.byte])
def test_each_part_is_scored_by_its_own_tokens(split: TextSplit, token: Token, tmp_path: Path) -> None:
    """Costs of one part count in another, or the seed that is kept is not the best by validation."""
    config = configure(tmp_path / "text.txt", split=split, token=token)
    data = prepare_data(config)
    losses = {number: ([1.0], [1.0]) for number in (1, 2)}
    results = score_text(config, data, trained(data, (0.5, 0.25)), losses)
    metrics = results.metrics
    assert (results.best, metrics["fit_seconds"]) == (1, 1.5)
    assert metrics["validation_nats_per_token"] == pytest.approx(0.375)
    assert metrics["test_nats_per_token"] == pytest.approx(0.75)
    assert (metrics["validation_accuracy"], metrics["test_accuracy"]) == (0, 1)
    per_character = 1 if token is Token.char else data.split.count("test") / spelled(data)
    assert metrics["test_bits_per_character"] == pytest.approx(0.75 / np.log(2) * per_character)
    assert results.costs.shape == (2, data.split.count("test"))
    assert metrics["baseline_kneser_ney_nats_per_token"] < 0.2 < metrics["baseline_unigram_nats_per_token"]
    assert metrics["skill_unigram"] > 0 > metrics["skill_kneser_ney"]
    assert describe_order(results)[0].startswith("n-grams: the validation part chose order ")


def test_unknown_words_are_as_long_as_they_were_written(tmp_path: Path) -> None:
    """A text of rare words seems to cost more bits for each character, or a compressor is asked for less text."""
    found = []
    for most in (3, 99):  # words that are known
        config = configure(tmp_path / "text.txt", token=Token.word, vocabulary=most)
        data = prepare_data(config)
        metrics = score_text(config, data, trained(data, (0.5,)), {1: ([1.0], [1.0])}).metrics
        found.append([metrics[f"{name}_bits_per_character"] for name in ("test", "baseline_xz", "baseline_bz2")])
        test = data.split.rows("test")
        written = re.findall(r" ?\w+|[^\w]", TEXT)
        assert found[-1][0] == pytest.approx(
            test.sum() / np.log(2) / sum(len(each) for each, scored in zip(written, test, strict=True) if scored)
        )
    assert found[0] == found[1]


def spelled(data: PreparedData) -> int:
    """Return how many characters begin in the test part."""
    assert data.vocabulary is not None
    ids = data.series.values[data.split.rows("test"), 0].astype(np.uint8)
    return int((ids & 0xC0 != 0x80).sum())


def test_a_cost_that_is_no_number_fails_the_run(tmp_path: Path) -> None:
    """A diverged network on a text is FINISHED."""
    config = configure(tmp_path / "text.txt")
    data = prepare_data(config)
    with pytest.raises(TrainingError, match="seed 1: validation_nats_per_token is nan"):
        score_text(config, data, trained(data, (float("nan"),)), {1: ([1.0], [1.0])})
