"""The one sentence and the answers are about this configuration, and few."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pipeline.config.schema import HeadName, LagsAs, ModelConfig, Normalise, Order, Wiring
from pipeline.data.notes import describe_head

MakeExplained = Callable[..., Any]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"stateful": True}, "many-to-one, stateful: 3 monthly values each of sales, price in, the next sales out; "
         "the state is carried along 3 lanes."),
        ({"wiring": Wiring.one_to_one}, "one-to-one: 1 monthly value .*no layer has a state"),
        ({"wiring": Wiring.encoder_decoder}, "encoder-decoder: 3 monthly .* the next 4 of sales out; .*nothing"),
        ({"return_sequences": True, "horizon": 2}, "after every one of them sales 2 steps ahead out"),
        ({"look_back": 2, "lags_as": LagsAs.features}, "2 monthly values .* as features of one time step in"),
        ({"frequency": None, "look_back": 1, "stateful": True}, "1 value each of .* along 1 lane"),
        ({"frequency": "B"}, "3 daily values"),
        ({"frequency": "7h"}, "3 values each"),
    ],
)  # fmt: skip
def test_one_sentence_says_it_all(make_explained: MakeExplained, keys: dict[str, Any], words: str) -> None:
    """Breaks the summary: it says another wiring, frequency, output or memory than the configuration has."""
    assert re.search(words, make_explained(**keys).facts.summary)


def test_answers_are_few(case: Any) -> None:
    """Breaks the answers: they flood the page."""
    assert len(case.facts.answers) <= 4


def test_answers_are_given_where_somebody_asks_and_the_warning_comes_first(make_explained: MakeExplained) -> None:
    """Breaks the answers: they hide the tutorials' mistake, or say the obvious."""
    overlapping = make_explained(stateful=True, order=Order.overlapping).facts.answers
    assert overlapping[0].startswith("Warning: dataset.order=overlapping")
    assert any("batch_size=1 is not needed" in each for each in make_explained(stateful=True).facts.answers)
    for keys in ({}, {"stateful": True, "batch_size": 3}):
        assert not any("batch_size=1 is not needed" in each for each in make_explained(**keys).facts.answers)


@pytest.mark.parametrize(
    ("how", "measure"),
    [
        (Normalise.window_last, "minus its last value"),
        (Normalise.window_mean, "minus its mean"),
        (Normalise.window_standard, "minus its mean, over its standard deviation"),
    ],
)
def test_what_a_window_is_measured_by_is_said(make_explained: MakeExplained, how: Normalise, measure: str) -> None:
    """Breaks the answers: nobody learns what the network reads, or a state is advised that would be refused."""
    facts = make_explained(normalise=how, look_back=4).facts
    assert f"dataset.normalise={how.value}: each window is read {measure}, each feature" in facts.answers[0]
    assert not any("stateful=true" in each for each in facts.answers)
    shapes = {tensor.name: tensor.shape for tensor in facts.tensors}
    assert shapes["normalise"] == shapes["window"] and shapes["denormalise"] == shapes["head"]


def test_what_a_head_says_is_said(make_explained: MakeExplained) -> None:
    """Breaks the answers: nobody learns what the numbers of a head are, or that the forecast is their median."""
    assert not any("model.head" in each for each in make_explained().facts.answers)
    explained = make_explained(head=HeadName.gaussian)
    assert any(each.startswith("model.head=gaussian: of each target") for each in explained.facts.answers)
    for head in set(HeadName) - {HeadName.auto, HeadName.point, HeadName.token}:
        told = describe_head(replace(explained.config, model=ModelConfig(head=head)), explained.data)
        assert told.endswith("; the forecast is the median") and "quantiles 0.05, 0.25, 0.5, 0.75, 0.95" in told
