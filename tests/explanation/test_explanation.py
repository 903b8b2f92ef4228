"""An explanation says what training will do: every number is compared with the arrays, and with Keras' network."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema import Cell, Horizons, LagsAs, Order, Transform, Wiring
from pipeline.data.lanes import cut_lanes, shuffle_windows
from pipeline.explanation.facts.batch_map import Filling
from pipeline.explanation.facts.explanation import Explanation
from pipeline.models.keras_network import build_training_network

MakeExplained = Callable[..., Any]
WIRINGS = [wiring for wiring in Wiring if wiring is not Wiring.auto]
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "large batches": {"look_back": 5, "batch_size": 16},
    "one lane": {"look_back": 1, "stateful": True},
    "lanes": {"look_back": 6, "stateful": True, "batch_size": 4},
    "segments": {"look_back": 3, "stateful": True, "segments": 3, "batch_size": 5},
    "all lanes at once": {"look_back": 4, "stateful": True, "batch_size": 4, "return_sequences": True},
    "overlapping": {"stateful": True, "order": Order.overlapping},
    "lags as features": {"look_back": 4, "stateful": True, "lags_as": LagsAs.features},
    "holes": {"stateful": True, "holes": (20, 21, 33), "batch_size": 2},
    "holes at the ends": {"stateful": True, "holes": (3, 4, 5, 46, 47, 48, 49), "batch_size": 2},
    "holes, many-to-many": {"return_sequences": True, "holes": (20,), "look_back": 5, "horizon": 2},
    "lost rows": {"transforms": [Transform.difference, Transform.seasonal_difference], "period": 12, "look_back": 4},
    "far ahead": {"horizon": 5, "horizons": Horizons.all, "stateful": True},
}


def boxes(facts: Explanation) -> tuple[int, int, int]:
    stages = facts.stages
    return (
        sum(stage.num_inputs for stage in stages),
        sum(stage.num_hidden for stage in stages),
        sum(stage.num_outputs for stage in stages),
    )


@pytest.mark.parametrize(
    ("wiring", "expected"),
    [
        (Wiring.one_to_one, (1, 2, 1)),
        (Wiring.one_to_many, (1, 8, 4)),
        (Wiring.many_to_one, (3, 6, 1)),
        (Wiring.many_to_many, (3, 6, 3)),
        (Wiring.encoder_decoder, (3, 14, 4)),
    ],
)
def test_boxes_of_the_five_pictures(make_explained: MakeExplained, wiring: Wiring, expected: tuple[int, ...]) -> None:
    """Breaks the picture: a wiring of two layers has other red, green or blue boxes than Karpathy's."""
    assert boxes(make_explained(wiring=wiring, units=[4, 3]).facts) == expected


@pytest.mark.parametrize("cell", list(Cell))
@pytest.mark.parametrize("wiring", WIRINGS)
def test_shapes_and_parameters_are_those_of_keras(make_explained: MakeExplained, wiring: Wiring, cell: Cell) -> None:
    """Breaks what a newcomer learns from: a shape or a number of parameters is not that of the trained network."""
    case = make_explained(wiring=wiring, cell=cell, units=[5, 3])
    windows = case.data.windows
    network = build_training_network(case.config, windows.num_features, windows.num_outputs)
    assert case.facts.num_parameters == network.count_params()
    parameters = {layer.name: layer.num_parameters for layer in case.facts.layers}
    shapes = {tensor.name: tensor.shape for tensor in case.facts.tensors if not tensor.is_state}
    assert shapes["window"] == network.input_shape[1:] == windows.gather_inputs(windows.train[:2]).shape[1:]
    assert shapes["target"] == network.output_shape[1:] == windows.gather_targets(windows.train[:2]).shape[1:]
    for layer in network.layers[1:]:
        assert shapes[layer.name] == layer.output.shape[1:]
        assert parameters.get(layer.name, 0) == layer.count_params()
    assert all(len(tensor.axes) == len(tensor.shape) for tensor in case.facts.tensors)


@pytest.mark.parametrize("cell", list(Cell))
def test_formulas_give_the_numbers_beside_them(make_explained: MakeExplained, cell: Cell) -> None:
    """Breaks trust: the formula of a layer does not give its number of parameters."""
    for layer in make_explained(cell=cell, units=[7, 2]).facts.layers:
        assert eval(layer.formula.replace("x", "*")) == layer.num_parameters


@pytest.mark.parametrize("name", CASES)
def test_counts_are_those_of_the_arrays(make_explained: MakeExplained, name: str) -> None:
    """Breaks the account of an epoch: windows, batches, padding, lanes or resets are not what training does."""
    case = make_explained(**CASES[name])
    counts, data, size = case.facts.counts, case.data, case.config.batch_size
    assert counts.num_windows == data.windows.train.size
    if data.lanes is None:
        batches = np.array_split(np.arange(counts.num_windows), np.arange(size, counts.num_windows, size))
        assert (counts.num_batches, counts.last_batch) == (len(batches), len(batches[-1]))
        return
    windows, split = data.windows, data.split
    last_targets = windows.origins(windows.starts) + max(windows.horizon_steps)
    every = windows.starts[last_targets < split.count("train")]  # with those whose target was filled in
    lanes = cut_lanes([every], case.config.dataset.order, case.config.time_steps, case.config.dataset.segments)
    assert counts.num_windows + counts.num_unscored == every.size
    assert counts.num_batches * size == every.size + counts.num_padded
    assert counts.num_resets == np.count_nonzero(data.lanes.resets)
    assert counts.num_lanes == len(lanes)
    assert counts.lane_lengths == (min(map(len, lanes)), max(map(len, lanes)))


@pytest.mark.parametrize("name", CASES)
def test_every_row_of_the_training_part_is_accounted_for(make_explained: MakeExplained, name: str) -> None:
    """Breaks "never dropped silently": a row where no window begins is missing from what is left over."""
    case = make_explained(**CASES[name])
    left = [row for each in case.facts.left_over for row in each.rows]
    assert sorted([*left, *case.data.windows.train.tolist()]) == np.flatnonzero(case.data.split.rows("train")).tolist()
    reasons = {each.reason.split()[0]: each.rows for each in case.facts.left_over}
    assert reasons.get("before", ()) == tuple(range(case.data.transformed.lost))
    lost = case.config.look_back + case.config.horizon - 1
    assert len(reasons["the"]) == lost
    assert ("a" in reasons) is ("holes" in CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_the_map_shows_the_batches_of_training(make_explained: MakeExplained, name: str) -> None:
    """Breaks the lane map: a window stands in another place, or its state comes from elsewhere, than in training."""
    case = make_explained(**CASES[name])
    shown, data, size = case.facts.batches, case.data, case.config.batch_size
    assert shown.numbers[:3] == (1, 2, 3)
    order = data.windows.train[shuffle_windows(data.windows.train.size, case.config.seed, 0)]
    for column, number in enumerate(shown.numbers):
        for row in range(size):
            place = shown.place(row, column)
            if data.lanes is None and (number - 1) * size + row >= order.size:
                assert place is None  # the last batch of an epoch is smaller
                continue
            assert place is not None
            if data.lanes is None:
                expected, counts, from_zero = order[(number - 1) * size + row], True, True
            else:
                expected, counts = data.lanes.starts[number - 1, row], data.lanes.weights[number - 1, row] == 1
                from_zero = bool(data.lanes.resets[number - 1])
            assert place.rows == (expected, expected + case.config.look_back - 1)
            assert (place.filling is Filling.window) == counts
            assert shown.from_zero[column] is from_zero


def test_carried_states_go_on_where_they_ended(make_explained: MakeExplained) -> None:
    """Breaks what stateful means: an arrow of the map leads to a window that does not follow on, or to another lane."""
    shown = make_explained(look_back=6, stateful=True, batch_size=4).facts.batches
    for row in range(4):
        before, after = shown.place(row, 0), shown.place(row, 1)
        assert before is not None and after is not None
        assert after.rows[0] == before.rows[1] + 1
        assert after.lane == before.lane == row + 1
    last = shown.place(0, 3)
    assert last is not None
    assert (shown.from_zero[3], last.lane) == (True, 5)


def test_places_without_a_window_say_why(make_explained: MakeExplained) -> None:
    """Breaks the map: padding is not distinguishable from a window whose target was filled in."""
    shown = make_explained(stateful=True, look_back=3, batch_size=3, holes=(6,)).facts.batches
    assert [filling.value for filling in shown.fillings[1]] == ["unscored", "window", "window"]
    shown = make_explained(stateful=True, look_back=3, batch_size=2).facts.batches
    assert [filling.value for filling in shown.fillings[-1]] == ["window", "padding"]


@pytest.mark.parametrize("wiring", WIRINGS)
def test_boxes_hold_the_rows_that_are_read_and_predicted(make_explained: MakeExplained, wiring: Wiring) -> None:
    """Breaks the labels t-2, t, t+1: a box stands for another row than the one in the array."""
    case = make_explained(wiring=wiring)
    windows, origin = case.data.windows, case.config.look_back - 1
    first, last = case.facts.stages[0], case.facts.stages[-1]
    assert np.ravel(first.input_rows).tolist() == (windows.input_rows() - origin).tolist()
    assert np.ravel(last.output_rows).tolist() == np.ravel(windows.target_rows() - origin).tolist()
    with_box = [last.output_of(step) for step in range(last.num_steps)]
    assert with_box[-1] == last.output_rows[-1]
    assert sum(rows is not None for rows in with_box) == last.num_outputs


def test_the_first_window_is_the_example(make_explained: MakeExplained) -> None:
    """Breaks the dates in the boxes: they are not those of the first window that is trained on."""
    case = make_explained(look_back=4, horizon=2, horizons=Horizons.all, transforms=[Transform.difference])
    assert case.facts.example == (1, 4, 5, 6)
    assert case.facts.labels.span(1, 4) == "2001-02..2001-05"


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


def test_answers_are_few_and_the_warning_comes_first(make_explained: MakeExplained) -> None:
    """Breaks the answers: they flood the page, hide the tutorials' mistake, or are given where nobody asks."""
    for keys in CASES.values():
        assert len(make_explained(**keys).facts.answers) <= 4
    overlapping = make_explained(stateful=True, order=Order.overlapping).facts.answers
    assert overlapping[0].startswith("Warning: dataset.order=overlapping")
    assert any("batch_size=1 is not needed" in each for each in make_explained(stateful=True).facts.answers)
    for keys in ({}, {"stateful": True, "batch_size": 3}):
        assert not any("batch_size=1 is not needed" in each for each in make_explained(**keys).facts.answers)
