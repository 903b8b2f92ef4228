"""What a finished run of a text leaves in its folder: how to read, repeat and compare it, and how to write with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artifacts.errors_file import NAME as ERRORS_FILE
from pipeline.artifacts.errors_file import measure_test_errors, write_test_errors
from pipeline.artifacts.recipe_files import write_config
from pipeline.artifacts.run_files import Losses
from pipeline.artifacts.tables import write_history, write_seeds
from pipeline.base.text import show_name
from pipeline.baselines.registry import name_baseline
from pipeline.baselines.text.registry import TEXT_BASELINES
from pipeline.config.schema import Config
from pipeline.data.arrays import FloatArray
from pipeline.data.prepared import PreparedData
from pipeline.data.vocabulary import FILE_NAME, save_vocabulary
from pipeline.evaluation.tokens import BITS
from pipeline.models.heads.token import NATS
from pipeline.report.figures.run import draw_bits, draw_learning_curve


@dataclass(frozen=True)
class TextResults:
    """What a run on a text found.

    Attributes:
        costs: Nats that each token of the test part cost each seed. Shape (seeds, test tokens).
        baselines: The same of models that need no network, by name. Each (test tokens,).
        metrics: Final metrics by MLflow name.
        seeds: One row per seed: what it was, then its scores.
        best: Position of the seed with the best validation score.
        losses: Loss curves of each seed.
    """

    costs: FloatArray
    baselines: Mapping[str, FloatArray]
    metrics: Mapping[str, float]
    seeds: Sequence[Mapping[str, float]]
    best: int
    losses: Losses


def write_text_files(folder: Path, config: Config, data: PreparedData, results: TextResults) -> str:
    """Write config.yaml, vocabulary.json and the tables of a run.

    Args:
        folder: Where they go.
        config: Its configuration.
        data: What it was trained and scored on.
        results: What it found.

    Returns:
        What identifies the tokens it was scored on: `TestErrors.rows`.
    """
    assert data.vocabulary is not None
    rows = data.windows.spec.forecast_rows(data.windows.starts)[:, 0]  # (tokens,)
    in_test = data.split.rows("test")[rows]
    seeds = list(results.losses)
    write_config(folder, config)
    save_vocabulary(folder / FILE_NAME, data.vocabulary)
    test = rows[in_test]
    ids = data.series.values[test, 0].astype(int)
    table = {"position": test, "part": "test", "token": [data.vocabulary.tokens[each] for each in ids]}
    costs = {f"seed_{seed}": results.costs[number].round(4) for number, seed in enumerate(seeds)}
    pd.DataFrame(table | costs).to_csv(folder / "predictions.csv", index=False)
    scored_rows = write_test_errors(
        folder / ERRORS_FILE,
        measure_test_errors(
            data.series.timestamps[test],
            data.series.targets,
            data.windows.spec.horizon_steps,
            np.full(len(test), True),
            ids[:, None].astype(float),
            results.costs[..., None, None],
            {name: each[:, None, None] for name, each in results.baselines.items() if TEXT_BASELINES[name].per_token},
            seeds,
            [seed[NATS.of("validation")] for seed in results.seeds],
            np.ones(1),
            data.head,
        ),
    )
    write_seeds(folder / "seeds.csv", results.seeds)
    write_history(folder / "history.csv", results.losses)
    return scored_rows


def draw_text_figures(
    label: str, config: Config, data: PreparedData, results: TextResults
) -> dict[str, Callable[[Path], None]]:
    """Return what draws each figure of a run into a file, by the file's name.

    Args:
        label: Names the run for people.
        config: Its configuration.
        data: What it was trained and scored on.
        results: What it found.
    """
    title = f"{show_name(config.dataset.name)}: {label}"
    others = {name_baseline(name): results.metrics[f"baseline_{name}_{BITS}"] for name in results.baselines}
    bits = [seed[f"test_{BITS}"] for seed in results.seeds]
    return {
        "bits.png": lambda path: draw_bits(path, title, bits, others),
        "learning_curve.png": lambda path: draw_learning_curve(path, title, results.losses, "nats per token"),
    }
