"""What others report for a text beside our runs, for the terminal."""

import io

from rich.table import Table

from pipeline.base.study import NeighbourDocument, NeighbourRow, TextRun
from pipeline.base.text import show_name, show_number
from pipeline.report.terminal.console import PlainConsole
from pipeline.report.wording import show_spread

_TITLE = "Tiny shakespeare, nats per character: ours, and below each what others report"
_HEADINGS = ("train", "validation", "test", "seeds", "epochs", "seconds")


def print_neighbours(document: NeighbourDocument) -> str:
    """Return the table, what differs for each run, and where the numbers stand, as text for a terminal."""
    text = io.StringIO()
    console = PlainConsole(file=text, width=1000)
    table = _table(document)
    console.print(table, width=console.measure(table).maximum)
    for run in document.runs:
        console.print(f"\n{run.sentence}.", soft_wrap=True)
        for row in run.neighbours:
            console.print(f"{row.name} differs from {run.label} in:", soft_wrap=True)
            for line in row.differences:
                console.print(f"  {line}", soft_wrap=True)
    console.print("\nWhere the numbers stand:")
    for row in _list_neighbours(document):
        console.print(f"{row.name}: {row.source}\n  {row.quote}", soft_wrap=True)
    for sentence in document.sentences:
        console.print(f"\n{sentence}", soft_wrap=True)
    return text.getvalue()


def _list_neighbours(document: NeighbourDocument) -> list[NeighbourRow]:
    """Return each neighbour once."""
    return list({row.name: row for run in document.runs for row in run.neighbours}.values())


def _table(document: NeighbourDocument) -> Table:
    table = Table(title=_TITLE, title_justify="left")
    table.add_column("", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for run in document.runs:
        _add_run(table, run)
        table.add_section()
    return table


def _add_run(table: Table, run: TextRun) -> None:
    epochs = " ".join(dict.fromkeys(map(str, sorted((min(run.epochs), max(run.epochs))))))
    table.add_row(
        show_name(run.label, 120), show_number(run.train), show_number(run.validation),
        show_spread(run.test, run.std), str(len(run.seeds)), epochs.replace(" ", " to "), f"{run.seconds:.0f}",
    )  # fmt: skip
    table.add_row(f"  n-gram of order {run.ngram_order}, same test part", "-", "-", show_number(run.ngram))
    for row in run.neighbours:
        table.add_row(f"  {row.name}", _show_span(row.train), _show_span(row.validation))


def _show_span(span: tuple[float, float] | None) -> str:
    """Return a reported number as it is reported, `1.4 to 1.6` where it is a range."""
    return "-" if span is None else " to ".join(f"{each:g}" for each in dict.fromkeys(span))
