"""A comparison for the terminal: the table with its sentences."""

from collections.abc import Sequence

from rich.table import Table

from pipeline.base.document import ConfigurationRow, Document
from pipeline.base.text import show_number, show_p
from pipeline.config.keys import show_parameter
from pipeline.report.terminal.console import PlainConsole
from pipeline.report.wording import (
    explain_tests,
    list_sentences,
    show_interval,
    show_spread,
    title,
)

MOST_ROWS = 30  # in the terminal; more cannot be read there


def print_comparison(document: Document, console: PlainConsole) -> None:
    """Print the best configurations, what sets them apart, the axes, what failed, and the verdict."""
    shown = document.configurations[:MOST_ROWS]
    table = _table(document, shown)
    needed = console.measure(table, options=console.options.update(max_width=1000)).maximum
    console.width = max(console.width, needed)  # a cut number is worse than a long line
    console.print(table)

    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    say(f"Scored on {document.dataset.scored}. Best validation first.")
    hidden = len(document.configurations) - len(shown)
    if hidden:
        say(f"{hidden} more configurations: format=csv, json or html has them all.")
    for heading, sentences in list_sentences(document, MOST_ROWS - 1):
        say(f"\n{heading}")
        for sentence in sentences:
            say(f"  {sentence}")
    say(f"\n{explain_tests(document.dataset.measure)}\n\n{' '.join(document.verdict)}")


def _table(document: Document, shown: Sequence[ConfigurationRow]) -> Table:
    table = Table(title=title(document), title_justify="left")
    measure, has_mae = document.dataset.measure.label, document.dataset.measure.has_mae
    headings = (
        "seeds",
        f"validation\n{measure}",
        f"test {measure}\nmean ± std",
        "95 %\ninterval",
        *(["test\nMAE"] if has_mae else []),
        "vs best\ndifference",
        "p",
    )
    for heading in (*document.by, *headings):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in shown:
        against = each.against_best
        table.add_row(
            *(show_parameter(each.parameters[key]) for key in document.by),
            str(each.seeds),
            show_number(each.validation_rmse.mean),
            show_spread(each.test_rmse.mean, each.test_rmse.std),
            show_interval(each.test_rmse),
            *([show_number(each.test_mae.mean)] if has_mae else []),
            "best" if against is None else show_number(against.difference, 3, sign="+"),
            "" if against is None else show_p(against.p_holm),
        )
    return table
