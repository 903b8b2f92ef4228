"""Both protocols side by side for the terminal and for spreadsheets."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from pipeline.base.text import show_name, show_number
from pipeline.report.terminal.console import PlainConsole
from pipeline.report.wording import show_spread

Document = Mapping[str, Any]
_DIFFERENCES = ("difference", "by_points", "by_state", "share", "sentence")
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


def print_protocols(document: Document) -> str:
    """Return the table, a sentence for each run, and what holds for all of them, as text for a terminal."""
    rows = document["runs"]
    text = io.StringIO()
    console = PlainConsole(file=text, width=1000)
    if rows:
        table = _table(rows)
        console.print(table, width=console.measure(table).maximum)
        for row in rows:
            console.print(row["sentence"] + ".", soft_wrap=True)
        for sentence in document["sentences"]:
            console.print(f"\n{sentence}", soft_wrap=True)
    return text.getvalue()


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    units = ", ".join(dict.fromkeys(row["unit"] for row in rows))
    table = Table(title=f"The same weights under both protocols: RMSE in {show_name(units)}", title_justify="left")
    table.add_column("run", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        scores: list[str] = []
        for protocol in ("fair", "tutorial"):
            score = row[protocol]
            spread = show_spread(score["test_rmse"], score["std"])
            scores += [spread, str(score["points"]), show_number(score["persistence_rmse"])]
        share = f"{row['share'] * 100:+.1f} %"
        table.add_row(
            show_name(row["label"], 120), row["trained_under"], str(len(row["seeds"])), *scores,
            show_number(row["difference"], 3, sign="+"), share,
        )  # fmt: skip
    return table


def write_csv(document: Document) -> str:
    """Return one line per run; a run that cannot be re-scored has a sentence and no numbers."""
    lines = []
    for row in document["runs"]:
        line = {"run": row["run"], "label": row["label"], "trained_under": row["trained_under"]}
        line |= {"seeds": len(row["seeds"]), "logged_test_rmse": row["logged_test_rmse"]}
        for protocol in ("fair", "tutorial"):
            score = row[protocol]
            line |= {f"{protocol}_{name}": score[name] for name in ("test_rmse", "std", "points", "persistence_rmse")}
        lines.append(line | {name: row[name] for name in _DIFFERENCES})
    refused = [{"run": each["run"], "label": each["label"], "sentence": each["reason"]} for each in document["refused"]]
    text = io.StringIO()
    writer = csv.DictWriter(text, list((lines or refused)[0]), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows([*lines, *refused])
    return text.getvalue()
