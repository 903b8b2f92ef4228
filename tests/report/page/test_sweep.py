"""The report of a sweep: everything that was promised is on the page, nothing is run or loaded, nothing is hidden."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.base.salvage import Salvage
from pipeline.report.figures.sweep import Forecast
from pipeline.report.page import sweep as sweep_page
from pipeline.report.page.html import write_comparison_page
from pipeline.report.page.sweep import Part, write_sweep_report

WHOLE = Salvage(pytest.fail)  # nothing may be lost

EVIL = "<script>alert('x')</script> $\\frac{"
VOID = {"meta", "img", "br"}


def row(look_back: int, stateful: bool, rmse: float, best: bool = False) -> dict[str, Any]:
    score = {"mean": rmse, "std": 1.0, "low": rmse - 1, "high": rmse + 1}
    sentence = f"look_back={look_back}: no evidence (p=0.41)"
    return {
        "parameters": {"look_back": look_back, "stateful": stateful}, "runs": ["id"], "seeds": 4,
        "validation_rmse": score, "test_rmse": score, "test_mae": score, "fit_seconds": 1.5 * look_back,
        "against_best": None if best else {"difference": 1.0, "p_holm": 0.41, "sentence": sentence},
    }  # fmt: skip


def document(name: str = "airline") -> dict[str, Any]:
    axes = (("look_back", (1, 3)), ("stateful", (False, True)))
    return {
        "selection": "sweep=1",
        "dataset": {"name": name, "unit": "thousand passengers", "sha256": "0a", "scored": "48 timestamps"}
        | {"measure": "RMSE"},
        "by": ["look_back", "stateful"],
        "configurations": [row(3, True, 50.0, best=True), row(1, True, 60.0), row(3, False, 55.0)],
        "axes": [
            {
                "name": key, "changes_together_with": [], "effects": [{"sentence": f"{key}: evidence"}],
                "levels": [{"value": value, "test_rmse": 50.0} for value in values],
            }
            for key, values in axes
        ],
        "baselines": [
            {"name": "seasonal", "of": "", "test_rmse": 41.0, "sentence": "best vs seasonal naive: evidence"}
        ],
        "failed": [{"run": "2", "parameters": {"look_back": 99}, "status": "FAILED", "reason": EVIL}],
        "sentences": [],
        "verdict": "No configuration beats seasonal naive.",
    }  # fmt: skip


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
        "Did not finish", "Repeat it", "python -m pipeline.run -m look_back=1,3 &#x27;dataset.path=a b.csv&#x27;",
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
    alone = document()
    alone["configurations"] = [row(3, True, 50.0, best=True)]
    alone["configurations"][0]["test_rmse"] |= {"std": None, "low": None, "high": None}
    alone |= {"axes": [], "baselines": [], "by": []}
    curves = {"the only one": np.array([[1.0, 0.5]])}
    check_page(write_sweep_report(tmp_path, [part(document=alone, curves=curves)], [], [], WHOLE).read_text())


def test_the_comparison_page_is_as_careful(tmp_path: Path) -> None:
    """format=html of the comparison runs what a run was named."""
    evil = document(EVIL)
    page = write_comparison_page(evil)
    assert check_page(page).count("table") == 1
    assert "<script>" not in page


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
