"""The routes of the service: what they answer, what they refuse, and that nothing a client sends can break a lane."""

import asyncio
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.schema import HeadName, Horizons
from pipeline.evaluation.conformal import Conformal
from pipeline.service.app import App
from pipeline.service.desk import Desk
from pipeline.service.limits import Limits
from pipeline.service.live import Live
from pipeline.service.metrics import Metrics
from pipeline.serving.model import ServedModel
from tests.service.asgi import Answer, ask

MakeServed = Callable[..., ServedModel]
ROW = b'{"rows": [{"day": "2020-02-10", "a": 4}]}'
FACTS = {
    "rows", "rmse", "rmse_persistence", "rmse_seasonal", "rmse_before", "rows_before", "alarm_since", "alarm", "alarms",
    "out_of_range",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(make_served: MakeServed) -> ServedModel:
    found = make_served(stateful=True)
    conformal = Conformal.begin([0.8], found.data.windows.spec.horizon_steps, 1, 1)
    conformal.errors[:] = 1.0
    return replace(found, conformal=conformal)


class Service:
    """A service in this process, asked one request at a time."""

    def __init__(self, model: ServedModel, **limits: Any) -> None:
        self.said: list[str] = []
        self.desk = Desk(model, warm=True, most_lanes=100, say=self.said.append)
        self.app = App(Live(self.desk, "a run", None, False), Limits(**limits), Metrics(), self.said.append).make()

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(ask(self.app, method, path, body, named))

    def remembered(self) -> tuple[Any, ...]:
        return self.desk.book.consumed, *(array.tobytes() for array in self.desk.lane_arrays())


@pytest.fixture
def service(model: ServedModel) -> Service:
    return Service(model)


def test_rows_are_answered_and_the_lane_is_shown(service: Service) -> None:
    """A client gets no forecast, or one without its interval, its step, or the time it is for."""
    answer = service.ask("POST", "/lanes/tiny/rows", ROW)
    (forecast,) = answer.json["forecasts"]
    assert {name: forecast[name] for name in ("lane", "timestamp", "forecast_timestamp", "target", "horizon")} == {
        "lane": "tiny", "timestamp": "2020-02-10", "forecast_timestamp": "2020-02-11", "target": "a", "horizon": 1,
    }  # fmt: skip
    assert forecast["high_80"] - forecast["forecast"] == pytest.approx(1.0)
    assert service.ask("POST", "/lanes/tiny/rows", ROW) == answer
    lane = service.ask("GET", "/lanes/tiny").json
    assert set(lane.pop("drift")) == FACTS
    assert lane == {
        "lane": "tiny", "rows": 1, "last_timestamp": "2020-02-10", "last_forecasts": [forecast],
    }  # fmt: skip
    (listed,) = service.ask("GET", "/lanes").json["lanes"]
    assert listed == {"lane": "tiny", "rows": 1, "last_timestamp": "2020-02-10", "alarm_since": None}
    csv = service.ask("POST", "/rows", b"lane,day,a\na/b,2020-02-10,4\n", content_type="text/csv", accept="text/csv")
    assert csv.body.decode().splitlines()[0] == "lane,timestamp,forecast,low_80,high_80"
    assert csv.body.decode().splitlines()[1].startswith(f"a/b,2020-02-10,{forecast['forecast']:.9g},")
    assert service.ask("GET", "/lanes/a/b").json["rows"] == 1


def test_quantiles_are_answered_beside_their_forecast(make_served: MakeServed) -> None:
    """A client reads the quantiles of another step, or of another target."""
    levels = [0.1, 0.5, 0.9]
    service = Service(
        make_served(
            horizon=2,
            dataset={"features": ["a", "b"], "targets": ["a", "b"], "horizons": Horizons.all},
            model={"head": HeadName.quantile, "quantiles": levels},
        )
    )
    row = ROW.replace(b'"a": 4', b'"a": 4, "b": 3')
    forecasts = service.ask("POST", "/lanes/tiny/rows", row).json["forecasts"]
    assert len(forecasts) == 4 and len({each["forecast"] for each in forecasts}) == 4
    for each in forecasts:
        assert each["quantile_0.1"] < each["quantile_0.5"] == each["forecast"] < each["quantile_0.9"]


def test_a_block_of_history_is_forecast_and_forgotten(service: Service) -> None:
    """/forecast changes a lane, or answers other numbers than a lane that has read the same."""
    before = service.remembered()
    days = [f'{{"day": "2021-01-0{day}", "a": {day + 0.5}}}' for day in range(1, 7)]
    answer = service.ask("POST", "/forecast", f'{{"rows": [{",".join(days)}]}}'.encode())
    assert [each["timestamp"] for each in answer.json["forecasts"]] == ["2021-01-06"]
    assert service.remembered() == before
    cold = Desk(service.desk.model, warm=False, most_lanes=1, say=lambda text: None)
    rows = cold.bodies.rows_of(f'{{"rows": [{",".join(days)}]}}'.encode(), False, None, 9)
    (reply,) = cold.take([rows])
    assert answer.json["forecasts"][0]["forecast"] == reply[-1].numbers[0]  # type: ignore[index]


REFUSED: dict[str, tuple[str, str, bytes, dict[str, str], int, str]] = {
    "unknown path": ("GET", "/nothing", b"", {}, 404, "there is nothing here; /docs lists what there is"),
    "unknown method": ("DELETE", "/rows", b"", {}, 405, "this path does not take that method"),
    "unknown lane": ("GET", "/lanes/new", b"", {}, 404, "there is no lane 'new'; a lane begins with its first row"),
    "state of unknown lane": ("GET", "/lanes/new/state", b"", {}, 404, "there is no lane 'new'"),
    "the lane of no name": ("GET", "/lanes//state", b"", {}, 404, "there is no lane ''"),
    "no lane": ("POST", "/lanes//rows", ROW, {}, 422, "the lane has a name of 0 characters; 1 to 200 are allowed"),
    "long lane": ("POST", f"/lanes/{'x' * 201}/rows", ROW, {}, 422, "the lane has a name of 201 characters"),
    "no JSON": ("POST", "/lanes/tiny/rows", b"{", {}, 400, "the body is no JSON"),
    "no text": ("POST", "/rows", b"\xff\n1", {"content-type": "text/csv"}, 400, "the rows are not written in UTF-8"),
    "no column": ("POST", "/rows", b"day\n1", {"content-type": "text/csv"}, 400, "the rows need the column(s) a"),
    "no row": ("POST", "/rows", b"day,a\n", {"content-type": "text/csv"}, 400, "there is no row after the header"),
    "a form": ("POST", "/rows", ROW, {"content-type": "text/plain"}, 415, "send application/json or text/csv"),
    "too long": ("POST", "/rows", b"x" * 2001, {}, 413, "the body is longer than 2000 bytes"),
    "announced": ("POST", "/rows", ROW, {"content-length": "9" * 30}, 413, "the body is longer than 2000 bytes"),
    "no length": ("POST", "/rows", ROW, {"content-length": "-1"}, 413, "the body is longer than 2000 bytes"),
    "too many": ("POST", "/rows", b"day,a\n" + b"\n1,1" * 11, {"content-type": "text/csv"}, 400, "more than the 10 of"),
    "late": ("POST", "/lanes/tiny/rows", ROW.replace(b"2020", b"2019"), {}, 409, "was read before"),
    "malformed": ("POST", "/lanes/tiny/rows", ROW.replace(b"4", b'"x"'), {}, 422, "row 1 has 'x' in the column 'a'"),
    "elsewhere": ("GET", "/lanes", b"", {"host": "attacker.example"}, 421, "this service is not asked by that name"),
    "a page": ("POST", "/rows", ROW, {"origin": "https://attacker.example"}, 403, "a page of another address may not"),
    "a page of a file": ("POST", "/rows", ROW, {"origin": "null"}, 403, "a page of another address may not"),
    "another port": ("POST", "/rows", ROW, {"origin": "http://127.0.0.1:3000"}, 403, "a page of another address may"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_served_is_refused_with_words(case: str, model: ServedModel) -> None:
    """A client that made a mistake gets a stack trace, or nothing to mend it by; or a lane changes."""
    service = Service(model, body=2000, rows=10, hosts=frozenset(["127.0.0.1"]))
    before = service.remembered()
    method, path, body, headers, status, text = REFUSED[case]
    answer = service.ask(method, path, body, **headers)
    assert answer.status == status
    assert text in answer.json["error"]
    assert service.remembered() == before
    assert service.said == []


def test_a_body_in_pieces_is_cut_off_when_it_is_too_long(model: ServedModel) -> None:
    """Without a length in front a client fills the memory."""
    service = Service(model, body=2000)
    answer = asyncio.run(ask(service.app, "POST", "/rows", [b"x" * 999] * 1000))
    assert answer.status == 413


def test_a_token_is_asked_for(model: ServedModel) -> None:
    """Whoever reaches the port reads and changes every lane; or whoever looks after the service cannot."""
    service = Service(model, token="s3cret-ü")
    for wrong in ("", "Bearer", "Bearer wrong", "Basic s3cret-ü", "s3cret-ü"):
        answer = service.ask("GET", "/lanes", authorization=wrong)
        assert (answer.status, "Bearer TOKEN" in answer.json["error"]) == (401, True)
    token = "s3cret-ü".encode().decode("latin-1")
    assert service.ask("GET", "/lanes", authorization=f"Bearer {token}").status == 200
    assert [service.ask("GET", path).status for path in ("/health", "/ready", "/metrics")] == [200, 200, 401]


def test_a_lane_moves_to_another_service(model: ServedModel, make_served: MakeServed) -> None:
    """A lane that was moved forecasts something else than one that stayed, or is taken over by another model."""
    here, there = Service(model), Service(model)
    here.ask("POST", "/lanes/tiny/rows", ROW)
    state = here.ask("GET", "/lanes/tiny/state").body
    assert there.ask("PUT", "/lanes/tiny/state", state).json == here.ask("GET", "/lanes/tiny").json
    assert there.ask("PUT", "/lanes/copy/state", state).json["rows"] == 1
    later = ROW.replace(b"02-10", b"02-11")
    assert there.ask("POST", "/lanes/tiny/rows", ROW).body == here.ask("POST", "/lanes/tiny/rows", ROW).body  # again
    moved = [service.ask("POST", "/lanes/tiny/rows", later).body for service in (here, there)]
    assert moved[0] == moved[1]
    copy = there.ask("POST", "/lanes/copy/rows", later).json["forecasts"][0]
    assert copy["forecast"] == json.loads(moved[0])["forecasts"][0]["forecast"]
    other = Service(make_served(stateful=True, seed=6))
    answer = other.ask("PUT", "/lanes/tiny/state", state)
    assert (answer.status, "belongs to another model" in answer.json["error"]) == (422, True)


@pytest.mark.parametrize(
    "change",
    [
        {"rows": -1}, {"rows": True}, {"rows": 1e3}, {"last": "1"}, {"last": True}, {"arrays": []},
        {"arrays": [1] * 13}, {"model": ""}, {"arrays": None}, {"more": 1}, {"drift": [""]}, {"drift": 1},
    ],
)  # fmt: skip
def test_a_state_that_is_none_is_refused(change: dict[str, Any], service: Service) -> None:
    """A forged or damaged state makes later rows of its lane, or of others, fail."""
    service.ask("POST", "/lanes/tiny/rows", ROW)
    before = service.remembered()
    state = service.ask("GET", "/lanes/tiny/state").json | change
    assert service.ask("PUT", "/lanes/tiny/state", json.dumps(state).encode()).status in (400, 422)
    assert service.remembered() == before


def test_a_lane_that_cannot_be_put_is_refused(make_served: MakeServed, model: ServedModel) -> None:
    """Whoever moves a lane is told that the service failed, or fills its memory with lanes."""
    full = Service(model)
    state = full.ask("GET", "/lanes/tiny/state").body
    for number in range(99):
        assert full.ask("PUT", f"/lanes/{number}/state", state).status == 200
    answer = full.ask("PUT", "/lanes/more/state", state)
    assert (answer.status, "more than 100 lanes" in answer.json["error"]) == (422, True)
    assert full.ask("PUT", "/lanes/7/state", state).status == 200  # it is there already
    panel = Service(make_served(stateful=True, lanes=["x", "y"], dataset={"scaler_per_lane": True}))
    answer = panel.ask("PUT", "/lanes/new/state", panel.ask("GET", "/lanes/x/state").body)
    assert (answer.status, "which the run, with a scaler per lane, does not know" in answer.json["error"]) == (
        422,
        True,
    )
    assert full.said == panel.said == []


@pytest.mark.parametrize("filler", [b"\xff", b"\x7f", b"\x80", b"\x00", b"\x7f\xf0"], ids=bytes.hex)
def test_no_state_of_a_lane_breaks_the_service(model: ServedModel, filler: bytes) -> None:
    """Whoever may move lanes can stop the service, or spoil the lanes of others, by a state of nonsense."""
    good, csv = b"good,2020-02-11,5\n", {"content_type": "text/csv"}
    alone = Service(model).ask("POST", "/rows", b"lane,day,a\n" + good, **csv).json["forecasts"]
    state = Service(model).ask("GET", "/lanes/tiny/state").json
    for place, text in enumerate(state["arrays"]):
        service, length = Service(model), len(b64decode(text))
        forged = list(state["arrays"])
        forged[place] = b64encode((filler * (length + 1))[:length]).decode()
        put = service.ask("PUT", "/lanes/bad/state", json.dumps(state | {"arrays": forged}).encode())
        assert put.status in (200, 422), service.said
        answer = service.ask("POST", "/rows", b"lane,day,a\nbad,2031-02-11,5\n" + good, **csv)
        assert (answer.status, answer.json["forecasts"][1:]) == (200, alone), service.said
        for path in ("/lanes/bad", "/lanes/bad/state", "/lanes"):
            assert service.ask("GET", path).status < 500, service.said


def test_metrics_count_what_happened(service: Service) -> None:
    """Nobody is woken when rows are refused, or numbers are those of something else."""
    service.ask("POST", "/lanes/tiny/rows", ROW)
    service.ask("POST", "/lanes/tiny/rows", ROW)
    service.ask("POST", "/lanes/tiny/rows", b"{")
    text = service.ask("GET", "/metrics").body.decode()
    for line in (
        "lstm_rows_total 1.0", "lstm_repeated_rows_total 1.0", 'lstm_rejected_requests_total{reason="malformed"} 1.0',
        "lstm_lanes 1.0", "lstm_drifting_lanes 0.0", "lstm_scored_rows 1.0",
        'lstm_responses_total{status="200"} 2.0', "lstm_request_seconds_count 2.0",
    ):  # fmt: skip
        assert re.search(f"^{re.escape(line)}$", text, re.MULTILINE), line
    assert re.search(r'^lstm_rmse{forecast="network",target="a"} \d', text, re.MULTILINE)
    assert "_created" not in text


def test_every_route_is_described(service: Service) -> None:
    """The OpenAPI page is silent about what there is, or lists what is not there."""
    document = service.ask("GET", "/openapi.json").json
    page = service.ask("GET", "/docs")
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in page.body.decode()
            found = service.ask(method.upper(), path.replace("{lane}", "tiny"))
            assert found.status != 405 and "there is nothing here" not in found.body.decode()
    assert "default-src 'none'" in page.body.decode()
    row = unescape(page.body.decode()).partition("Body: <code>")[2].partition("</code>")[0]
    assert json.loads(row) == {"rows": [{"a": 0.5, "day": "...", "lane": "..."}]}
    assert document["paths"].keys() >= {"/lanes/{lane}/rows", "/lanes/{lane}/state", "/forecast", "/rows", "/metrics"}


_NAMES = st.text(max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just("2020-02-11"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["day", "a", "lane", "x"]), inner),
    max_leaves=8,
)
_BODIES = st.one_of(
    st.binary(max_size=60),
    _VALUES.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries({"rows": st.lists(_VALUES, max_size=3)}).map(lambda value: json.dumps(value).encode()),
    st.text(max_size=40).map(lambda text: f"day,a\n{text}".encode("utf-8", "surrogatepass")),
)
_PATHS = st.one_of(
    st.sampled_from(["/rows", "/lanes", "/forecast", "/metrics", "/overview", "/"]),
    st.sampled_from(["rows", "state", "recent"]).map(lambda what: f"/lanes/tiny/{what}"),
    _NAMES.map(lambda name: f"/lanes/{name}/rows"), _NAMES.map(lambda name: f"/{name}"),
)  # fmt: skip


@pytest.fixture(scope="module")
def fuzzed(model: ServedModel) -> Service:
    """One service for all of it: rows that are taken stay."""
    return Service(model)


def fuzz(service: Service, method: str, path: str, body: bytes, kind: str) -> None:
    before = service.remembered()
    answer = service.ask(method, path, body, content_type=kind, accept=kind)
    assert answer.status < 500, service.said
    if answer.status >= 400:
        assert isinstance(answer.json["error"], str)
        assert service.remembered() == before


requests = given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"]), path=_PATHS, body=_BODIES,
    kind=st.sampled_from(["application/json", "text/csv", "text/plain", ""]),
)  # fmt: skip


@requests
@settings(max_examples=150)
def test_no_request_breaks_the_service(fuzzed: Service, method: str, path: str, body: bytes, kind: str) -> None:
    """A client's nonsense is answered with an error of ours, or touches a lane."""
    fuzz(fuzzed, method, path, body, kind)


@pytest.mark.thorough
@requests
@settings(max_examples=10_000)
def test_no_request_of_ten_thousand_breaks_the_service(
    fuzzed: Service, method: str, path: str, body: bytes, kind: str
) -> None:
    """As above, where it takes more luck to find."""
    fuzz(fuzzed, method, path, body, kind)
