"""The published numbers are quoted right, and placed right among ours."""

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.studies.published import PUBLISHED, Place, describe_baselines, describe_place, expected_outside

CONF = Path(__file__).resolve().parents[2] / "conf" / "experiment"


def test_every_tutorial_preset_quotes_its_published_number() -> None:
    """A preset and the table of `make tutorial` would name different numbers, or a variant is forgotten."""
    quoted = {
        path.stem: float(re.findall(r"published test RMSE of ([\d.]+) falls", path.read_text())[0])
        for path in CONF.glob("tutorial_*.yaml")
    }
    assert quoted == {preset: published.test for preset, published in PUBLISHED.items()}


def test_percentile_counts_ties_and_bounds() -> None:
    """The published number would be placed among the wrong seeds, or one at the edge called outside."""
    ours = np.array([1.0, 2.0, 3.0, 4.0])
    assert [Place(x, ours).percentile for x in (0.5, 1.0, 2.5, 4.0, 9.0)] == [0, 25, 50, 100, 100]
    assert [Place(x, ours).inside for x in (0.5, 1.0, 2.5, 4.0, 9.0)] == [False, True, True, True, False]


def test_chance_alone_leaves_numbers_outside() -> None:
    """The reader would be alarmed by what two of 33 draws do anyway."""
    random = np.random.default_rng(1)
    draws = random.normal(size=(20_000, 33))
    outside = np.mean((draws[:, 0] < draws[:, 1:].min(axis=1)) | (draws[:, 0] > draws[:, 1:].max(axis=1)))
    assert expected_outside(1, 32) == pytest.approx(outside, abs=0.005)


def test_a_sentence_says_which_number_lies_outside_and_where() -> None:
    """A number outside would be told as inside, or on the wrong side."""
    ours = np.array([1.0, 2.0, 3.0, 4.0])
    inside = describe_place("a", Place(2.0, ours), Place(3.0, ours))
    assert (
        inside == "a: inside: 75 % of our 4 seeds have a test RMSE of 3.000 or less, 50 % a train RMSE of 2.000 or less"
    )
    both = describe_place("a", Place(0.5, ours), Place(9.0, ours))
    assert (
        "OUTSIDE: the published train RMSE of 0.5000 is below all" in both and "test RMSE of 9.000 is above all" in both
    )


def test_baselines_are_compared_on_the_points_of_each_variant() -> None:
    """A variant would be compared with a baseline on other points than its own."""
    told = describe_baselines([47.0, 49.5], [50.0, 48.0], [("repeating", [48.0, 49.0])])
    assert "repeating (48.00 and 49.00) by 1 of the published numbers and 1 of our means" in told
