"""What people look at: lanes page by page, and what came lately beside what was forecast for it."""

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.conformal import Conformal
from pipeline.service.app import App
from pipeline.service.desk import Desk
from pipeline.service.limits import Limits
from pipeline.service.live import Live
from pipeline.service.metrics import Metrics
from pipeline.serving.model import ServedModel
from tests.service.asgi import Answer, ask

MakeServed = Callable[..., ServedModel]
DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2020-02-10", periods=140)]
VALUES = np.random.default_rng(3).uniform(1, 9, len(DAYS)).round(2).tolist()


class Service:
    """A service in this process."""

    def __init__(self, model: ServedModel, **limits: Any) -> None:
        self.desk = Desk(model, warm=True, most_lanes=1000, say=pytest.fail)
        self.app = App(Live(self.desk, "a run", None, False), Limits(**limits), Metrics(), pytest.fail).make()

    def get(self, path: str, query: str = "", **headers: str) -> Answer:
        return asyncio.run(ask(self.app, "GET", path, headers=headers, query=query))

    def send(self, lane: str, rows: list[dict[str, Any]]) -> Any:
        body = json.dumps({"rows": rows}).encode()
        return asyncio.run(ask(self.app, "POST", f"/lanes/{lane}/rows", body)).json


@pytest.fixture(scope="module")
def model(make_served: MakeServed) -> ServedModel:
    found = make_served(stateful=True, horizon=2)
    conformal = Conformal.begin([0.8], found.data.windows.spec.horizon_steps, 1, 1)
    conformal.errors[:] = 1.0
    return replace(found, conformal=conformal)


def test_a_lane_is_shown_with_what_was_forecast_for_each_row(model: ServedModel) -> None:
    """A chart draws a forecast at another row than the one it is for, or errors of other rows than it says."""
    service = Service(model)
    rows = [{"day": day, "a": value} for day, value in zip(DAYS, VALUES, strict=True)]
    sent = service.send("tiny", rows)["forecasts"]
    shown = service.get("/lanes/tiny/recent").json
    assert [row["timestamp"] for row in shown["rows"]] == DAYS[-128:]
    assert [row["actual"] for row in shown["rows"]] == [{"a": value} for value in VALUES[-128:]]
    assert [row["forecasts"] for row in shown["rows"]] == [[each] for each in sent[-128:]]
    actual, made = np.array(VALUES[-128:]), np.array([each["forecast"] for each in sent[-128:]])
    errors = shown["errors"]
    assert (errors["horizon"], errors["season"]) == (2, 3)
    assert errors["a"]["rows"] == 125  # without the first season
    guesses = {"network": made[1:-2], "persistence": actual[1:-2], "seasonal": actual[:-3]}
    expected = {name: math.sqrt(np.mean((actual[3:] - guess) ** 2)) for name, guess in guesses.items()}
    assert errors["a"]["rmse"] == pytest.approx(expected)


def test_a_lane_with_few_or_numbered_rows_is_shown(make_served: MakeServed, model: ServedModel) -> None:
    """The page of a new lane, or of a series without timestamps, is an error."""
    service = Service(model)
    service.send("tiny", [{"day": DAYS[0], "a": 3.0}])
    shown = service.get("/lanes/tiny/recent").json
    assert (len(shown["rows"]), shown["errors"]["a"]) == (
        1,
        {"rows": 0, "rmse": {"network": None, "persistence": None}},
    )
    assert shown["drift"] == service.get("/lanes/tiny").json["drift"] and shown["drift"]["rows"] > 0
    assert service.get("/lanes/other/recent").status == 404
    numbered = make_served(stateful=True, timestamps=pd.RangeIndex(40), dataset={"time_column": None})
    service = Service(numbered)
    service.send("tiny", [{"a": 3.0}, {"a": 4.0}])
    rows = service.get("/lanes/tiny/recent").json["rows"]
    assert [(row["timestamp"], row["actual"]["a"]) for row in rows] == [("40", 3.0), ("41", 4.0)]
    assert rows[-1]["forecasts"][0]["forecast_timestamp"] == "42"


def test_lanes_are_found_page_by_page(make_served: MakeServed) -> None:
    """Of ten thousand lanes nobody finds one, or the page asks for all of them every two seconds."""
    service = Service(make_served(stateful=True))
    for number in range(30):
        service.send(f"Shop {number}", [{"day": DAYS[0], "a": 3.0}])
    found = service.get("/lanes", "contains=shop+1&first=2&count=3").json
    assert found["number"] == 11
    assert [each["lane"] for each in found["lanes"]] == ["Shop 11", "Shop 12", "Shop 13"]
    assert found["lanes"][0] == {"lane": "Shop 11", "rows": 1, "last_timestamp": DAYS[0], "alarm_since": None}
    assert service.get("/lanes", "first=99999").json == {"number": 31, "lanes": []}
    for wrong in ("first=-1", "count=x", "count=99999999999999"):
        answer = service.get("/lanes", wrong)
        assert (answer.status, "must be a whole number" in answer.json["error"]) == (400, True)


def test_the_service_is_described_and_its_page_is_open(model: ServedModel) -> None:
    """Nobody learns why rows are refused; or the page cannot ask for the token, or holds data without it."""
    service = Service(model, token="s3cret")
    page = service.get("/")
    assert page.status == 200 and "connect-src 'self'" in page.body.decode() and "a run" not in page.body.decode()
    assert service.get("/overview").status == 401
    service = Service(model)
    service.send("tiny", [{"day": DAYS[0], "a": "x"}])
    service.send("tiny", [{"day": DAYS[0], "a": 1.0}])
    assert service.get("/overview").json == {
        "drift": service.desk.book.drift_of_all(),
        "run": "a run", "dataset": "tiny", "targets": ["a"], "horizons": [2], "lanes": 1, "rows": 1, "repeated": 0,
        "intervals": [{"coverage": 0.8, "low": "low_80", "high": "high_80"}], "rejected": {"malformed": 1},
    }  # fmt: skip
