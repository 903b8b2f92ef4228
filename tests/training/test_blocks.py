"""Training on a panel in blocks of lanes: what the fused engine learns at once, and the same bits from any files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config.schema import Config, DatasetConfig, ModelConfig, Source, TrainingConfig
from pipeline.data.panel_blocks import prepare_blocks
from pipeline.data.prepare import prepare_data
from pipeline.data.sources import load_series
from pipeline.training.blocks import BlockTraining
from pipeline.training.record import Training
from pipeline.training.train import train_seeds

pytestmark = pytest.mark.thorough  # compiles programs; tests/experiment/test_panel.py trains in blocks, too

LANES, ROWS = 5, 40


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the same waves of five lanes as one CSV and as a folder; the last lane is shorter."""
    folder = tmp_path_factory.mktemp("panel")
    steps = np.arange(ROWS)
    rows = pd.concat(
        [
            pd.DataFrame({"step": steps, "lane": f"lane {lane}", "value": np.sin(steps / (2 + lane)) + lane})
            for lane in range(LANES)
        ],
        ignore_index=True,
    )[: LANES * ROWS - 4]
    rows.to_csv(folder / "panel.csv", index=False)
    (folder / "panel").mkdir()
    for number in range(3):
        rows[rows.index % 3 == number].to_parquet(folder / "panel" / f"{number}.parquet", index=False)
    return {"csv": folder / "panel.csv", "folder": folder / "panel"}


def configure(path: Path, lane_block: int | None, **settings: int) -> Config:
    dataset = DatasetConfig(
        name="csv", source=Source.file, path=str(path), time_column="step", lane_column="lane", lane_block=lane_block
    )
    training = TrainingConfig(epochs=4, patience=2, learning_rate=0.05)
    chosen = {"batch_size": 16, "seeds": 2, **settings}
    return Config(dataset=dataset, training=training, model=ModelConfig(units=[3]), look_back=4, **chosen)


def train(config: Config, folder: Path) -> tuple[Training, np.ndarray]:
    """Return the training of a panel in blocks, and the forecasts of its blocks, lane after lane."""
    series = load_series(config.dataset)
    assert series.panel is not None
    blocks = prepare_blocks(config, series.panel, folder)
    with BlockTraining(blocks, blocks.prepare(series)) as training:
        trained = training.train(lambda report: None)
        return trained, np.concatenate([training.forecast(data) for data in blocks.prepare_all()], axis=1)


def test_files_and_company_change_no_bit_of_a_seed(files: dict[str, Path], tmp_path: Path) -> None:
    """Breaks a comparison of seeds: one would depend on the layout of the files, or on how many train beside it."""
    trained, forecasts = train(configure(files["csv"], 2), tmp_path)
    assert [len(seed.losses) for seed in trained.seeds] == [4, 4]
    assert all(seed.losses[-1] < seed.losses[0] for seed in trained.seeds), "it learns"
    np.testing.assert_array_equal(trained.forecasts, forecasts)  # so few lanes are all in the sample
    alone, again = train(configure(files["folder"], 2, seeds=1), tmp_path)
    assert alone.seeds[0].losses == trained.seeds[0].losses
    assert alone.seeds[0].val_losses == trained.seeds[0].val_losses
    np.testing.assert_array_equal(again[0], forecasts[0])


def test_one_batch_of_one_block_is_the_training_at_once(files: dict[str, Path], tmp_path: Path) -> None:
    """Breaks what a training in blocks means: with all windows in each batch there is no order in which they differ."""
    whole = prepare_data(configure(files["csv"], None, batch_size=len_train(files)))
    expected = train_seeds(configure(files["csv"], None, batch_size=len_train(files)), whole, lambda report: None)
    trained, _ = train(configure(files["folder"], LANES, batch_size=len_train(files)), tmp_path)
    for one, other in zip(trained.seeds, expected.seeds, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-4)
        assert one.val_losses == pytest.approx(other.val_losses, rel=1e-4)
        assert one.kept_epoch == other.kept_epoch
    np.testing.assert_allclose(trained.forecasts, expected.forecasts, atol=1e-4)


def len_train(files: dict[str, Path]) -> int:
    return len(prepare_data(configure(files["csv"], None)).windows.train)
