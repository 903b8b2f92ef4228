"""The table of a sweep: one row per configuration, the best validation score first."""

from collections.abc import Sequence

from rich.table import Table

from pipeline.record import RunRecord, Status
from pipeline.report.console import PlainConsole
from pipeline.text import show_name

_DECIDE_NO_RESULT = ("resume", "experiment", "debug")
_WHAT_IS_PREDICTED = (
    "horizon",
    "protocol",
    "dataset.name",
    "dataset.source",
    "dataset.path",
    "dataset.targets",
    "dataset.horizons",
    "dataset.period",
    "dataset.missing",
    "dataset.validation_fraction",
    "dataset.test_fraction",
    "dataset.validation_start",
    "dataset.test_start",
    "dataset.length",
    "dataset.delay",
    "dataset.lane_column",
    "dataset.noise",
)
_WITHOUT_SWEEP = ("look_back", "stateful")  # what names the one row of a single run
_HORIZONS = {"one": "predicted", "all": "every step up to"}
_HEADINGS = (
    "validation\nRMSE",
    "test RMSE\nmean ± std",
    "test\nMAE",
    "test\nMASE",
    "skill vs\npersistence",
    "skill vs\nseasonal",
    "skill vs\nlinear",
    "seconds",
)


def group_comparable(records: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """Group runs that predict the same values: only their scores may stand in one table."""
    groups: dict[tuple[str, ...], list[RunRecord]] = {}
    for record in records:
        groups.setdefault(tuple(record.params.get(key, "") for key in _WHAT_IS_PREDICTED), []).append(record)
    return list(groups.values())


def telling_keys(records: Sequence[RunRecord]) -> list[str]:
    """Return the configuration keys in which the runs differ, root keys first; for a single run the main ones."""
    keys = dict.fromkeys(key for record in records for key in record.params if key not in _DECIDE_NO_RESULT)
    varying = [key for key in keys if len({record.params.get(key) for record in records}) > 1]
    return sorted(varying, key=lambda key: "." in key) or list(_WITHOUT_SWEEP)


def label_run(record: RunRecord, keys: Sequence[str]) -> str:
    """Name a run by what sets it apart: `look_back=3 stateful=false`."""
    return " ".join(f"{key}={show_name(record.params.get(key, '-'))}" for key in keys)


def sort_records(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Order finished runs by validation RMSE, best first; runs that did not finish come last."""
    return sorted(records, key=lambda record: record.metrics.get("validation_rmse", float("inf")))


def print_table(records: Sequence[RunRecord], console: PlainConsole) -> None:
    """Print one row per run, in any order given."""
    finished = [record for record in records if record.status is Status.finished]
    keys = telling_keys(records)
    table = Table(title=_title(finished), title_justify="left", caption=_caption(finished), caption_justify="left")
    for heading in (*keys, *_HEADINGS):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in sort_records(records):
        values = [show_name(record.params.get(key, "-")) for key in keys]
        table.add_row(*values, *(_scores(record) if record.status is Status.finished else _no_scores(record)))
    needed = console.measure(table, options=console.options.update(max_width=1000)).maximum
    console.width = max(console.width, needed)  # a cut number is worse than a long line
    console.print(table)


def _scores(record: RunRecord) -> list[str]:
    metrics = record.metrics
    spread = f" ± {metrics['test_rmse_std']:.2g}" if "test_rmse_std" in metrics else ""
    return [
        f"{metrics['validation_rmse']:.4g}",
        f"{metrics['test_rmse']:.4g}{spread}",
        f"{metrics['test_mae']:.4g}",
        f"{metrics['test_mase']:.2f}",
        *(_skill(metrics[f"skill_{name}"]) for name in ("persistence", "seasonal", "linear")),
        f"{metrics['fit_seconds']:.1f}" + (" *" if record.resumed else ""),
    ]


def _no_scores(record: RunRecord) -> list[str]:
    return [record.status.value, *["-"] * (len(_HEADINGS) - 1)]


def _skill(value: float) -> str:
    return f"{value:+.2f}" if value > -100 else "< -100"


def _title(finished: Sequence[RunRecord]) -> str:
    if not finished:
        return "No run finished"
    params = finished[0].params
    numbers = {record.params["seeds"] for record in finished}
    seeds = "1 seed" if numbers == {"1"} else f"{params['seeds']} seeds" if len(numbers) == 1 else "several seeds"
    ahead = (
        "" if params["horizon"] == "1" else f", {_HORIZONS[params['dataset.horizons']]} {params['horizon']} steps ahead"
    )
    name, unit = show_name(params["dataset.name"]), show_name(params["dataset.unit"])
    return f"{name}{ahead}: RMSE and MAE in {unit}, {seeds} per row"


def _caption(finished: Sequence[RunRecord]) -> str:
    lines = ["Skill is 1 - RMSE / RMSE of the baseline: above 0 beats it. Best validation first."]
    if finished:
        metrics = finished[0].metrics
        lines.append(
            f"On the same test timestamps the RMSE of persistence is {metrics['baseline_persistence_rmse']:.4g}, of "
            f"seasonal naive {metrics['baseline_seasonal_rmse']:.4g}."
        )
    if any(record.resumed for record in finished):
        lines.append("* trained by an earlier command, read back from MLflow.")
    return "\n".join(lines)
