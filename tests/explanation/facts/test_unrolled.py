"""The boxes of a sample: as many as in the pictures of the five wirings, each with its rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema import Decoder, Wiring
from pipeline.explanation.facts.explanation import Explanation
from pipeline.explanation.facts.unrolled import Feed

MakeExplained = Callable[..., Any]
WIRINGS = [wiring for wiring in Wiring if wiring is not Wiring.auto]


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


@pytest.mark.parametrize("wiring", WIRINGS)
def test_boxes_hold_the_rows_that_are_read_and_predicted(make_explained: MakeExplained, wiring: Wiring) -> None:
    """Breaks the labels t-2, t, t+1: a box stands for another row than the one in the array."""
    case = make_explained(wiring=wiring)
    windows, origin = case.data.windows, case.config.look_back - 1
    first, last = case.facts.stages[0], case.facts.stages[-1]
    assert np.ravel(first.input_rows).tolist() == (np.arange(case.config.look_back) - origin).tolist()
    assert np.ravel(last.output_rows).tolist() == (np.ravel(windows.spec.target_offsets) - origin).tolist()
    with_box = [last.output_of(step) for step in range(last.num_steps)]
    assert with_box[-1] == last.output_rows[-1]
    assert sum(rows is not None for rows in with_box) == last.num_outputs


def test_the_decoder_is_fed_with_copies(make_explained: MakeExplained) -> None:
    """Breaks the encoder and its decoder: a row of the series seems to enter the decoder."""
    encoder, decoder = make_explained(wiring=Wiring.encoder_decoder, units=[4, 3]).facts.stages
    assert (encoder.feed, decoder.feed) == (Feed.series, Feed.copied_state)
    assert (encoder.num_outputs, decoder.num_inputs, decoder.input_rows) == (0, 0, ())
    assert decoder.width == encoder.layers[-1].outputs  # what is copied is the encoder's last h
    assert decoder.output_rows == ((1,), (2,), (3,), (4,)) and not decoder.reads_ahead


def test_a_decoder_has_the_known_future_beside_its_copies(make_explained: MakeExplained) -> None:
    """Breaks the picture: a step of the decoder seems to read another row, or nothing of the price."""
    case = make_explained(wiring=Wiring.encoder_decoder, future=["price"], decoder=Decoder.future)
    encoder, decoder = case.facts.stages
    assert encoder.width == 2 and decoder.width == encoder.layers[-1].outputs + 1  # sales and price; h and price
    assert decoder.reads_ahead and decoder.input_rows == decoder.output_rows == ((1,), (2,), (3,), (4,))
    assert "The encoder reads those of the past rows" in case.facts.answers[0]
