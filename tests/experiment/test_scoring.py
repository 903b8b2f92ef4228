"""From outputs of networks to scores: the right rows, units, seed and origin, without training anything."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts.run_files import Results
from pipeline.base.errors import TrainingError
from pipeline.config.schema import Config, DatasetConfig, EvaluationConfig, Scaler, Source
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.experiment.scoring import describe_weak_fit, join_origins, score_trainings
from pipeline.training.record import SeedTraining

LENGTH, SCALE = 90, 50.0
SEEDS = (7, 8)


def configure(origins: int = 1) -> Config:
    dataset = DatasetConfig(name="test", source=Source.sine, scaler=Scaler.standard, period=6)
    return Config(look_back=3, dataset=dataset, evaluation=EvaluationConfig(origins=origins))


@pytest.fixture
def series(make_panel) -> Any:
    """One lane of noise around a wave, far from zero."""
    noise = np.random.default_rng(0).normal(size=LENGTH)
    return make_panel([SCALE * (10 + np.sin(np.arange(LENGTH)) + 0.2 * noise)])


def outputs_off_by(data: PreparedData, error: float) -> np.ndarray:
    """Scaled outputs whose forecasts are `error` above what happened. Shape (windows, 1)."""
    windows = data.windows
    rows = np.minimum(windows.spec.origins(windows.starts) + 1, LENGTH - 1)
    return windows.targets[rows].astype(float) + error / data.scaling.scale[0, 0]


def trained(data: PreparedData, errors: tuple[float, ...], seconds: float = 1.5) -> Any:
    """A training whose seeds are each wrong by one number everywhere."""
    seeds = [SeedTraining(seed, [], [0.5, 0.25], [0.6, 0.3], 2, 0.1) for seed in SEEDS]
    forecasts = np.stack([outputs_off_by(data, error) for error in errors])
    return SimpleNamespace(seeds=seeds, forecasts=forecasts, fit_seconds=seconds)


def score(config: Config, origins: list[PreparedData], trainings: list[Any]) -> Results:
    return score_trainings(config, origins, trainings, {seed: ([0.5, 0.25], [0.6, 0.3]) for seed in SEEDS})


def test_scores_are_in_the_units_of_the_data(series) -> None:
    """A score is that of scaled values, of another part, or of one seed only."""
    config = configure()
    data = prepare_data(config, series)
    results = score(config, [data], [trained(data, (4.0, -2.0))])
    assert results.metrics["test_rmse"] == pytest.approx(3, rel=1e-4)  # the mean of 4 and 2
    assert results.metrics["validation_rmse"] == pytest.approx(3, rel=1e-4)
    assert results.metrics["mean_forecast_rmse"] == pytest.approx(1, rel=1e-3)  # the forecast in the middle, 1 above
    assert results.metrics["fit_seconds"] == 1.5
    assert [seed["test_rmse"] for seed in results.seeds] == pytest.approx([4, 2], rel=1e-4)
    assert [(seed["seed"], seed["epochs"], seed["kept_epoch"]) for seed in results.seeds] == [(7, 2, 2), (8, 2, 2)]
    assert results.forecasts.shape == (2, LENGTH, 1, 1)
    known = results.forecasts[1, 3:, 0, 0]
    np.testing.assert_allclose(known, series.values[3:, 0] - 2, rtol=1e-5)
    assert np.isnan(results.forecasts[:, :3]).all()  # the first window ends at row 2
    (lane,) = results.lanes
    assert lane["test_rmse"] == pytest.approx(3, rel=1e-4)
    assert (results.scale.tolist(), results.origins) == ([1.0], [])


def test_the_best_seed_is_chosen_by_validation(series) -> None:
    """The seed that is kept for forecasts is the one that is luckiest on the test part."""
    config = configure()
    data = prepare_data(config, series)
    training = trained(data, (4.0, 4.0))
    windows = data.windows
    targets = windows.spec.origins(windows.starts) + 1
    in_validation = np.isin(targets, np.flatnonzero(data.split.rows("validation")))
    training.forecasts[1, in_validation] = outputs_off_by(data, 1.0)[in_validation]  # better there,
    training.forecasts[1, targets >= LENGTH - 5] = outputs_off_by(data, 90.0)[
        targets >= LENGTH - 5
    ]  # worse in the test
    results = score(config, [data], [training])
    assert results.best == 1
    assert results.seeds[1]["test_rmse"] > results.seeds[0]["test_rmse"]


def test_every_origin_forecasts_its_own_block(series) -> None:
    """A test row is forecast by a network that has seen it, or by one that has not seen what it might."""
    config = configure(origins=3)
    origins = [prepare_data(config, series, origin=origin) for origin in range(3)]
    errors = (1.0, 2.0, 4.0)
    results = score(config, origins, [trained(data, (e, e)) for data, e in zip(origins, errors, strict=True)])
    whole = join_origins(config, origins)
    blocks = [data.split.rows("test") for data in origins]
    assert sum(block.astype(int) for block in blocks).tolist() == whole.split.rows("test").astype(int).tolist()
    for block, error in zip(blocks, errors, strict=True):
        off = results.forecasts[:, block, 0, 0] - series.values[block, 0]
        np.testing.assert_allclose(off, error, rtol=1e-3)
    assert [block["test_rmse"] for block in results.origins] == pytest.approx(errors, rel=1e-3)
    assert [block["rows"] for block in results.origins] == [int(block.sum()) for block in blocks]
    assert results.metrics["origin_rmse_mean"] == pytest.approx(np.mean(errors), rel=1e-3)
    assert results.metrics["origin_rmse_std"] == pytest.approx(np.std(errors, ddof=1), rel=1e-3)
    assert results.metrics["validation_rmse"] == pytest.approx(1, rel=1e-3)  # of the first origin: it saw no test row
    assert results.metrics["fit_seconds"] == 4.5


def test_forecasts_that_are_no_numbers_fail_the_run(series) -> None:
    """An infinite score counts as one, and a comparison ranks it."""
    config = configure()
    data = prepare_data(config, series)
    training = trained(data, (1.0, 1.0))
    training.forecasts[1, -2] = np.inf  # of the last row
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(TrainingError, match=r"seed 8: \w+ is (inf|nan), .*lower training\.learning_rate"),
    ):
        score(config, [data], [training])


def test_a_weak_linear_fit_is_told(series) -> None:
    """A network that beats a baseline which is worse than repeating the last value looks strong."""
    config = configure()
    data = prepare_data(config, series)
    results = score(config, [data], [trained(data, (1.0, 1.0))])
    assert describe_weak_fit(data, results) == []
    actual = data.series.actual()[:, None]
    baselines = results.baselines | {"persistence": actual + 2.0, "linear": actual + 5.0}
    (told,) = describe_weak_fit(data, replace(results, baselines=baselines))
    assert told is not None and "2.50 times that of repeating the last value" in told
