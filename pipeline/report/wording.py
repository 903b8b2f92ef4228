"""The words and numbers of a comparison, the same on the terminal and on a page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.base.document import AxisRow, ConfigurationRow, Document, FailedRow, Summary
from pipeline.base.record import Measure
from pipeline.base.text import show_name, show_number
from pipeline.config.keys import label_run


def explain_tests(measure: Measure) -> str:
    """Say what the intervals and p values of a comparison are."""
    return (
        f"Intervals are 95 % bootstrap intervals over seeds. p: Diebold-Mariano test of the {measure.cost}, one mean "
        f"per {measure.place} (1 step ahead as Harvey, Leybourne and Newbold, further ahead with fixed smoothing), "
        "corrected by Holm for all comparisons. Evidence needs p < 0.05 there and in a t test over the seeds."
    )


@dataclass(frozen=True)
class IntervalColumn:
    """A column of what the intervals around forecasts are worth: its heading, and the metric in it."""

    heading: str
    metric: str

    def show(self, row: ConfigurationRow) -> str:
        """Return the cell of a configuration; empty where it has no such number."""
        value = row.intervals.get(self.metric, math.nan)
        if not math.isfinite(value):
            return ""
        return f"{100 * value:.0f}\N{NO-BREAK SPACE}%" if self.metric.startswith("coverage") else show_number(value)


def list_interval_columns(document: Document) -> list[IntervalColumn]:
    """Return the columns of the widest intervals; none where no configuration has any."""
    widest = _widest(document)
    known = {name for row in document.configurations for name in row.intervals}
    columns = [
        IntervalColumn(f"covered by {widest} %", f"coverage_{widest}"),
        IntervalColumn(f"width of {widest} %", f"width_{widest}"),
        IntervalColumn(f"MSIS of {widest} %", f"msis_{widest}"),
    ]
    return [column for column in columns if column.metric in known]


def explain_intervals(document: Document) -> str:
    """Say what these columns are."""
    widest = _widest(document)
    return (
        f"Covered by {widest} %: the share of the test part inside the {widest} % intervals around the forecasts, mean "
        "width in the data's own unit. MSIS, lower is better, puts both into one number."
    )


def _widest(document: Document) -> str:
    levels = [name.partition("_")[2] for row in document.configurations for name in row.intervals]
    return max(levels, key=float, default="")


def title(document: Document) -> str:
    """Return what is compared, and in which unit."""
    name = show_name(document.dataset.name)
    measure = document.dataset.measure
    if not measure.has_unit:
        return f"{name}: {measure.label}, {measure.meaning}"
    return f"{name}: {measure.label} and MAE in {show_name(document.dataset.unit)}"


def list_sentences(document: Document, most: int, failed: bool = True) -> list[tuple[str, Sequence[str]]]:
    """Return the sentences under their headings.

    Args:
        document: The comparison.
        most: How many of the comparisons with the best are told, the best validation score first.
        failed: Whether the runs that did not finish are told.
    """
    against = [each.against_best.sentence for each in document.configurations if each.against_best is not None]
    found: list[tuple[str, Sequence[str]]] = [("Every configuration vs the best by validation", against[:most])]
    found += [_describe_effects(axis) for axis in document.axes]
    baselines = [each.comparison.sentence for each in document.baselines]
    found.append(("The best by validation vs forecasts that need no network", baselines))
    if failed:
        found.append(("Did not finish", [describe_failed(each) for each in document.failed]))
    return [(heading, sentences) for heading, sentences in found if sentences]


def _describe_effects(axis: AxisRow) -> tuple[str, Sequence[str]]:
    together = f" (with {', '.join(axis.changes_together_with)})" if axis.changes_together_with else ""
    effects = [effect.comparison.sentence for effect in axis.effects]
    alone = ["no two configurations differ in this axis alone, so it has no main effect"]
    return f"Main effect of {axis.name}{together}", effects or alone


def describe_failed(failed: FailedRow) -> str:
    """Return one line about a run that did not finish."""
    name = label_run(failed.parameters, tuple(failed.parameters)) if failed.parameters else failed.run
    return f"{failed.status}: {name}: {failed.reason or 'no reason was logged'}"


def name_row(row: ConfigurationRow) -> str:
    """Name a configuration: `look_back=3 stateful=true`."""
    return label_run(row.parameters, tuple(row.parameters)) if row.parameters else "the only one"


def show_spread(mean: float, std: float | None) -> str:
    """Return `67.57 ± 13`; one seed has no spread, its std is NaN or None."""
    if std is None or not math.isfinite(std):
        return show_number(mean)
    return f"{show_number(mean)} ± {show_number(std, 2)}"


def show_interval(score: Summary) -> str:
    """Return `60.1 to 75.2`, or a dash for one seed."""
    return f"{show_number(score.low)} to {show_number(score.high)}" if math.isfinite(score.low) else "-"
