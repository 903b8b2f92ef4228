"""Statistics over seeds: mean, standard deviation, median and the 95 % interval of the mean."""

from collections.abc import Sequence

import numpy as np

from pipeline.base.moments import standard_deviation


def summarize_seeds(name: str, values: Sequence[float]) -> dict[str, float]:
    """Summarize one metric over the seeds of a run.

    Args:
        name: Name of the metric.
        values: One value per seed.

    Returns:
        `name` (the mean) and `name_median`; with two or more seeds also `name_std` (sample standard deviation) and
        `name_low`, `name_high`: the 95 % interval of the mean by Student's t. One seed says nothing about spread.

    Example:
        >>> summarize_seeds("rmse", [1.0, 3.0])["rmse"]
        2.0
    """
    from scipy.special import stdtrit  # imported late: --help must stay fast

    numbers = np.asarray(values, dtype=float)
    mean = float(numbers.mean())
    summary = {name: mean, f"{name}_median": float(np.median(numbers))}
    if len(numbers) > 1:
        std = float(standard_deviation(numbers, ddof=1))
        half = float(stdtrit(len(numbers) - 1, 0.975)) * std / float(np.sqrt(len(numbers)))
        summary |= {f"{name}_std": std, f"{name}_low": mean - half, f"{name}_high": mean + half}
    return summary
