"""Golden lesson for heads: noise that grows with the level. Who knows that is as often right where it is calm.

b    level of the next row, between 1 and 9, drawn anew for each row
a    the level of the row before x (1 + 0.3 x noise)
"""

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import HeadName, Optimizer, Scaler
from pipeline.evaluation.alignment import align_outputs, take_truth
from pipeline.evaluation.calibration import measure_calibration
from pipeline.evaluation.scores import dress
from pipeline.training.train import train_seeds

RANDOM = np.random.default_rng(4)
LEVELS = RANDOM.uniform(1, 9, size=1500)
VALUES = np.column_stack([np.concatenate([[5.0], LEVELS[:-1]]) * (1 + 0.3 * RANDOM.normal(size=1500)), LEVELS])
SCALED = {"test_fraction": 0.4, "validation_fraction": 0.2, "features": ["a", "b"], "targets": ["a"]}


def covered(answers: np.ndarray, actual: np.ndarray, rows: np.ndarray) -> float:
    """Return which share of the rows lies between the quantiles 0.05 and 0.95."""
    inside = (answers[:, 0, 0, 0] <= actual) & (actual <= answers[:, 0, 0, -1])
    return float(inside[rows].mean())


@pytest.mark.parametrize(
    "head",
    [
        HeadName.gaussian,
        pytest.param(HeadName.quantile, marks=pytest.mark.thorough),
        pytest.param(HeadName.student_t, marks=pytest.mark.thorough),
    ],
)
def test_a_head_finds_noise_that_grows_with_the_level(head, make_config, make_data, ignore_epoch) -> None:
    """A head would say the same width everywhere, which any baseline can, or one that is not that of the noise."""
    training = {"epochs": 25, "optimizer": Optimizer.adam, "learning_rate": 0.02}
    model = {"head": head, "units": [8]}
    config = make_config(look_back=1, batch_size=32, dataset=dict(SCALED), model=model, training=training)
    data = make_data(config, VALUES)
    answers = align_outputs(data, train_seeds(config, data, ignore_epoch).forecasts[0])
    test, before = data.split.rows("test"), np.concatenate([[5.0], LEVELS[:-1]])
    low, high = test & (before < 3), test & (before > 7)
    actual = data.series.actual()[:, 0]
    widths = answers[:, 0, 0, -1] - answers[:, 0, 0, 0]
    assert widths[high].mean() > 2.5 * widths[low].mean()  # four times
    for rows in (low, high):
        assert 0.78 < covered(answers, actual, rows) < 0.97
    level = before[:, None, None]  # what a baseline would forecast at best
    alike = dress(take_truth(data), level)
    assert covered(alike, actual, low) > 0.97 and covered(alike, actual, high) < 0.78


@pytest.mark.thorough
def test_counts_are_forecast_as_counts(make_config, make_data, ignore_epoch) -> None:
    """The quantiles of rare sales would be fractions, lie below zero, or know nothing of the level."""
    sales = RANDOM.poisson(np.concatenate([[1.0], LEVELS[:-1] - 0.9]))[:, None]
    training = {"epochs": 25, "optimizer": Optimizer.adam, "learning_rate": 0.02}
    model = {"head": HeadName.negative_binomial, "units": [8]}
    dataset = SCALED | {"scaler": Scaler.none}
    config = make_config(look_back=1, batch_size=32, dataset=dataset, model=model, training=training)
    data = make_data(config, np.column_stack([sales, LEVELS]))
    answers = align_outputs(data, train_seeds(config, data, ignore_epoch).forecasts[0])[:, 0, 0]
    test, before = data.split.rows("test"), np.concatenate([[5.0], LEVELS[:-1]])
    assert (answers[test] == np.round(answers[test])).all() and (answers[test] >= 0).all()
    assert answers[test & (before < 3), 2].mean() < 2 < 6 < answers[test & (before > 7), 2].mean()
    calibration = measure_calibration(take_truth(data), data.series.timestamps, answers[:, None, None])
    assert calibration.p_value > 0.001


@pytest.mark.parametrize("value", [-1.0, 2.5])
def test_what_is_no_count_is_refused(value, make_config, make_data) -> None:
    """A likelihood of whole numbers would be taken of others, and be nonsense or not a number."""
    dataset = {"scaler": Scaler.none, "features": ["a"]}
    config = make_config(model={"head": HeadName.negative_binomial}, dataset=dataset)
    counts = np.arange(40.0)[:, None] % 5
    make_data(config, counts)
    counts[7] = value
    with pytest.raises(UserError, match=rf"the target 'a' is {value:g}, but .* counts: 0, 1, 2.*model.head=quantile"):
        make_data(config, counts)
