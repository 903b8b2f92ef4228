"""From seeds that were trained on a text to scores: every seed and every model without a network on the same tokens."""

from typing import TYPE_CHECKING

import numpy as np

from pipeline.artifacts.run_files import Losses
from pipeline.artifacts.text_files import TextResults
from pipeline.config.schema import Config
from pipeline.data.prepared import PreparedData
from pipeline.data.tokens import count_characters
from pipeline.evaluation.tokens import Scored, mix, score_text_run, score_tokens
from pipeline.experiment.scoring import check_finite, describe_seed
from pipeline.experiment.text_baselines import cost_baselines
from pipeline.models.heads.token import NATS

if TYPE_CHECKING:
    from pipeline.training.record import Training


def score_text(config: Config, data: PreparedData, training: "Training", losses: Losses) -> TextResults:
    """Score the seeds of a run on a text.

    Args:
        config: The configuration of the run.
        data: The prepared text.
        training: All seeds, trained.
        losses: Loss curves of each seed, for the files.

    Raises:
        TrainingError: If a score is not a finite number.
    """
    assert data.tokens is not None
    rows = data.windows.spec.forecast_rows(data.windows.starts)[:, 0]  # (tokens,)
    scored = Scored(
        parts={part: data.split.rows(part)[rows] for part in ("validation", "test")},
        characters=count_characters(data.tokens[rows]),
    )
    kept = training.forecasts  # (seeds, tokens, 2): costs and hits
    costs = kept[..., 0].astype(float)
    scores = [score_tokens(scored, own, hits) for own, hits in zip(costs, kept[..., 1], strict=True)]
    check_finite(scores, [seed.seed for seed in training.seeds])
    baselines = cost_baselines(config, data)
    metrics = score_text_run(scored, scores, mix(costs), baselines.costs) | {
        "fit_seconds": training.fit_seconds,
        "kneser_ney_order": float(baselines.order),
    }
    return TextResults(
        costs=costs[:, scored.parts["test"]],
        baselines=baselines.costs,
        metrics=metrics,
        seeds=[describe_seed(seed) | score for seed, score in zip(training.seeds, scores, strict=True)],
        best=int(np.argmin([score[NATS.of("validation")] for score in scores])),
        losses=losses,
    )


def describe_order(results: TextResults) -> list[str]:
    """Say which n-gram model the validation part chose."""
    order = int(results.metrics["kneser_ney_order"])
    return [f"n-grams: the validation part chose order {order}, which looks at {order - 1} tokens before"]
