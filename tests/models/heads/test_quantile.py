"""The head of quantiles by its numbers: losses by hand, and what survives the way back to the data's own units."""

import numpy as np
import pytest
import scoringrules
from scipy.stats import nbinom, norm, t

from pipeline.config.schema import Config
from pipeline.models.heads.families import Free, Gaussian, NegativeBinomial, StudentT
from pipeline.models.heads.quantile import QuantileHead

LEVELS = (0.1, 0.5, 0.9)
HEAD = QuantileHead(LEVELS, Free(LEVELS))
RANDOM = np.random.default_rng(5)


def test_pinball_loss_by_hand() -> None:
    """Quantiles of another level are learnt, or those below are taken for those above."""
    outputs = np.array([[1.0, 2.0, 3.0, 10.0, 10.0, 14.0]], np.float32)  # one step, two targets
    targets = np.array([[2.0, 12.0]], np.float32)
    first = 0.1 * 1 + 0 + 0.1 * 1  # below 2 by 1; equal; above by 1
    second = 0.1 * 2 + 0.5 * 2 + 0.1 * 2
    loss = HEAD.training_loss(Config())(targets, outputs)
    assert np.asarray(loss) == pytest.approx([2 * (first + second) / 6])


def test_its_penalty_is_the_crps_of_its_quantiles() -> None:
    """What is called CRPS is another number than everybody else's."""
    answers, came = np.sort(RANDOM.normal(size=(50, 3))), RANDOM.normal(size=50)
    expected = scoringrules.crps_quantile(came, answers, np.array(HEAD.levels))
    assert HEAD.penalty(HEAD.errors(answers, came)) == pytest.approx(expected)


def test_a_quantile_stays_one_after_a_logarithm() -> None:
    """The 95 % quantile would be exceeded more often, because logarithms were learnt; a mean would be wrong."""
    scaled = norm.ppf(HEAD.levels)[None]  # of a normal logarithm
    values = np.exp(RANDOM.normal(size=200_000))
    (answer,) = HEAD.in_units(scaled, lambda numbers: np.exp(numbers)[:, :, None])[:, 0, 0]
    assert [np.mean(values <= each) for each in answer] == pytest.approx(HEAD.levels, abs=0.01)
    assert np.mean(values) > 1.2 * HEAD.points(answer)  # e^0.5 times the median


def test_quantiles_of_changes_do_not_add_up() -> None:
    """Drawing sums would be a detour: quantiles could be added up. One step ahead none is."""
    changes = RANDOM.normal(size=(200_000, 4))
    summed = 4 * norm.ppf(0.9)
    assert np.mean(changes.sum(axis=1) <= summed) == pytest.approx(norm.cdf(2 * norm.ppf(0.9)), abs=0.005)  # 99.5 %
    assert np.mean(changes.sum(axis=1) <= summed) > 0.98
    one = HEAD.in_units(norm.ppf(HEAD.levels)[None], lambda numbers: 7 + numbers[:, :, None])[0, 0, 0]  # last value 7
    assert [np.mean(7 + changes[:, 0] <= each) for each in one] == pytest.approx(HEAD.levels, abs=0.01)


@pytest.mark.parametrize("numbers", [[0.0, 1.0], [0.0, 1.0, 0.5]], ids=["gaussian", "student_t"])
def test_changes_are_added_up_as_draws(numbers: list[float]) -> None:
    """Quantiles two steps ahead are those of the changes added up, as if all changes were large ones together."""
    levels, steps = (0.1, 0.25, 0.5, 0.9), 4
    family = Gaussian() if len(numbers) == 2 else StudentT()
    said = np.tile(np.array(numbers, np.float32), (3, steps))
    last = np.array([10.0, 20.0, 30.0])[:, None, None]
    head = QuantileHead(levels, family, exact=1)
    answers = head.in_units(said, lambda changes: last + np.cumsum(changes, axis=1)[:, :, None])[:, :, 0]
    assert answers.shape == (3, steps, len(levels)) and (np.diff(answers, axis=-1) > 0).all()
    assert answers[1:] - last[1:] == pytest.approx(
        answers[:1] - last[:1] + np.zeros((2, 1, 1))
    )  # whoever else is there
    away = answers[0] - 10
    assert away[:, 2] == pytest.approx(np.zeros(steps), abs=1e-9)
    assert away[0] == pytest.approx(family.quantiles(said[0, : len(numbers)], np.array(levels)))  # known values alone
    drawn = np.cumsum(RANDOM.normal(size=(steps, 200_000)) if len(numbers) == 2 else t(2.5).rvs((steps, 200_000), 5), 0)
    expected = np.quantile(drawn, levels, axis=1).T
    assert (np.abs(away - expected) < 0.06 * (expected[:, -1:] - expected[:, :1])).all()
    assert away[-1, -1] < 0.75 * steps * away[0, -1]


def test_draws_between_quantiles_are_as_frequent_as_they_say() -> None:
    """Sample paths never leave the outermost quantiles, or too many values lie between two of them."""
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    head, said = QuantileHead(levels, Free(levels)), np.array([-3.0, -1.0, 0.0, 2.0, 7.0])
    shares = np.linspace(0, 1, 10_001)[1:-1]
    drawn = head.draw(np.tile(said, (len(shares), 1)), shares[:, None])[:, 0]
    assert (np.diff(drawn) > 0).all() and drawn[0] < -6 and drawn[-1] > 15  # the tails go on
    assert [np.mean(drawn <= each) for each in said] == pytest.approx(levels, abs=2e-4)
    assert np.interp([0.15, 0.85], shares, drawn) == pytest.approx([-2.0, 4.5])


@pytest.mark.parametrize(
    ("family", "numbers", "distribution"),
    [(Gaussian(), [3.0, 2.0], norm(3, 2)), (StudentT(), [3.0, 2.0, 1.5], t(3.5, 3, 2))],
    ids=["gaussian", "student_t"],
)
def test_a_distribution_is_the_one_it_is_called(family, numbers, distribution) -> None:
    """Another likelihood is minimized than the quantiles are taken of, or one that nobody knows by that name."""
    said, came = np.tile(np.array(numbers, np.float32), (9, 1)), np.linspace(-5, 9, 9, dtype=np.float32)
    head = QuantileHead(LEVELS, family)
    assert np.asarray(head.training_loss(Config())(came[:, None], said)) == pytest.approx(
        -distribution.logpdf(came), rel=1e-5
    )
    assert head.in_units(said, lambda numbers: numbers[:, :, None])[0, 0, 0] == pytest.approx(distribution.ppf(LEVELS))
    shares = np.linspace(0.01, 0.99, len(said))[:, None]
    assert head.draw(said, shares) == pytest.approx(distribution.ppf(shares))


def test_counts_are_negative_binomial() -> None:
    """Counts are learnt by the likelihood of something else, or with another dispersion than their quantiles have."""
    mean, dispersion = 3.0, 0.5 - 0.01  # of which 0.01 are there anyway
    said, came = np.tile(np.array([mean, dispersion], np.float32), (6, 1)), np.arange(6, dtype=np.float32) * 4
    expected = nbinom(2, 2 / (2 + mean))
    assert expected.var() == pytest.approx(mean + 0.5 * mean**2)
    head = QuantileHead(LEVELS, NegativeBinomial())
    loss = np.asarray(head.training_loss(Config())(came[:, None], said))
    assert loss == pytest.approx(-expected.logpmf(came), rel=1e-4)
    assert head.in_units(said, lambda numbers: numbers[:, :, None])[0, 0, 0].tolist() == expected.ppf(LEVELS).tolist()
