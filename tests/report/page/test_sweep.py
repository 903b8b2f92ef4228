"""The report of a sweep: everything that was promised is on the page, nothing is run or loaded, nothing is hidden."""

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.figure import Figure

from pipeline.base.document import (
    AxisEffect,
    AxisRow,
    BaselineRow,
    ComparisonRow,
    ConfigurationRow,
    DatasetFacts,
    Document,
    FailedRow,
    Level,
    Summary,
)
from pipeline.base.salvage import Salvage
from pipeline.models.heads.point import RMSE
from pipeline.report.figures.calibration import Reliability, Shares
from pipeline.report.figures.drawing import Shape
from pipeline.report.figures.sweep import Forecast
from pipeline.report.page import sweep as sweep_page
from pipeline.report.page.comparison import write_comparison_page
from pipeline.report.page.sweep import Part, write_sweep_report

WHOLE = Salvage(pytest.fail)  # nothing may be lost

EVIL = "<script>alert('x')</script> $\\frac{"
VOID = {"meta", "img", "br"}


def versus(sentence: str) -> ComparisonRow:
    return ComparisonRow(1.0, -1.0, 3.0, 0.2, 0.5, 0.2, 0.41, False, sentence)


def row(look_back: int, stateful: bool, rmse: float, best: bool = False) -> ConfigurationRow:
    score = Summary(rmse, 1.0, rmse - 1, rmse + 1)
    against = None if best else versus(f"look_back={look_back}: no evidence (p=0.41)")
    told = {"look_back": look_back, "stateful": stateful}
    return ConfigurationRow(told, ("id",), 4, score, score, score, {"linear": 0.1}, 1.5 * look_back, against)


def document(name: str = "airline", **changes: Any) -> Document:
    levels = {"look_back": (1, 3), "stateful": (False, True)}
    made = Document(
        selection="sweep=1",
        dataset=DatasetFacts(name, "thousand passengers", "0a", "48 timestamps", RMSE),
        by=tuple(levels),
        configurations=(row(3, True, 50.0, best=True), row(1, True, 60.0), row(3, False, 55.0)),
        axes=tuple(
            AxisRow(
                key,
                (),
                tuple(Level(value, 50.0) for value in values),
                (AxisEffect(values[0], values[1], 1, versus(f"{key}: evidence")),),
            )
            for key, values in levels.items()
        ),
        baselines=(BaselineRow("seasonal", "", 41.0, versus("best vs seasonal naive: evidence")),),
        failed=(FailedRow("2", {"look_back": 99, "stateful": None}, "FAILED", EVIL),),
        sentences=(),
        verdict=("No configuration beats seasonal naive.", "Of 2 others, 2 are 50 % worse."),
    )
    return replace(made, **changes)


def part(**changes: Any) -> Part:
    curves = {"look_back=3": np.array([[3.0, 2.0, np.nan], [3.0, 2.5, 1.0]]), "look_back=1": np.array([[2.0]])}
    actual = np.arange(6.0)
    forecast = Forecast(
        EVIL, [f"1957-0{month}-01" for month in range(1, 7)], actual, np.stack([actual, actual + 1]),
        {"persistence": actual - 1, "seasonal": actual, "linear": actual + 2}, "passengers [$]",
    )  # fmt: skip
    return Part(**({"document": document(), "curves": curves, "forecast": forecast} | changes))


class Balance(HTMLParser):
    """Fails on tags that do not close what they opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_page(page: str) -> list[str]:
    """Check what holds for every page; return its tags."""
    reader = Balance()
    reader.feed(page)
    assert reader.open == []
    assert not {"script", "link", "iframe", "object"} & set(reader.seen)
    assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(http|//)", page)
    assert "default-src 'none'" in page and 'name="viewport"' in page and "prefers-color-scheme: dark" in page
    return reader.seen


def test_everything_that_was_promised_is_there_verdict_first(tmp_path: Path) -> None:
    """A part of the report is missing, or the reader must search for the conclusion."""
    page = write_sweep_report(
        tmp_path, [part()], ["-m", "look_back=1,3", "dataset.path=a b.csv"], [EVIL], Salvage(pytest.fail)
    ).read_text()
    tags = check_page(page)
    assert (tags.count("table"), tags.count("figure")) == (1, 4)
    order = [
        "No configuration beats seasonal naive.", "<table>", "Accuracy against cost", "Learning curves",
        "Forecast of the best by validation", "Test RMSE over look_back and stateful",
        "look_back: evidence", "best vs seasonal naive: evidence",
        "Did not finish", "Repeat it", "python -m pipeline.run -m look_back=1,3 &#39;dataset.path=a b.csv&#39;",
    ]  # fmt: skip
    places = [page.index(text) for text in order]
    assert places == sorted(places)
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_every_figure_is_a_file_of_its_own(tmp_path: Path) -> None:
    """A figure cannot be put into a paper, or the page refers to files beside it."""
    page = write_sweep_report(tmp_path, [part()], [], [], WHOLE).read_text()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"report.html", "cost.png", "learning_curves.png", "forecast.png", "map.png"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.glob("*.png"))
    assert page.count('<svg class="broad" role="img" aria-label="') == page.count('<svg class="narrow"') == 4
    assert all(re.findall(r'aria-label="([^"]+)"', page)) and ".png" not in page


def test_figures_show_the_numbers_of_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A figure is empty, or shows another configuration, score or unit than the table beside it."""
    drawn: dict[str, Figure] = {}

    def keep(path: Path, draw: Callable[[Shape], Figure], heading: str, caption: str) -> tuple[str, str]:
        drawn[path.name] = draw(Shape())
        return "", ""

    monkeypatch.setattr(sweep_page, "write_figure", keep)
    write_sweep_report(tmp_path, [part()], [], [], WHOLE)
    cost, curves, forecast, grid = (drawn[f"{name}.png"] for name in ("cost", "learning_curves", "forecast", "map"))
    (axis,) = cost.axes
    points = [each.get_offsets() for each in axis.collections if isinstance(each, PathCollection)]
    assert sorted(np.concatenate(points).tolist()) == [[1.5, 60.0], [4.5, 50.0], [4.5, 55.0]]  # seconds and scores
    (baseline,) = (line for line in axis.lines if line.get_label() == "seasonal naive")
    assert list(baseline.get_ydata()) == [41.0, 41.0]
    assert axis.get_title(loc="left").startswith("test RMSE [thousand passengers]")
    assert [axis.get_title(loc="left") for axis in curves.axes] == ["1  look_back=3", "2  look_back=1"]
    assert [len(axis.lines[1].get_ydata()) for axis in curves.axes] == [3, 1]  # epochs
    assert [len(line.get_ydata()) for line in forecast.axes[0].lines] == [6] * 5  # actual, mean, three baselines
    (mesh,) = (each for each in grid.axes[0].collections if isinstance(each, QuadMesh))
    np.testing.assert_array_equal(np.ma.filled(mesh.get_array(), np.nan), [[np.nan, 60.0], [55.0, 50.0]])


def test_how_sure_the_forecasts_are_is_on_the_page(tmp_path: Path) -> None:
    """Somebody reads scores without learning that the intervals cover half of what they should."""
    worth = {"coverage_80": 0.75, "coverage_95": 0.914, "width_95": 12.5, "msis_95": 4.25}
    rows = (replace(row(3, True, 50.0, best=True), intervals=worth), row(1, True, 60.0))
    shares = Shares(*(np.array([0.1, 0.5, 0.8]) + away for away in (0.0, -0.1, 0.1)))
    shown = part(
        document=document(configurations=rows),
        sure=("the 95 % interval covers 91 % of the test part",),
        reliability=Reliability((0.05, 0.5, 0.95), {"network, mean of seeds": shares}),
    )
    page = write_sweep_report(tmp_path, [shown], [], [], WHOLE).read_text().replace("\N{NO-BREAK SPACE}", " ")
    check_page(page)
    assert "<li>Of the best by validation the 95 % interval covers 91 % of the test part.</li>" in page
    headings = re.findall(r'<th scope="col">([^<]+)</th>', page)
    assert headings[-4:-1] == ["covered by 95 %", "width of 95 %", "MSIS of 95 %"]
    assert "<td>91 %</td>\n<td>12.50</td>\n<td>4.250</td>" in page and "<td></td>\n<td></td>\n<td></td>" in page
    assert {"reliability.png", "pit.png"} <= {path.name for path in tmp_path.iterdir()}


def test_groups_that_cannot_be_compared_stand_apart(tmp_path: Path) -> None:
    """A sweep over horizons has one table for all of them, or only the last one's figures."""
    page = write_sweep_report(
        tmp_path, [part(), part(document=document("sine"))], [], [], Salvage(pytest.fail)
    ).read_text()
    assert (check_page(page).count("table"), len(list(tmp_path.glob("*.png")))) == (2, 8)
    assert "sine: RMSE" in page and "airline: RMSE" in page


@pytest.mark.parametrize("parts", [[], [part(curves={}, forecast=None)]])
def test_what_is_missing_is_left_out(tmp_path: Path, parts: list[Part]) -> None:
    """A sweep without a finished run, or with deleted files, has no report at all."""
    page = write_sweep_report(tmp_path, parts, ["-m"], ["FAILED: x"], WHOLE).read_text()
    check_page(page)
    assert "FAILED: x" in page and "Repeat it" in page


def test_one_seed_and_one_configuration(tmp_path: Path) -> None:
    """What has no interval, no axis and no other configuration ends in a warning."""
    nan = float("nan")
    only = replace(row(3, True, 50.0, best=True), test_rmse=Summary(50.0, nan, nan, nan))
    alone = document(configurations=(only,), axes=(), baselines=(), by=())
    curves = {"the only one": np.array([[1.0, 0.5]])}
    check_page(write_sweep_report(tmp_path, [part(document=alone, curves=curves)], [], [], WHOLE).read_text())


def test_the_comparison_page_is_as_careful(tmp_path: Path) -> None:
    """format=html of the comparison runs what a run was named."""
    evil = document(EVIL)
    page = write_comparison_page(evil)
    assert check_page(page).count("table") == 1
    assert "<script>" not in page


def test_the_first_sentence_of_the_verdict_stands_out_whole() -> None:
    """The conclusion is cut at a full stop inside it, or a per cent sign begins a line."""
    page = write_comparison_page(document(verdict=("Dr. Wu. AG beats 3. others.", "It is 50 % better.")))
    assert "<strong>Dr. Wu. AG beats 3. others.</strong> It is 50\N{NO-BREAK SPACE}% better." in page


def test_many_sentences_are_folded_and_name_how_many() -> None:
    """A sweep of 200 configurations shows 199 sentences before anything else."""
    rows = [row(1, True, 50.0, best=True), *(row(number, True, 60.0) for number in range(2, 12))]
    page = write_comparison_page(document(configurations=tuple(rows)))
    assert "<details><summary>10 comparisons</summary>" in page and page.count("<details>") == 1


def test_a_figure_that_fails_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep of hours would have no page because one of its figures cannot be drawn."""

    def fail(*arguments: object, **named: object) -> None:
        raise ValueError("Parse error\nin a unit")

    monkeypatch.setattr(sweep_page, "draw_cost", fail)
    told: list[str] = []
    salvage = Salvage(told.append)
    page = write_sweep_report(tmp_path, [part()], [], [], salvage).read_text()
    check_page(page)
    assert salvage.lost == ["cost.png"]
    assert told == ["cost.png could not be made and is left out, all else is kept: ValueError: Parse error"]
    assert "<figure>" in page
