"""What every head must do, whatever it says."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.config.schema import Config, HeadName, Horizons, ModelConfig, Wiring
from pipeline.evaluation.metrics import score_errors
from pipeline.models.heads.head import Head
from pipeline.models.heads.registry import HEADS, head_of
from pipeline.models.keras_network import build_training_network

RANDOM = np.random.default_rng(3)
VALUES = RANDOM.normal(size=(5, 3, 2))  # (windows, horizon_steps, targets)


NAMES = [name for name in HeadName if name is not HeadName.auto]
NUMERIC = [name for name in NAMES if name is not HeadName.token]  # answers in the data's own units
PLACED = [name for name in NUMERIC if name is not HeadName.negative_binomial]  # whose point is a number it says


@pytest.fixture(params=NUMERIC)
def head(request: pytest.FixtureRequest) -> Head:
    return HEADS[request.param]((0.1, 0.5, 0.9))


def say(head: Head, values: np.ndarray, others: float) -> np.ndarray:
    """Return numbers that place a head's answers at values, scale and shape of a distribution as given."""
    moves = ((True, True),) if head.rule is None else head.rule.moves
    placed = [shifted or number == 0 for number, (shifted, _) in enumerate(moves)]  # a mean of counts is not shifted
    return np.where(placed, values[..., None], others)  # (..., numbers)


def test_every_name_has_a_head() -> None:
    """A value of model.head that the schema takes ends in a KeyError."""
    assert set(HEADS) == set(NAMES)


def test_an_answer_that_is_sure_is_its_point(head: Head) -> None:
    """A baseline is scored by other numbers than those it forecasts."""
    answers = head.spread(VALUES)
    assert answers.shape == (*VALUES.shape, *head.shape)
    assert head.points(answers) == pytest.approx(VALUES)


@pytest.mark.parametrize("head", PLACED, indirect=True)
def test_outputs_are_read_by_step_then_target(head: Head) -> None:
    """Numbers of one target come back in the unit of another one, or at another step."""
    outputs = say(head, VALUES, others=0).reshape(len(VALUES), -1)
    answers = head.in_units(outputs, lambda scaled: 2 + 3 * scaled.reshape(VALUES.shape))
    assert answers == pytest.approx(head.spread(2 + 3 * VALUES))


def test_a_score_has_the_unit_of_the_errors(head: Head) -> None:
    """Data in grams are judged other than data in kilograms; or tiny errors count as none."""
    errors = RANDOM.normal(size=(4, 20, 3, 2, *head.shape))  # (seeds, rows, horizon_steps, targets, *shape)
    scores = score_errors(head, errors, np.ones(2))
    assert scores.shape == (4,) and (scores > 0).all()
    assert score_errors(head, 1e-200 * errors, np.ones(2)) == pytest.approx(1e-200 * scores)
    assert score_errors(head, errors * head.spread(np.array([1.0, 1000.0])), np.array([1.0, 1000.0])) == pytest.approx(
        scores
    )
    assert score_errors(head, 0 * errors, np.ones(2)) == pytest.approx(0)
    assert np.isinf(score_errors(head, np.full_like(errors, np.inf), np.ones(2))).all()  # told as such, not as a bug


@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize("wiring", [Wiring.many_to_one, Wiring.many_to_many, Wiring.encoder_decoder])
def test_its_loss_takes_what_the_network_gives(name: HeadName, wiring: Wiring) -> None:
    """A head is trained on a wiring whose outputs it takes for others, or not at all."""
    config = Config(look_back=4, horizon=3, model=ModelConfig(head=name, wiring=wiring))
    config = replace(config, dataset=replace(config.dataset, horizons=Horizons.all))
    head, num_targets = head_of(config), 3 * 2
    network = build_training_network(config, 1, num_targets * head.numbers)
    outputs = network(np.zeros((5, 4, 1), np.float32)).numpy()  # ([windows, steps or] windows, outputs)
    loss = head.training_loss(config)
    sure = RANDOM.integers(1, 9, size=(*outputs.shape[:-1], num_targets)).astype(np.float32)
    right, wrong = (say(head, sure + away, others=1).reshape(outputs.shape).astype(np.float32) for away in (0, 1))
    cost = np.asarray(loss(sure, right))
    assert cost.shape == outputs.shape[:-1]
    assert (np.asarray(loss(sure, wrong)) > cost).all()
