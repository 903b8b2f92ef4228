"""A unit that follows something known is said to follow that, and a gate that is shut is said to be shut."""

import numpy as np
import pytest

from pipeline.evaluation.gates import correlate, find_signs, follow, follow_text, saturation

STEPS, PERIOD = 96, 12
RANDOM = np.random.default_rng(1)
ROWS = np.arange(40, 40 + STEPS)
VALUES = RANDOM.normal(size=STEPS).cumsum()
POSITION = np.arange(STEPS) % 24


@pytest.mark.parametrize(
    ("name", "signal"),
    [
        ("value", 3 - 0.1 * VALUES),
        ("change", np.append(0, np.diff(VALUES))),
        ("position", 0.01 * POSITION),
        ("season", np.sin(2 * np.pi * (ROWS - 5) / PERIOD)),  # any shift of the wave
    ],
)
def test_a_unit_that_follows_one_thing_is_found(name: str, signal: np.ndarray) -> None:
    """People look for the unit that knows the season, and are shown another."""
    found = follow(np.stack([signal, np.full(STEPS, 0.5)], axis=1).astype(np.float32), VALUES, POSITION, ROWS, PERIOD)
    assert list(found) == ["value", "change", "position", "season"]
    assert abs(found[name][0]) == pytest.approx(1, abs=1e-4)
    assert max(found, key=lambda each: abs(found[each][0])) == name
    assert all(
        each.shape == (2,) and each[1] == 0 for each in found.values()
    )  # a unit that does nothing follows nothing


def test_signs_gaps_and_no_season() -> None:
    """A unit that goes down when the series goes up is shown as going along, or a gap makes every number NaN."""
    values = VALUES.copy()
    values[7] = np.nan
    found = follow(-VALUES[:, None], values, POSITION, ROWS, period=1)
    assert "season" not in found
    assert found["value"][0] == pytest.approx(-1) and found["change"][0] < 0.1
    assert correlate(VALUES[:2, None], values[:2, None]).tolist() == [0.0]  # two points lie on every line


def test_saturation_counts_shut_and_open() -> None:
    """A gate is called shut that was open."""
    gate = np.array([[0.05, 0.95], [0.05, 0.95], [0.5, 0.95], [0.95, 0.1]])
    shut, opened = saturation({"forget": gate})["forget"]
    assert shut.tolist() == [0.5, 0.0] and opened.tolist() == [0.25, 0.75]


def test_a_unit_that_follows_a_sign_of_the_text_is_found() -> None:
    """People look for the unit that counts the line, or knows that it is inside quotes, and are shown another."""
    text = 'He said:\n"Go home,\nMary." And\n\n«Yes», she went.\n'
    signs = find_signs(text)
    assert signs["line position"][:11].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2]
    inside = "".join(each for each, is_inside in zip(text, signs["inside quotes"], strict=True) if is_inside)
    assert inside == '"Go home,\nMary.«Yes'
    assert "".join(each for each, is_upper in zip(text, signs["upper case"], strict=True) if is_upper) == "HGMAY"
    for name, sign in signs.items():
        found = follow_text(np.stack([1 - 2 * sign, np.zeros(len(text))], axis=1), signs)
        assert found[name].tolist() == pytest.approx([-1, 0])
        assert max(found, key=lambda each: abs(found[each][0])) == name
    assert find_signs(["To", " be", "\n"])["after a newline"].tolist() == [0, 0, 1]
