"""Panels in training: one lane is the plain series, and 400 lanes side by side do not see each other."""

import dataclasses

import numpy as np
import pytest

from pipeline.baselines.persistence import forecast_persistence
from pipeline.baselines.task import Task
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series
from pipeline.evaluation.alignment import align_forecasts
from pipeline.evaluation.scores import Truth, score_seed, score_series
from pipeline.models.keras_network import build_streaming_network
from pipeline.models.numpy_network import build_numpy_network
from pipeline.models.plan import plan_layers
from pipeline.training.record import Training
from pipeline.training.train import train_seeds

LANES = 400


def aligned(data: PreparedData, outputs: np.ndarray) -> np.ndarray:
    windows, series = data.windows, data.series
    forecasts = data.in_units(outputs, windows.starts)
    ends = np.array([rows.stop for rows in series.slices()])[series.series_of_rows()[windows.starts]]
    return align_forecasts(
        forecasts, windows.spec.origins(windows.starts), windows.spec.horizon_steps, len(series), ends
    )


def truth_of(data: PreparedData) -> Truth:
    parts = {part: data.split.rows(part) for part in ("train", "validation", "test")}
    return Truth(data.series.actual(), data.series.scorable(), parts, data.series.targets, data.series.slices())


@pytest.fixture(scope="module")
def many(make_config, make_panel, ignore_epoch) -> tuple[PreparedData, Training]:
    """400 lanes of different length, one window each per step; one epoch."""
    random = np.random.default_rng(2)
    lanes = [random.normal(size=16 + number % 4) for number in range(LANES)]
    config = make_config(
        look_back=1,
        stateful=True,
        batch_size=LANES,
        dataset={"lane_column": "stock", "validation_fraction": 0.2},
        training={"epochs": 1},
    )
    data = prepare_data(config, make_panel(lanes, starts=[number % 4 for number in range(LANES)]))
    return data, train_seeds(config, data, ignore_epoch)


def test_each_of_400_lanes_is_forecast_as_if_alone(many, make_config) -> None:
    """The state of one stock would leak into another, or a lane would begin with what is left of the one before."""
    data, training = many
    windows, lane = data.windows, data.series.series_of_rows()
    weights = training.seeds[0].weights
    config = make_config(look_back=1, stateful=True)
    plain = build_numpy_network(plan_layers(config, 1, 1), weights)
    keras_twin = build_streaming_network(config, 1, 1)
    keras_twin.set_weights(weights)
    for number, rows in enumerate(data.series.slices()):
        mine = lane[windows.starts] == number
        states, outputs = plain.zero_states(1), []
        for row in range(rows.start, rows.stop - 1):
            answer, states = plain.step(windows.inputs[row][None], states)
            outputs.append(answer[0])
        np.testing.assert_allclose(training.forecasts[0][mine], np.stack(outputs), atol=1e-5)
        if number in (0, 1, LANES - 1):
            alone = keras_twin(windows.inputs[None, rows.start : rows.stop - 1], training=False).numpy()[0]
            np.testing.assert_allclose(training.forecasts[0][mine], alone, atol=1e-5)


def test_scores_of_each_lane(many) -> None:
    """lanes.csv would hold the scores of another stock, or count rows of another part."""
    data, training = many
    forecasts, truth = aligned(data, training.forecasts[0]), truth_of(data)
    baseline = forecast_persistence(Task(truth.actual, [1], truth.slices, period=1))
    scores = score_series(truth, [forecasts, forecasts + 1], {"persistence": baseline})
    assert len(scores) == LANES
    assert scores[0] == {"test_rows": 0}  # it ended before the test part began
    for number in (1, 7, LANES - 1):
        rows = np.flatnonzero(data.split.rows("test") & (data.series.series_of_rows() == number))
        errors = (forecasts[rows, 0] - truth.actual[rows]).ravel()
        each = [np.sqrt(np.mean(errors**2)), np.sqrt(np.mean((errors + 1) ** 2))]
        steps = truth.actual[rows] - truth.actual[rows - 1]
        assert scores[number] == pytest.approx(
            {
                "test_rows": len(rows),
                "test_rmse": np.mean(each),
                "test_mae": np.mean([np.abs(errors).mean(), np.abs(errors + 1).mean()]),
                "baseline_persistence_rmse": np.sqrt(np.mean(steps**2)),
            }
        )


@pytest.mark.thorough
def test_one_lane_is_trained_and_scored_as_the_plain_series(make_config, make_panel, ignore_epoch) -> None:
    """A panel of one stock would get other weights, forecasts or scores than the stock itself."""
    values = np.random.default_rng(8).normal(size=40)
    panel = make_panel([values])
    plain: Series = dataclasses.replace(panel, series_ids=(), series_ends=())
    config = make_config(look_back=2, stateful=True)
    scores = []
    for series in (panel, plain):
        data = prepare_data(config, series)
        training = train_seeds(config, data, ignore_epoch)
        scores.append((training.forecasts, score_seed(truth_of(data), aligned(data, training.forecasts[0]))))
    np.testing.assert_array_equal(scores[0][0], scores[1][0])
    assert scores[0][1] == scores[1][1]
