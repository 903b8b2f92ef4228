"""A run on a text leaves what it can be compared, repeated and continued from."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from pipeline.artifacts.errors_file import read_test_errors
from pipeline.artifacts.text_files import TextResults, draw_text_figures, write_text_files
from pipeline.config.schema import Config, DatasetConfig, Source
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.vocabulary import FILE_NAME, load_vocabulary

RANDOM = np.random.default_rng(2)


@pytest.fixture
def run(tmp_path: Path) -> tuple[Config, PreparedData, TextResults]:
    """Return a configuration, its text, and what two seeds and two baselines would have found."""
    (tmp_path / "text.txt").write_text('To be,\nor "not" to be. ' * 20)
    dataset = DatasetConfig(name="text", source=Source.text, path=str(tmp_path / "text.txt"))
    config = Config(look_back=5, return_sequences=True, dataset=dataset)
    data = prepare_data(config)
    tokens = data.split.count("test")
    seeds = [{"seed": 1.0, "validation_nats_per_token": 2.0, "test_bits_per_character": 3.0}]
    seeds.append(seeds[0] | {"seed": 2.0, "test_bits_per_character": 3.5})
    return (
        config,
        data,
        TextResults(
            costs=RANDOM.uniform(1, 3, size=(2, tokens)),
            baselines={"kneser_ney": RANDOM.uniform(1, 3, size=tokens), "xz": np.full(tokens, 2.0)},
            metrics={"baseline_kneser_ney_bits_per_character": 2.5, "baseline_xz_bits_per_character": 4.5},
            seeds=seeds,
            best=0,
            losses={1: ([2.0, 1.5], [2.0, 1.6]), 2: ([2.1, 1.7], [2.2, 1.9])},
        ),
    )


def test_what_is_compared_is_what_the_true_tokens_cost(
    run: tuple[Config, PreparedData, TextResults], tmp_path: Path
) -> None:
    """A comparison tests other numbers than the run reports, or bootstraps over the constant cost of a compressor."""
    config, data, results = run
    folder = tmp_path / "run"
    folder.mkdir()
    rows = write_text_files(folder, config, data, results)
    errors = read_test_errors(folder)
    np.testing.assert_allclose(errors.errors[:, :, 0, 0], results.costs, rtol=1e-6)
    np.testing.assert_allclose(errors.baselines["kneser_ney"][:, 0, 0], results.baselines["kneser_ney"], rtol=1e-6)
    assert set(errors.baselines) == {"kneser_ney"} and errors.rows == rows
    assert (
        errors.span
        == f"{data.split.count('test')} tokens, from {len(data.series) - len(results.costs[0])} to "
        + str(len(data.series) - 1)
    )
    assert load_vocabulary(folder / FILE_NAME) == data.vocabulary
    table = pd.read_csv(folder / "predictions.csv", keep_default_na=False)
    assert "".join(table["token"]) == (tmp_path / "text.txt").read_text()[-len(table) :]
    np.testing.assert_allclose(table[["seed_1", "seed_2"]].to_numpy().T, results.costs, atol=1e-4)


def test_bits_are_drawn_as_they_were_found(
    run: tuple[Config, PreparedData, TextResults], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figure shows the bar of one model under the name of another, or leaves the network out."""
    bars, labels = list[float](), list[str]()
    barh, ticks = Axes.barh, Axes.set_yticks
    monkeypatch.setattr(
        Axes, "barh", lambda self, y, width, **kept: (bars.extend(width), barh(self, y, width, **kept))[1]
    )
    monkeypatch.setattr(
        Axes,
        "set_yticks",
        lambda self, places, names, **kept: (labels.extend(names), ticks(self, places, names, **kept)),
    )
    figures = draw_text_figures("a run", *run)
    for name, draw in figures.items():
        draw(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5_000
    assert dict(zip(labels, bars, strict=True)) == {
        "xz": 4.5, "Kneser-Ney n-gram": 2.5, "network, mean of seeds": 3.25,
    }  # fmt: skip
