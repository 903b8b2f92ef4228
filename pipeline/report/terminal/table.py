"""The table of a sweep: one row per configuration, the best validation score first."""

import json
from collections.abc import Sequence

from rich.table import Table

from pipeline.base.record import RunRecord, Status
from pipeline.base.text import show_name, show_number
from pipeline.baselines.registry import list_baselines, name_baseline
from pipeline.config.keys import COLUMNS, MAIN_KEYS, show_parameter, varying_keys
from pipeline.report.terminal.console import PlainConsole
from pipeline.report.wording import show_spread

_HORIZONS = {"one": "predicted", "all": "every step up to"}
_MOST_TARGETS = 4  # with a column of their own


def sort_records(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Order finished runs by what they are chosen by, best first; runs that did not finish come last."""
    return sorted(
        records,
        key=lambda record: (
            record.measure.rank(record.score("validation")) if record.status is Status.finished else float("inf")
        ),
    )


def print_table(records: Sequence[RunRecord], console: PlainConsole) -> None:
    """Print one row per run, in any order given."""
    finished = [record for record in records if record.status is Status.finished]
    keys = varying_keys([record.params for record in records], COLUMNS) or MAIN_KEYS
    table = Table(title=_title(finished), title_justify="left", caption=_caption(finished), caption_justify="left")
    headings = list(_scores(finished[0])) if finished else ["validation", "test", "seconds"]
    for heading in (*keys, *headings):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in sort_records(records):
        values = [show_parameter(record.params.get(key, "-")) for key in keys]
        found = _scores(record) if record.status is Status.finished else {}
        cells = [found.get(heading, "-") for heading in headings]
        table.add_row(*values, *(cells if found else [record.status.value, *cells[1:]]))
    needed = console.measure(table, options=console.options.update(max_width=1000)).maximum
    console.width = max(console.width, needed)  # a cut number is worse than a long line
    console.print(table)


def _scores(record: RunRecord) -> dict[str, str]:
    """Return the cells of a finished run by their headings."""
    metrics, measure = record.metrics, record.measure
    test = show_spread(record.score("test"), metrics.get(f"{measure.of('test')}_std"))
    cells = {
        f"validation\n{measure.label}": show_number(record.score("validation")),
        f"test {measure.label}\nmean ± std": test,
    }
    if "test_mae" in metrics:
        cells["test\nMAE"] = show_number(metrics["test_mae"])
    for name in _targets(record)[:_MOST_TARGETS]:
        cells[f"test RMSE\n{show_name(name)}"] = show_number(metrics[f"test_rmse.{name}"])
    if "test_mase" in metrics:
        cells["test\nMASE"] = show_number(metrics["test_mase"], 3)
    if _is_text(record):
        cells["test bits per\ncharacter"] = show_number(metrics["test_bits_per_character"], 3)
        cells["test\naccuracy"] = f"{metrics['test_accuracy']:.1%}"
    for name in list_baselines():
        if f"skill_{name}" in metrics:
            cells[f"skill vs\n{name_baseline(name) if _is_text(record) else name}"] = _skill(metrics[f"skill_{name}"])
    return cells | {"seconds": f"{metrics['fit_seconds']:.1f}" + (" *" if record.resumed else "")}


def _is_text(record: RunRecord) -> bool:
    return "test_bits_per_character" in record.metrics


def _targets(record: RunRecord) -> list[str]:
    """Return the targets of a run that has several."""
    told = json.loads(record.params.get("dataset.targets", "null").replace("None", "null") or "null")
    return [name for name in told or [] if f"test_rmse.{name}" in record.metrics]


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
    label = finished[0].measure.label
    if _is_text(finished[0]):
        return f"{name}: {label} ({params['dataset.token']}), {seeds} per row"
    if not finished[0].measure.has_unit:
        return f"{name}{ahead}: {label} without a unit, RMSE of each target in its own, {seeds} per row"
    return f"{name}{ahead}: {label} and MAE in {unit}, {seeds} per row"


def _caption(finished: Sequence[RunRecord]) -> str:
    lines = []
    if finished:
        label, meaning = finished[0].measure.label, finished[0].measure.meaning
        lines.append(f"Skill is 1 - {label} / {label} of the baseline: above 0 beats it. Best validation first.")
        known = [name for name in list_baselines() if name != "linear" and _has(finished[0], name)]
        told = ", ".join(f"{name_baseline(name)} {show_number(finished[0].baseline(name))}" for name in known)
        lines.append(f"{label} on the same test {'tokens' if _is_text(finished[0]) else 'timestamps'}: {told}.")
        lines += [f"{label}: {meaning}."] if meaning else []
    if any(record.resumed for record in finished):
        lines.append("* trained by an earlier command, read back from MLflow.")
    return "\n".join(lines)


def _has(record: RunRecord, baseline: str) -> bool:
    return record.measure.of(f"baseline_{baseline}") in record.metrics
