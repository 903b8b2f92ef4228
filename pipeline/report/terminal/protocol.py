"""Both protocols side by side, for the terminal."""

import io
from collections.abc import Sequence

from rich.table import Table

from pipeline.base.study import ProtocolDocument, RescoredRun
from pipeline.base.text import show_name, show_number
from pipeline.report.terminal.console import PlainConsole
from pipeline.report.wording import show_spread

_HEADINGS = (
    "trained\nunder",
    "seeds",
    "fair\ntest RMSE",
    "points",
    "persis-\ntence",
    "tutorial\ntest RMSE",
    "points",
    "persis-\ntence",
    "tutorial\n- fair",
    "share that\nis protocol",
)


def print_protocols(document: ProtocolDocument) -> str:
    """Return the table, a sentence for each run, and what holds for all of them, as text for a terminal."""
    rows = document.runs
    text = io.StringIO()
    console = PlainConsole(file=text, width=1000)
    if rows:
        table = _table(rows)
        console.print(table, width=console.measure(table).maximum)
        for row in rows:
            console.print(row.sentence + ".", soft_wrap=True)
        for sentence in document.sentences:
            console.print(f"\n{sentence}", soft_wrap=True)
    return text.getvalue()


def _table(rows: Sequence[RescoredRun]) -> Table:
    units = ", ".join(dict.fromkeys(row.unit for row in rows))
    table = Table(title=f"The same weights under both protocols: RMSE in {show_name(units)}", title_justify="left")
    table.add_column("run", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        scores: list[str] = []
        for score in (row.fair, row.tutorial):
            spread = show_spread(score.test_rmse, score.std)
            scores += [spread, str(score.points), show_number(score.persistence_rmse)]
        share = f"{row.share * 100:+.1f} %"
        table.add_row(
            show_name(row.label, 120), row.trained_under, str(len(row.seeds)), *scores,
            show_number(row.difference, 3, sign="+"), share,
        )  # fmt: skip
    return table
