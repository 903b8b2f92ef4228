"""The published numbers of the tutorial beside ours, for the terminal."""

import io

from rich.table import Table

from pipeline.base.study import TutorialDocument
from pipeline.base.text import show_number
from pipeline.report.terminal.console import PlainConsole
from pipeline.report.wording import show_spread

_HEADINGS = (
    "published\ntrain",
    "our train\nmean ± std",
    "percen-\ntile",
    "published\ntest",
    "our test\nmean ± std",
    "our\nmin",
    "our\nmax",
    "percen-\ntile",
    "persis-\ntence",
)


def print_tutorial(document: TutorialDocument) -> str:
    """Return the table, a sentence for each variant, and what holds for all of them, as text for a terminal."""
    variants = document.variants
    seeds = variants[0].test.num_seeds
    table = Table(title=f"The tutorial's five variants, {seeds} seeds each: RMSE in thousand passengers")
    table.title_justify = "left"
    table.add_column("variant", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for each in variants:
        train, test = each.train, each.test
        table.add_row(
            each.name,
            show_number(train.published), show_spread(train.mean, train.std), f"{train.percentile:.0f}",
            show_number(test.published), show_spread(test.mean, test.std), show_number(test.lowest),
            show_number(test.highest), f"{test.percentile:.0f}", show_number(each.persistence_rmse),
        )  # fmt: skip
    text = io.StringIO()
    console = PlainConsole(file=text, width=1000)
    console.print(table, width=console.measure(table).maximum)
    console.print("Percentile: how many per cent of our seeds score as low as the published number, or lower.")
    for each in variants:
        console.print(f"{each.sentence}.", soft_wrap=True)
    for sentence in document.sentences:
        console.print(f"\n{sentence}", soft_wrap=True)
    return text.getvalue()
