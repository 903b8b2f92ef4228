"""A comparison for the terminal and for spreadsheets: the table with its sentences, and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from pipeline.base.text import show_name, show_number, show_p
from pipeline.report.terminal.console import PlainConsole

Document = Mapping[str, Any]
MOST_ROWS = 30  # in the terminal; more cannot be read there
EXPLANATION = (
    "Intervals are 95 % bootstrap intervals over seeds. p: Diebold-Mariano test of one squared error per timestamp (1 "
    "step ahead as Harvey, Leybourne and Newbold, further ahead with fixed smoothing), corrected by Holm for all "
    "comparisons. Evidence needs p < 0.05 there and in a t test over the seeds."
)
_SCORES = ("validation_rmse", "test_rmse", "test_mae")
_STATISTICS = ("mean", "std", "low", "high")
_AGAINST_BEST = ("difference", "low", "high", "p_seeds", "diebold_mariano", "p", "p_holm", "evidence", "sentence")


def print_comparison(document: Document, console: PlainConsole) -> None:
    """Print the best configurations, what sets them apart, the axes, what failed, and the verdict."""
    shown = document["configurations"][:MOST_ROWS]
    table = _table(document, shown)
    needed = console.measure(table, options=console.options.update(max_width=1000)).maximum
    console.width = max(console.width, needed)  # a cut number is worse than a long line
    console.print(table)

    def say(text: str) -> None:
        console.print(text, soft_wrap=True)

    say(f"Scored on {document['dataset']['scored']}. Best validation first.")
    hidden = len(document["configurations"]) - len(shown)
    if hidden:
        say(f"{hidden} more configurations: format=csv, json or html has them all.")
    for heading, sentences in list_sentences(document, MOST_ROWS - 1):
        say(f"\n{heading}")
        for sentence in sentences:
            say(f"  {sentence}")
    say(f"\n{EXPLANATION}\n\n{document['verdict']}")


def list_sentences(document: Document, most: int) -> list[tuple[str, list[str]]]:
    """Return the sentences under their headings; of comparisons with the best, those of the first `most`."""
    against = [each["against_best"] for each in document["configurations"] if each["against_best"] is not None]
    found = [("Every configuration vs the best by validation", [each["sentence"] for each in against[:most]])]
    for axis in document["axes"]:
        together = f" (with {', '.join(axis['changes_together_with'])})" if axis["changes_together_with"] else ""
        effects = [effect["sentence"] for effect in axis["effects"]]
        alone = ["no two configurations differ in this axis alone, so it has no main effect"]
        found.append((f"Main effect of {axis['name']}{together}", effects or alone))
    found.append(("The best by validation vs forecasts that need no network", _sentences(document["baselines"])))
    found.append(("Did not finish", [describe_failed(each) for each in document["failed"]]))
    return [(heading, sentences) for heading, sentences in found if sentences]


def describe_failed(failed: Mapping[str, Any]) -> str:
    """Return one line about a run that did not finish."""
    name = " ".join(f"{key}={show(value)}" for key, value in failed["parameters"].items())
    return f"{failed['status']}: {name or failed['run']}: {failed['reason'] or 'no reason was logged'}"


def title(document: Document) -> str:
    """Return what is compared, and in which unit."""
    dataset = document["dataset"]
    name = show_name(dataset["name"])
    if dataset["measure"] == "RMSSE":
        return f"{name}: RMSSE, the mean over the targets of RMSE over that of repeating the last value"
    return f"{name}: RMSE and MAE in {show_name(dataset['unit'])}"


def show(value: Any) -> str:
    """Return a parameter as it is written on the command line."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def write_csv(document: Document) -> str:
    """Return one line per configuration, the best validation score first, then those that did not finish."""
    keys = document["by"]
    lines = [
        {"status": "FINISHED", **{key: show(each["parameters"][key]) for key in keys}, **_flat(each)}
        for each in document["configurations"]
    ]
    lines += [
        {"status": each["status"], **{key: show(each["parameters"][key]) for key in keys}, "sentence": each["reason"]}
        for each in document["failed"]
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _flat(configuration: Mapping[str, Any]) -> dict[str, Any]:
    flat = {"seeds": configuration["seeds"], "runs": " ".join(configuration["runs"])}
    for name in _SCORES:
        flat |= {f"{name}_{statistic}": configuration[name][statistic] for statistic in _STATISTICS}
    against = configuration["against_best"] or {"sentence": "the best by validation"}
    renamed = {name: f"difference_{name}" if name in ("low", "high") else name for name in _AGAINST_BEST}
    return flat | {renamed[name]: against.get(name) for name in _AGAINST_BEST}


def _table(document: Document, shown: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title=title(document), title_justify="left")
    measure = document["dataset"]["measure"]
    headings = (
        "seeds",
        f"validation\n{measure}",
        f"test {measure}\nmean ± std",
        "95 %\ninterval",
        "test\nMAE",
        "vs best\ndifference",
        "p",
    )
    for heading in (*document["by"], *headings):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in shown:
        against = each["against_best"]
        table.add_row(
            *(show_name(show(each["parameters"][key])) for key in document["by"]),
            str(each["seeds"]),
            show_number(each["validation_rmse"]["mean"]),
            show_spread(each["test_rmse"]),
            show_interval(each["test_rmse"]),
            show_number(each["test_mae"]["mean"]),
            "best" if against is None else show_number(against["difference"], 3, sign="+"),
            "" if against is None else show_p(against["p_holm"]),
        )
    return table


def show_spread(score: Mapping[str, Any]) -> str:
    """Return `67.57 ± 13`; one seed has no spread."""
    spread = f" ± {show_number(score['std'], 2)}" if score["std"] is not None else ""
    return f"{show_number(score['mean'])}{spread}"


def show_interval(score: Mapping[str, Any]) -> str:
    """Return `60.1 to 75.2`, or a dash for one seed."""
    return f"{show_number(score['low'])} to {show_number(score['high'])}" if score["low"] is not None else "-"


def _sentences(comparisons: Sequence[Mapping[str, Any]]) -> list[str]:
    return [each["sentence"] for each in comparisons]
