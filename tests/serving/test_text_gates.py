"""What people see of a network along a text is what Keras computes, and what the run was scored with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts.recipe_files import write_config
from pipeline.artifacts.weights import save_weights
from pipeline.base.errors import UserError
from pipeline.base.record import DIGEST_TAG, LENGTH_TAG
from pipeline.config.schema import Cell, Config, DatasetConfig, ModelConfig, Source, TextSplit, Token
from pipeline.data.prepare import prepare_data
from pipeline.models.heads.token import token_costs
from pipeline.models.keras_network import build_streaming_network
from pipeline.models.plan import plan_layers
from pipeline.report.page.gates import Look, write_gates_page
from pipeline.report.page.shown import TextShown
from pipeline.serving.excerpt import Excerpt
from pipeline.serving.gates import choose_excerpt, look_at_network
from pipeline.serving.model import ServedModel, load_model, make_model
from pipeline.serving.text_gates import name_tokens

MakeText = Callable[..., ServedModel]
TEXT = 'He said:\n"Go home, Mary."\tAnd é\n\n' * 20


@pytest.fixture
def make_text(tmp_path: Path) -> MakeText:
    def make(token: Token = Token.char, split: TextSplit = TextSplit.end, **keys: Any) -> ServedModel:
        """Random weights; `cell` and `embedding` are those of the model."""
        (tmp_path / "my.txt").write_text(TEXT)
        dataset = DatasetConfig(
            name="my", source=Source.text, path=str(tmp_path / "my.txt"), token=token, split=split, vocabulary=9
        )
        model = ModelConfig(units=[3, 2], cell=keys.pop("cell", Cell.lstm), embedding=keys.pop("embedding", None))
        config = Config(**{"look_back": 5, "return_sequences": True, **keys}, dataset=dataset, model=model)
        data, random = prepare_data(config), np.random.default_rng(4)
        layers = plan_layers(config, data.windows.num_features, data.windows.num_outputs)
        weights = [random.normal(size=shape).astype(np.float32) for layer in layers for shape in layer.weight_shapes]
        return make_model(config, data, 0, weights)

    return make


def test_a_logged_run_is_opened_with_its_text(make_text: MakeText, tmp_path: Path) -> None:
    """A run of a text cannot be looked at, though its text is there, has grown, or was moved with the store."""
    model = make_text(Token.word, stateful=True)
    tags = {DIGEST_TAG: model.data.series.digest(), LENGTH_TAG: str(len(model.data.series))}
    write_config(tmp_path, model.config)
    save_weights(tmp_path, [0], 0, [model.weights])
    text, moved = tmp_path / "my.txt", tmp_path / "store" / "my.txt"
    text.write_text(TEXT + "and new words")
    moved.parent.mkdir()
    text.rename(moved)
    opened = load_model(tmp_path, tags, moved.parent)
    assert opened.data.series.digest() == tags[DIGEST_TAG]
    np.testing.assert_array_equal(look(opened)[1].costs, look(model)[1].costs)
    moved.write_text(TEXT.rstrip() + "ly")  # the last word has become a longer one
    with pytest.raises(UserError, match="added at the end, behind a line break"):
        load_model(tmp_path, tags, moved.parent)
    moved.write_text(TEXT.replace("Mary", "Anna"))
    with pytest.raises(UserError, match="no longer holds the values"):
        load_model(tmp_path, tags, moved.parent)
    moved.unlink()
    with pytest.raises(UserError, match=r"which is neither in .* nor beside the store in .*; copy it there"):
        load_model(tmp_path, tags, moved.parent)


def look(model: ServedModel, steps: int = 12) -> tuple[Look, TextShown]:
    found = look_at_network("mine", model, choose_excerpt(model, member=0, steps=steps))
    assert isinstance(found.shown, TextShown)
    return found, found.shown


@pytest.mark.parametrize("embedding", [None, 4])
def test_costs_and_chances_are_those_of_keras(make_text: MakeText, embedding: int | None) -> None:
    """The page says that a token was expected, and it was not; or it shows another state than the run had."""
    model = make_text(stateful=True, embedding=embedding)
    found, shown = look(model)
    first = int(model.data.split.rows("test").argmax()) - model.config.look_back  # a fresh state reads from here on
    ids = model.data.series.values[first : first + model.config.look_back - 1 + 12]
    network = build_streaming_network(model.config, 1, len(shown.vocabulary))
    network.set_weights(model.weights)
    logits = network(ids[None].astype(np.float32)).numpy()[0, -12:]  # (steps, vocabulary)
    np.testing.assert_array_equal(shown.ids, ids[-12:, 0])
    np.testing.assert_allclose(found.trace.outputs, logits, atol=1e-5)
    np.testing.assert_allclose(shown.costs, token_costs(logits, shown.following), atol=1e-5)
    chances = np.exp(logits - logits.max(1, keepdims=True))
    chances = np.sort(chances / chances.sum(1, keepdims=True))[:, ::-1]
    np.testing.assert_allclose(shown.probabilities, chances[:, : shown.likely.shape[1]], atol=1e-5)
    assert found.steps_before == model.config.look_back - 1


def test_gradients_say_how_a_cost_moves(make_text: MakeText) -> None:
    """The page says of a token that it decided what came, and it did not."""
    model = make_text(stateful=True, embedding=1)
    found, shown = look(model)
    table, *rest = model.weights
    small = 1e-2
    for step in (4, 9):
        by_hand = np.zeros(len(shown.ids))
        for moved in range(step + 1):
            costs = []
            for sign in (1, -1):  # the moved token gets an id of its own whose row lies a little beside
                extended = np.append(table, table[shown.ids[moved]][None] + sign * small, axis=0)
                costs.append(_cost(model, extended, rest, found, shown, moved, step))
            by_hand[moved] = abs(costs[0] - costs[1]) / (2 * small)
        np.testing.assert_allclose(found.gradients[step], by_hand, atol=5e-3)
        assert found.gradients[step, step] > 0 and not found.gradients[step, step + 1 :].any()


def _cost(
    model: ServedModel, table: np.ndarray, rest: Any, found: Look, shown: TextShown, moved: int, step: int
) -> float:
    network = make_model(model.config, model.data, 0, model.weights).network
    network = type(network)(network.layers, ((table,), *network.weights[1:]))
    states = [state[:1] for layer in found.trace.layers for state in layer.before]
    for place, token in enumerate(shown.ids[: step + 1]):
        given = len(table) - 1 if place == moved else token
        logits, states = network.step(np.array([[given]], np.float32), states)
    return float(token_costs(logits[0], shown.following[step]))


@pytest.mark.parametrize(
    ("keys", "first", "before", "resets"),
    [
        ({}, 69, 0, [0, 5, 10]),  # chunks of five; the first forecasts the first token of the part
        ({}, 72, 3, [2, 7]),
        ({"stateful": True, "batch_size": 2}, 72, 72, []),  # from the beginning of the lane
        ({"stateful": True, "batch_size": 4}, 77, 77, [5]),  # the next lane begins in it
        ({"stateful": True, "batch_size": 2, "split": TextSplit.lanes}, 281, 1, []),  # of its second lane
    ],
)
def test_an_excerpt_begins_as_the_network_reads(
    make_text: MakeText, keys: dict[str, Any], first: int, before: int, resets: list[int]
) -> None:
    """The state before the excerpt is another one than in training or scoring, or a chunk begins elsewhere."""
    model = make_text(**keys)
    parts = model.data.split.part_names()
    if not keys:
        first += int((parts == "train").sum()) - 70
    elif keys.get("split") is TextSplit.lanes:
        first = len(parts) // 2 + 1
    found = look_at_network("mine", model, Excerpt(0, first, 12))
    assert (found.steps_before, np.flatnonzero(found.trace.resets).tolist()) == (before, resets)
    assert found.times[0] == str(first)
    end = look_at_network("mine", model, Excerpt(0, int((parts == "test").argmax()) - 4, 12))
    assert len(end.times) == 3  # the last token of the validation part is forecast by the third


@pytest.mark.parametrize("token", Token)
def test_every_token_can_be_seen(make_text: MakeText, token: Token) -> None:
    """A line break tears the page, a space cannot be clicked, or half a character stands for a byte."""
    model = make_text(token=token)
    assert model.data.vocabulary is not None
    names = name_tokens(model.data.vocabulary)
    assert len(names) == len(model.data.vocabulary) and all(name.isprintable() and " " not in name for name in names)
    seen = {Token.char: {"⏎", "·", "⇥", "é"}, Token.byte: {"⏎", "·", "0xc3"}, Token.word: {"⏎", "·said", "<unk>"}}
    assert seen[token] <= set(names)
    assert len(write_gates_page("h", "cost", "nats", "", [look(model)[0]], most_units=2).encode()) < 200_000
