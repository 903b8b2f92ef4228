"""An explanation gathers the facts of one experiment."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config.schema import Cell, Horizons, Transform, Wiring

MakeExplained = Callable[..., Any]


def test_the_first_window_is_the_example(make_explained: MakeExplained) -> None:
    """Breaks the dates in the boxes: they are not those of the first window that is trained on."""
    case = make_explained(look_back=4, horizon=2, horizons=Horizons.all, transforms=[Transform.difference])
    assert case.facts.example == (1, 4, 5, 6)
    assert case.facts.labels.span(1, 4) == "2001-02..2001-05"


def test_numbers_are_those_of_the_configuration(make_explained: MakeExplained) -> None:
    """Breaks the heading: it says another look_back, horizon, batch size, mode or columns than are trained."""
    facts = make_explained(look_back=5, horizon=2, batch_size=4, stateful=True, name="a\nshop", length=200).facts
    assert facts.title == "a shop: look_back=5 horizon=2 batch_size=4 stateful=true"
    assert (facts.features, facts.targets) == (("sales", "price"), ("sales",))
    assert (facts.is_stateful, facts.counts.batch_size) == (True, 4)
    assert facts.num_parameters == sum(layer.num_parameters for layer in facts.layers) > 0


@pytest.mark.parametrize(
    ("keys", "names"),
    [({}, "h and c"), ({"cell": Cell.gru}, "h"), ({"cell": Cell.simple_rnn}, "h"), ({"wiring": Wiring.one_to_one}, "")],
)
def test_states_have_the_names_of_their_cell(make_explained: MakeExplained, keys: dict[str, Any], names: str) -> None:
    """Breaks the legend: an arrow is said to carry c where there is none."""
    assert make_explained(**keys).facts.state_names == names
