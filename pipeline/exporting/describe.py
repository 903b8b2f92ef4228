"""model.json: what an exported model reads, gives and remembers, for who runs it without this package."""

import math
from typing import Any

import numpy as np

from pipeline.artifacts.recipe_files import describe_scaling
from pipeline.exporting.layout import Layout, scaler_shapes, state_shapes
from pipeline.serving.model import ServedModel


def describe_model(model: ServedModel, layout: Layout, run_id: str) -> dict[str, Any]:
    """Return plain values for model.json.

    Args:
        model: The seed.
        layout: Of its rows.
        run_id: Of its run in MLflow.
    """
    series, dataset = model.data.series, model.config.dataset
    ends = [series.timestamps[rows.stop - 1] for rows in series.slices()]
    return {
        "written_by": "lstm-pipeline",
        "run": run_id,
        "seed": model.seed,
        "digest": model.digest,
        "dataset": dataset.name,
        "unit": dataset.unit,
        "columns": list(layout.columns),
        "time_column": dataset.time_column,
        "computed_columns": list(series.computed),
        "targets": list(series.targets),
        "horizon_steps": list(model.data.windows.spec.horizon_steps),
        "quantiles": list(model.data.head.levels),
        "rows_before_the_first_forecast": layout.lost + layout.rows_needed - 1,
        "state": {name: list(shape) for name, shape in state_shapes(model, layout).items()},
        "scaler_of_a_window": {name: list(shape) for name, shape in scaler_shapes(model).items()},
        "lanes": list(series.series_ids) or [dataset.name],
        "last_timestamps": [str(end) for end in ends],
        "scaling": describe_scaling(model.config, model.data),
        "intervals": _describe_intervals(model),
    }


def _describe_intervals(model: ServedModel) -> dict[str, Any] | None:
    """Return how far the intervals of each lane reach at the end of the run's data; None without any."""
    conformal = model.conformal
    if conformal is None:
        return None
    radii = conformal.measure(np.arange(len(conformal.errors)))  # (lanes, steps, targets, levels)
    of_head = conformal.halves is not None
    return {
        "levels": list(conformal.levels),
        "measured_in": "half the distance of the outermost quantiles" if of_head else "the data's own units",
        "around": "the middle of the outermost quantiles" if of_head else "the forecast",
        "shape": ["lanes", "horizon_steps", "targets", "levels"],
        "radii": _without_nan(radii.tolist()),
    }


def _without_nan(numbers: Any) -> Any:
    """Return nested lists with None for what is not known: JSON has no NaN."""
    if isinstance(numbers, list):
        return [_without_nan(each) for each in numbers]
    return numbers if math.isfinite(numbers) else None
