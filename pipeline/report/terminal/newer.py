"""Challenger against champion on rows that arrived since, for the terminal."""

import io
import textwrap
from collections.abc import Sequence

from rich.table import Table

from pipeline.base.newer import NewerDocument, NewerScore
from pipeline.base.text import show_name, show_number, show_p, show_text
from pipeline.baselines.registry import name_baseline
from pipeline.report.terminal.console import PlainConsole
from pipeline.report.wording import show_spread

_WIDTH = 110  # columns of the sentences


def print_newer(document: NewerDocument) -> str:
    """Return both runs, the table and the sentences as text for a terminal."""
    runs = (("challenger", document.challenger), ("champion", document.champion))
    head = [
        f"{name}: {show_name(run.label, 120)}; {len(run.seeds)} seed{'s' if len(run.seeds) > 1 else ''}, data up to "
        f"{run.end}; run {run.run}"
        for name, run in runs
    ]
    text = io.StringIO()
    console = PlainConsole(file=text, width=1000)
    table = _table(document)
    console.print(table, width=console.measure(table).maximum)
    told = [f"{sentence.removesuffix('.')}." for sentence in document.sentences]
    return f"{_wrap([*head, f'scored: {document.span}'])}\n{text.getvalue()}{_wrap(told)}"


def _wrap(paragraphs: Sequence[str]) -> str:
    return "".join(f"{textwrap.fill(show_text(each), _WIDTH, break_on_hyphens=False)}\n" for each in paragraphs)


def _table(document: NewerDocument) -> Table:
    several = len({(row.target, row.ahead) for row in document.scores}) > 1
    unit = f" in {show_name(document.unit)}" if document.unit else ""
    table = Table(title=f"On the rows that arrived since: RMSE and MAE{unit}", title_justify="left")
    for heading in (*(("target", "steps\nahead") if several else ()), "forecast"):
        table.add_column(heading, no_wrap=True)
    for heading in ("seeds", "RMSE\nmean ± std", "MAE", "difference\nto champion", "95 %\ninterval", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    before = None
    for row in document.scores:
        line = (row.target, row.ahead)
        place = [show_name(row.target, 24), str(row.ahead)] if line != before else ["", ""]
        before = line
        table.add_row(*(place if several else ()), *_cells(row))
    return table


def _cells(row: NewerScore) -> list[str]:
    interval = "" if row.low is None or row.high is None else f"{show_number(row.low, 3)} to {show_number(row.high, 3)}"
    return [
        name_baseline(row.forecast),
        "" if row.seeds is None else str(row.seeds),
        show_spread(row.rmse, row.std),
        show_number(row.mae),
        "" if row.difference is None else show_number(row.difference, 3, sign="+"),
        interval,
        "" if row.p is None else show_p(row.p),
    ]
