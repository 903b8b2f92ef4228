"""The map of batches is the order of training: places, fillings, lanes and zero states."""

from collections.abc import Callable
from typing import Any

from pipeline.data.lanes import shuffle_windows
from pipeline.explanation.facts.batch_map import Filling

MakeExplained = Callable[..., Any]


def test_the_map_shows_the_batches_of_training(case: Any) -> None:
    """Breaks the lane map: a window stands in another place, or its state comes from elsewhere, than in training."""
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
