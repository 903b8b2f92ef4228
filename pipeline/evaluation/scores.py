"""All scores of a run: every seed and every baseline, on the same timestamps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.base.record import Measure
from pipeline.evaluation.metrics import errors, mae, mase, naive_scale, rmse, rmsse, score_errors, skill, smape
from pipeline.evaluation.statistics import summarize_seeds
from pipeline.models.heads.head import Head
from pipeline.models.heads.point import POINT

Array = np.ndarray
_FEWEST_ERRORS = 8  # of a lane, that say how wide the errors of a baseline are


@dataclass(frozen=True)
class Truth:
    """What forecasts are compared with.

    Attributes:
        actual: Targets in the data's own units. Shape (time, targets).
        scorable: False where a target was filled in. Shape (time, targets).
        parts: True for the rows of `train`, `validation` and `test`. Each of shape (time,).
        targets: Names of the targets.
        slices: Rows of each series of a panel; of a single series, all.
        head: What the forecasts are answers of.
    """

    actual: Array
    scorable: Array
    parts: Mapping[str, Array]
    targets: Sequence[str]
    slices: Sequence[slice] = (slice(None),)
    head: Head = POINT

    @property
    def measure(self) -> Measure:
        """What forecasts are judged by."""
        return self.head.measure(len(self.targets))

    @property
    def divisors(self) -> Array:
        """What the errors of each target are divided by where they are judged; 1 for a single one. Shape (targets,)."""
        return np.ones(1) if len(self.targets) == 1 else self.scale

    @property
    def scale(self) -> Array:
        """What RMSSE divides the errors of each target by. Shape (targets,)."""
        return naive_scale(self.actual, self.scored("train"), self.slices)

    def by_target(self) -> list[tuple[str, list[int]]]:
        """Return the ending of metric names and the column of each target; a single target needs no ending."""
        if len(self.targets) == 1:
            return [("", [0])]
        return [(f".{name}", [column]) for column, name in enumerate(self.targets)]

    def scored(self, part: str) -> Array:
        """Return the rows that count in a part. Shape (time, targets)."""
        return self.scorable & self.parts[part][:, None]


def score_seed(truth: Truth, answers: Array) -> dict[str, float]:
    """Score one seed.

    Args:
        truth: What really happened.
        answers: Of its head, in the data's own units. Shape (time, horizon_steps, targets, *shape of an answer).

    Returns:
        What it is judged by on `validation` and `test`. Of its points train_rmse (of the rows that have a forecast),
        validation_rmse, test_rmse, test_mae; with several targets each of these once per target, as `test_rmse.NAME`,
        because their units differ. Without a unit, and so over all targets: validation_rmsse, test_rmsse, test_mase,
        test_smape.
    """
    forecasts = truth.head.points(answers)  # (time, horizon_steps, targets)
    parts = {part: truth.scored(part) for part in ("train", "validation", "test")}
    parts["train"] = parts["train"] & ~np.isnan(forecasts).any(axis=1)
    scores: dict[str, float] = {}
    for ending, only in truth.by_target():
        actual, some = truth.actual[:, only], forecasts[:, :, only]
        for part, scored in parts.items():
            scores[f"{part}_rmse{ending}"] = rmse(actual, some, scored[:, only])
        scores[f"test_mae{ending}"] = mae(actual, some, parts["test"][:, only])
    for part in ("validation", "test"):
        scores[f"{part}_rmsse"] = rmsse(truth.actual, forecasts, parts[part], truth.scale)
    scores["test_mase"] = mase(truth.actual, forecasts, parts["test"], truth.scored("train"), truth.slices)
    scores["test_smape"] = smape(truth.actual, forecasts, parts["test"])
    judged = {truth.measure.of(part): score_part(truth, answers, parts[part]) for part in ("validation", "test")}
    return scores | judged


def score_part(truth: Truth, answers: Array, scored: Array) -> float:
    """Return what answers are judged by on some rows: those where `scored`, shape (time, targets), is True."""
    known = ~np.isnan(errors(truth.actual, truth.head.points(answers), scored))  # refuses rows without a forecast
    away = truth.head.errors(answers, truth.actual[:, None])  # (time, horizon_steps, targets, *shape of an answer)
    away = np.where(truth.head.spread(known), away, np.nan)
    return float(score_errors(truth.head, away[None], truth.divisors)[0])


def dress(truth: Truth, points: Array) -> Array:
    """Make answers of points as a baseline has them: its errors in the validation part say how sure it is.

    Args:
        truth: What really happened, and the head.
        points: Shape (time, horizon_steps, targets).

    Returns:
        Shape (time, horizon_steps, targets, *shape of an answer). Quantiles are those of the errors of the same lane,
        step and target, added to the points; a lane that has too few takes the errors of all.
    """
    levels = truth.head.levels
    if not levels:
        return truth.head.spread(points)
    counts = truth.scored("validation")[:, None]
    away = np.where(counts, truth.actual[:, None] - points, np.nan)  # (time, horizon_steps, targets)
    answers = np.empty((*points.shape, len(levels)))
    for rows in truth.slices:
        enough = np.isfinite(away[rows]).sum(axis=0).min() >= _FEWEST_ERRORS
        answers[rows] = points[rows][..., None] + _quantiles(away[rows] if enough else away, levels)
    return answers


def _quantiles(errors: Array, levels: Sequence[float]) -> Array:
    """Return quantiles over time, 0 where nothing is known. Shape (horizon_steps, targets, levels)."""
    known = np.isfinite(errors).any(axis=0)
    return np.moveaxis(np.nanquantile(np.where(known, errors, 0.0), levels, axis=0), 0, -1)


def score_all(truth: Truth, answers: Array) -> float:
    """Return the score over every row that has a forecast, in any part: the prequential error of an online run."""
    forecast = ~np.isnan(truth.head.points(answers)).any(axis=1)
    return score_part(truth, answers, truth.scorable & forecast)


def score_run(truth: Truth, seeds: Sequence[dict[str, float]], baselines: Mapping[str, Array]) -> dict[str, float]:
    """Summarize the seeds of a run and compare their mean test score with the baselines.

    Args:
        truth: What really happened.
        seeds: Result of `score_seed` for each seed.
        baselines: Forecasts by name. Each (time, horizon_steps, targets).

    Returns:
        Every metric of the run by its MLflow name. `skill_NAME` compares what runs are judged by; with several targets
        `baseline_NAME_rmse` and a skill that compares it exist once per target, too.
    """
    metrics: dict[str, float] = {}
    for name in seeds[0]:
        metrics |= summarize_seeds(name, [seed[name] for seed in seeds])
    test, measure = truth.scored("test"), truth.measure
    for name, baseline in baselines.items():
        for ending, only in truth.by_target():
            error = rmse(truth.actual[:, only], baseline[:, :, only], test[:, only])
            metrics[f"baseline_{name}_rmse{ending}"] = error
            metrics[f"skill_{name}{ending}"] = skill(metrics[f"test_rmse{ending}"], error)
        metrics[f"baseline_{name}_rmsse"] = rmsse(truth.actual, baseline, test, truth.scale)
        judged = score_part(truth, dress(truth, baseline), test)
        metrics[measure.of(f"baseline_{name}")] = judged
        metrics[f"skill_{name}"] = skill(metrics[measure.of("test")], judged)
    return metrics


def score_series(truth: Truth, forecasts: Sequence[Array], baselines: Mapping[str, Array]) -> list[dict[str, float]]:
    """Score each series of a panel by itself on the test part.

    Args:
        truth: What really happened.
        forecasts: Points of each seed. Each (time, horizon_steps, targets), in the data's own units.
        baselines: Forecasts by name, same shape.

    Returns:
        For each series test_rows, test_rmse and test_mae (means over seeds) and the RMSE of each baseline, with several
        targets of each, and test_rmsse; only test_rows for a series without test rows.
    """
    test, scores, scale = truth.scored("test"), [], truth.scale
    for rows in truth.slices:
        scored = test[rows]
        one: dict[str, float] = {"test_rows": float(scored.any(axis=1).sum())}
        scores.append(one)
        if not scored.any():
            continue
        for ending, only in truth.by_target():
            actual, counted = truth.actual[rows][:, only], scored[:, only]
            if not counted.any():
                continue
            some = [each[rows][:, :, only] for each in forecasts]
            one[f"test_rmse{ending}"] = float(np.mean([rmse(actual, each, counted) for each in some]))
            one[f"test_mae{ending}"] = float(np.mean([mae(actual, each, counted) for each in some]))
            for name, baseline in baselines.items():
                one[f"baseline_{name}_rmse{ending}"] = rmse(actual, baseline[rows][:, :, only], counted)
        if len(truth.targets) > 1:
            found = [rmsse(truth.actual[rows], each[rows], scored, scale) for each in forecasts]
            one["test_rmsse"] = float(np.mean(found))
    return scores
