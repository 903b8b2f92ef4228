"""One sentence that says what the evidence supports. The network is chosen by validation, judged on the test part."""

from collections.abc import Sequence

from pipeline.record import RunRecord, Status
from pipeline.report.table import label_run, sort_records, telling_keys

_CELLS = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "simple RNN"}


def state_verdict(records: Sequence[RunRecord]) -> str:
    """Say whether the networks beat the strongest baseline.

    Args:
        records: The runs of one sweep, on one dataset.

    Returns:
        One sentence. A configuration beats a baseline when its whole 95 % interval over the seeds lies below it; one
        seed has no interval and is judged by its value, which the sentence says.
    """
    finished = [record for record in sort_records(records) if record.status is Status.finished]
    if not finished:
        return "No run finished, so there is nothing to compare."
    name, baseline = _strongest_baseline(finished)
    best = finished[0]
    cell = _CELLS.get(best.params["model.cell"], best.params["model.cell"])
    network = f"{cell}, {label_run(best, telling_keys(finished))},"
    margin = describe_margin(best.metrics["test_rmse"], baseline)
    caution = _caution(best, baseline)
    if _beats(best, baseline):
        return f"The best {network} chosen by validation, beats {name}: it is {margin}{caution}."
    if best.metrics["test_rmse"] < baseline:
        return f"The best {network} is not distinguishable from {name}: it is {margin}{caution}."
    if any(_beats(record, baseline) for record in finished):
        return (
            f"The best {network} chosen by validation, is {margin} than {name}; another configuration beats it on the "
            f"test part, but nothing before the test says which{caution}."
        )
    return f"No configuration beats {name}; the best {network} is {margin}{caution}."


def describe_margin(rmse: float, baseline: float) -> str:
    """Say how far a score is from a baseline: `4 % worse`, `12 % better`, `8 times worse`.

    Example:
        >>> describe_margin(104.0, 100.0), describe_margin(80.0, 100.0), describe_margin(800.0, 100.0)
        ('4 % worse', '20 % better', '8 times worse')
    """
    if rmse < baseline:
        return f"{(1 - rmse / baseline) * 100:.0f} % better"
    if rmse < 3 * baseline:
        return f"{(rmse / baseline - 1) * 100:.0f} % worse"
    return f"{rmse / baseline:.0f} times worse" if rmse < 1000 * baseline else "over 1000 times worse"


def _caution(record: RunRecord, baseline: float) -> str:
    """Say what the seeds cannot decide; nothing if the whole interval lies on one side of the baseline."""
    if "test_rmse_low" not in record.metrics:
        return " (one seed: luck is not distinguishable from skill)"
    if record.metrics["test_rmse_low"] <= baseline <= record.metrics["test_rmse_high"]:
        return f" (but the 95 % interval over its {record.params['seeds']} seeds includes equality)"
    return ""


def _beats(record: RunRecord, baseline: float) -> bool:
    return record.metrics.get("test_rmse_high", record.metrics["test_rmse"]) < baseline


def _strongest_baseline(finished: Sequence[RunRecord]) -> tuple[str, float]:
    """Return the baseline with the lowest test RMSE over all runs; the linear fit has one for every look_back."""
    candidates: list[tuple[float, str]] = []
    for record in finished:
        metrics, look_back = record.metrics, record.params["look_back"]
        lags = "value" if look_back == "1" else f"{look_back} values"
        candidates += [
            (metrics["baseline_persistence_rmse"], "repeating the last value (persistence)"),
            (metrics["baseline_seasonal_rmse"], "repeating the value of one season ago (seasonal naive)"),
            (metrics["baseline_linear_rmse"], f"the linear fit on the last {lags}"),
        ]
    rmse, name = min(candidates)
    return name, rmse
