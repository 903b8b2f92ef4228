"""A forecast stands at the row it predicts, in the units of the data, and never in another lane."""

import numpy as np

from pipeline.config.schema import Config, DatasetConfig, Horizons, Scaler, Source
from pipeline.data.prepare import prepare_data
from pipeline.evaluation.alignment import align_outputs, take_truth

LENGTH = 40


def test_the_true_future_is_placed_where_it_happened(make_panel) -> None:
    """Scores compare a forecast with another row, step ahead, unit or lane."""
    random = np.random.default_rng(0)
    series = make_panel([random.normal(100, 5, LENGTH), random.normal(-3, 1, LENGTH)])
    dataset = DatasetConfig(
        name="test", source=Source.sine, horizons=Horizons.all, scaler=Scaler.standard, lane_column="lane"
    )
    config = Config(look_back=2, horizon=3, dataset=dataset)
    data = prepare_data(config, series)
    windows, rows = data.windows, np.arange(len(series))
    origins = windows.starts + config.look_back - 1
    future = np.minimum(origins[:, None] + np.arange(1, 4), len(series) - 1)  # (windows, horizon_steps)
    aligned = align_outputs(data, windows.targets[future, 0].astype(float))
    assert aligned.shape == (2 * LENGTH, 3, 1)
    actual = np.broadcast_to(series.values[:, None], aligned.shape)
    known = ~np.isnan(aligned)
    np.testing.assert_allclose(aligned[known], actual[known], rtol=1e-5)
    for step in range(3):  # the first forecast of a lane is for the row after its first window
        assert np.array_equal(known[:, step, 0], rows % LENGTH >= config.look_back + step)


def test_truth_has_the_rows_of_every_part_once(make_panel) -> None:
    """A row is scored twice, in two parts, or a filled value is."""
    series = make_panel([np.random.default_rng(0).normal(size=LENGTH)], filled=[35])
    dataset = DatasetConfig(name="test", source=Source.sine, lane_column="lane")
    truth = take_truth(prepare_data(Config(look_back=2, dataset=dataset), series))
    scored = np.stack([truth.scored(part) for part in ("train", "validation", "test")])
    assert scored.astype(int).sum(axis=0).max() == 1
    assert not scored[:, 35].any() and scored[2, 36:].all()
