"""Report, gate viewer, page of the service and MLflow UI in headless Chromium: what people look for is to be seen.

Chromium is driven over its own pipe (the DevTools protocol: JSON with a zero byte after each message), which needs no
package and no port. Screenshots go to the folder SCREENSHOTS, if set. Where REQUIRE_BROWSER is 1, no Chromium is a
failure instead of a skip.
"""

import base64
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import uvicorn
from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.base.document import DatasetFacts, Document
from pipeline.base.salvage import Salvage
from pipeline.command.served import ServedRun, fetch_model
from pipeline.config.schema import Config, DatasetConfig, ModelConfig, Source
from pipeline.data.prepare import prepare_data
from pipeline.evaluation.conformal import Conformal
from pipeline.models.heads.point import RMSE
from pipeline.models.heads.token import token_costs
from pipeline.models.plan import plan_layers
from pipeline.models.trace import trace_steps
from pipeline.report.figures.sweep import Forecast
from pipeline.report.page.gates import write_gates_page
from pipeline.report.page.search import SearchFacts, write_search_report
from pipeline.searching.report import list_coordinates, list_rows
from pipeline.searching.space import Options, read_space
from pipeline.searching.trials import State, Trial
from pipeline.service.app import App
from pipeline.service.desk import Desk
from pipeline.service.limits import Limits
from pipeline.service.live import Live
from pipeline.service.metrics import Metrics
from pipeline.service.server import bind
from pipeline.serving.gates import choose_excerpt, look_at_network
from pipeline.serving.model import make_model
from tests.commands import start_command


def find_chromium() -> str | None:
    """Return a Chromium that starts; Ubuntu's is only a note that there is one elsewhere."""
    for name in ("chromium", "google-chrome", "chromium-browser"):
        path = shutil.which(name)
        with suppress(OSError, subprocess.SubprocessError):
            if path and not subprocess.run([path, "--version"], capture_output=True, timeout=1200).returncode:
                return path
    return None


NAME = "<b>Köln/1 & 100 %"  # of a lane
START_SECONDS, ANSWER_SECONDS = 600, 600
DESKTOP, PHONE = (1280, 900), (390, 844)


@dataclass
class Browser:
    """One tab."""

    pipe_in: IO[bytes]
    pipe_out: IO[bytes]
    folder: Path
    session: dict[str, str] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    unread: bytes = b""
    number: int = 0

    def call(self, method: str, **parameters: Any) -> Any:
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters, **self.session}
        self.pipe_in.write(json.dumps(request).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_SECONDS
        while (answer := self.read(deadline)).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def read(self, deadline: float) -> dict[str, Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self.pipe_out, selectors.EVENT_READ)
            while b"\0" not in self.unread:
                assert selector.select(deadline - time.monotonic()), "chromium does not answer"
                received = os.read(self.pipe_out.fileno(), 1 << 16)
                assert received, "chromium has ended"
                self.unread += received
        message, self.unread = self.unread.split(b"\0", 1)
        return dict(json.loads(message))

    def evaluate(self, script: str) -> Any:
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def open(self, url: str, size: tuple[int, int], dark: bool = False) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        width, height = size
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=size == PHONE
        )
        self.call("Page.navigate", url=url)
        self.wait_for(f"location.href.startsWith({url.split('#')[0]!r}) && document.readyState == 'complete'")

    def wait_for(self, condition: str) -> None:
        deadline = time.monotonic() + ANSWER_SECONDS
        while not self.evaluate(condition):
            assert time.monotonic() < deadline, (condition, self.text()[:2000], self.complaints())
            time.sleep(0.1)

    def text(self) -> str:
        return str(self.evaluate("document.body.innerText"))

    def screenshot(self, name: str, whole: bool = True) -> bytes:
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        picture = base64.b64decode(data)
        (self.folder / f"{name}.png").write_bytes(picture)
        return picture

    def complaints(self) -> list[Any]:
        """What stands in the console: errors, warnings, and whatever a script has written."""
        kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [event["params"] for event in self.events if event["method"] in kinds]


Start = Callable[..., Browser]


@pytest.fixture(scope="session", autouse=True)  # before the sweep, which is trained for the whole session
def chromium() -> str:
    """A Chromium. Without one these tests are skipped; where REQUIRE_BROWSER is 1, as CI sets it, they fail."""
    found = find_chromium()
    if found is None:
        refuse = pytest.fail if os.environ.get("REQUIRE_BROWSER") == "1" else pytest.skip
        refuse("no Chromium that starts on the PATH: apt install chromium")
    return found


def end_group(process: subprocess.Popen[Any]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def start_browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start Chromium with more flags; screenshots go to SCREENSHOTS or to a folder of the tests."""
    profiles = tmp_path_factory.mktemp("chromium")
    folder = Path(os.environ.get("SCREENSHOTS") or profiles / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    open_pipes: list[IO[bytes]] = []
    processes: list[subprocess.Popen[bytes]] = []

    def start(*flags: str) -> Browser:
        reads, to_browser = os.pipe()
        from_browser, writes = os.pipe()
        # It reads its commands from descriptor 3 and answers on 4.
        moved = f'exec "$@" 3<&{reads} 4>&{writes}'
        arguments = (
            chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            f"--user-data-dir={profiles / str(len(processes))}", "--remote-debugging-pipe", *flags, "about:blank",
        )  # fmt: skip
        with (profiles / f"{len(processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                ["/bin/bash", "-c", moved, "bash", *arguments],
                pass_fds=(reads, writes),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        processes.append(process)
        os.close(reads)
        os.close(writes)
        pipes = os.fdopen(to_browser, "wb", 0), os.fdopen(from_browser, "rb", 0)
        open_pipes.extend(pipes)
        browser = Browser(*pipes, folder)
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        browser.session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            browser.call(f"{domain}.enable")
        return browser

    yield start
    for process in processes:
        end_group(process)
    for pipe in open_pipes:
        pipe.close()


@contextmanager
def serve_page(patch: pytest.MonkeyPatch, **limits: Any) -> Iterator[str]:
    """Serve a network with random weights and 31 lanes, one with an alarm, and yield the address of its page."""
    root = Path(__file__).resolve().parent.parent
    dataset = DatasetConfig(
        name="airline", source=Source.file, path=str(root / "data" / "airline.csv"), time_column="month", period=12,
        targets=["passengers"],
    )  # fmt: skip
    config = Config(look_back=12, stateful=True, dataset=dataset, model=ModelConfig(units=[3]))
    data, random = prepare_data(config), np.random.default_rng(2)
    layers = plan_layers(config, *data.windows.interface)
    model = make_model(config, data, 0, [random.normal(size=size) for each in layers for size in each.weight_shapes])
    conformal = Conformal.begin([0.8, 0.95], data.windows.spec.horizon_steps, 1, 1)
    conformal.errors[:] = 40.0
    desk = Desk(replace(model, conformal=conformal), warm=True, most_lanes=99, say=lambda text: None)
    facts, alarm = desk.book.drift_of, {"alarm": "forecasts are too low", "alarm_since": "1962-06-01"}
    patch.setattr(desk.book, "drift_of", lambda lane: facts(lane) | (alarm if lane == "shop 20" else {}))
    app = App(Live(desk, "a run", None, False), Limits(**limits), Metrics(), pytest.fail).make()
    rows = [f"19{61 + month // 12}-{month % 12 + 1:02d}-01,{700 + 9 * month}" for month in range(18)]
    for lane in [NAME, *(f"shop {number}" for number in range(30))]:
        desk.take([desk.bodies.rows_of("\n".join(["month,passengers", *rows]).encode(), True, lane, 99)])
    listening = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@dataclass(frozen=True)
class Sweep:
    """Six configurations with two seeds each, and where they are."""

    folder: Path
    words: Sequence[str]
    runs: list[Run]

    @property
    def parent(self) -> Run:
        (parent,) = (run for run in self.runs if "mlflow.parentRunId" not in run.data.tags)
        return parent

    @property
    def children(self) -> list[Run]:
        return [run for run in self.runs if run is not self.parent]

    @property
    def report(self) -> str:
        (page,) = self.folder.rglob("report/report.html")
        return page.as_uri()


@pytest.fixture(scope="module")
def sweep(readme_sweep: Any) -> Sweep:
    client = MlflowClient(readme_sweep.uri)
    experiment = client.get_experiment_by_name("lstm-pipeline")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    return Sweep(readme_sweep.folder, readme_sweep.words, list(runs))


@pytest.fixture(scope="module")
def started_offline(start_browser: Start) -> Browser:
    """A browser for which no other machine has a name, and which uses no address either."""
    return start_browser("--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9")


@pytest.fixture
def offline(started_offline: Browser) -> Browser:
    """The same, with an empty page and an empty console."""
    started_offline.open("about:blank", DESKTOP)
    started_offline.events.clear()
    return started_offline


@pytest.fixture(scope="module")
def online(start_browser: Start) -> Browser:
    return start_browser()


def test_the_report_says_what_it_must_without_a_network(sweep: Sweep, offline: Browser) -> None:
    """The page needs something from elsewhere, its own security policy blocks it, or a part of it cannot be seen."""
    offline.open(sweep.report, DESKTOP)
    text = offline.text()
    verdict = offline.evaluate("document.querySelector('.verdict strong').innerText")
    assert verdict.endswith(".") and text.index(verdict) < text.index("Configurations, the best validation score first")
    rows = offline.evaluate("[...document.querySelectorAll('tbody tr')].map(row => row.cells[1].innerText)")
    assert sorted(rows) == ["1", "1", "3", "3", "6", "6"]
    assert f"python -m pipeline.run {' '.join(sweep.words)}" in text
    top = offline.evaluate("document.querySelector('.verdict').getBoundingClientRect().bottom")
    assert top < DESKTOP[1] / 2  # read without scrolling
    assert offline.complaints() == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_report_fits_every_screen_in_light_and_dark(
    size: tuple[int, int], dark: bool, sweep: Sweep, offline: Browser
) -> None:
    """On a phone the page is wider than the screen, or its figures are for another one; in the dark it blinds."""
    offline.open(sweep.report, size, dark)
    assert offline.evaluate("document.documentElement.scrollWidth") <= size[0]
    shown = "[...document.querySelectorAll('svg')].filter(one => one.getBoundingClientRect().width > 0)"
    kinds = offline.evaluate(f"{shown}.map(one => one.getAttribute('class'))")
    assert kinds == ["narrow" if size == PHONE else "broad"] * 4  # axes, cost, learning curves, forecast
    assert offline.evaluate(f"{shown}.every(one => one.getBoundingClientRect().right <= innerWidth)")
    brightness = (
        "(name => getComputedStyle(document.body)[name].match(/\\d+/g).slice(0, 3).map(Number)"
        ".reduce((sum, each) => sum + each, 0) / 3)"
    )
    paper, ink = (offline.evaluate(f"{brightness}('{name}')") for name in ("backgroundColor", "color"))
    assert (paper < 60 and ink > 200) if dark else (paper > 200 and ink < 60)
    # The axes of the figures are drawn in the page's ink.
    axis = offline.evaluate(
        "getComputedStyle(document.querySelector('svg [style*=\"--ink\"]')).getPropertyValue('--ink')"
    )
    assert axis == offline.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink')")
    picture = offline.screenshot(f"report_{'phone' if size == PHONE else 'desktop'}_{'dark' if dark else 'light'}")
    assert picture.startswith(b"\x89PNG") and len(picture) > 50_000
    assert offline.complaints() == []


@dataclass(frozen=True)
class Gates:
    """The gate viewer that a stateful run has logged, and the network in it."""

    page: str
    model: Any

    def look(self) -> Any:
        excerpt = choose_excerpt(self.model, member=0, steps=120)
        return look_at_network("mine", self.model, excerpt, most_before=1024)


@pytest.fixture(scope="module")
def gates(sweep: Sweep) -> Gates:
    run = next(
        run for run in sweep.children if (run.data.params["stateful"], run.data.params["look_back"]) == ("true", "3")
    )
    (page,) = sweep.folder.rglob(f"{run.info.run_id}/artifacts/gates.html")
    assert page.stat().st_size < 1_000_000
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow sets it for the store that was opened last
        model = fetch_model(ServedRun(run=run.info.run_id, uri=f"sqlite:///{sweep.folder / 'mlflow.db'}"))
    return Gates(page.as_uri(), model)


def press(browser: Browser, key: str, shift: bool = False) -> None:
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key=key, modifiers=8 if shift else 0)


def click(browser: Browser, selector: str, across: float, down: float) -> None:
    """Click into an element, at shares of its width and height."""
    browser.evaluate(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
    box = browser.evaluate(f"document.querySelector({selector!r}).getBoundingClientRect().toJSON()")
    place = {"x": box["x"] + across * box["width"], "y": box["y"] + down * box["height"]}
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)


def test_a_person_steps_through_the_gates(gates: Gates, offline: Browser) -> None:
    """Keys and clicks do nothing, the cell shows other numbers than the network's, or a script is blocked."""
    offline.open(gates.page, DESKTOP)
    look = gates.look()
    (layer,) = look.trace.layers
    step = offline.evaluate("look.state.step")
    assert look.parts[step] == "test" and look.parts[step - 1] == "validation"
    press(offline, "ArrowRight")
    press(offline, "ArrowLeft", shift=True)
    press(offline, "ArrowDown")
    step -= 9
    assert offline.evaluate("[look.state.step, look.state.unit]") == [step, 1]
    assert look.times[step] in offline.text()
    numbers = offline.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[data-name]')]"
        ".map(each => [each.dataset.name, each.textContent]))"
    )
    shown = {name: float(text.replace("\N{MINUS SIGN}", "-")) for name, text in numbers.items()}
    expected = {name: values[step, 1] for name, values in layer.quantities.items()}
    expected |= {"h before": layer.before[0][step, 1], "c before": layer.before[1][step, 1]}
    assert shown == pytest.approx(expected, abs=6e-4)
    click(offline, "canvas[data-key=forget]", 0.6, 0.95)
    units = layer.plan.outputs
    assert offline.evaluate("look.state.unit") == units - 1 and offline.evaluate("look.state.step") > step
    sort = "(select => { select.value = 'share|forget|1'; select.dispatchEvent(new Event('change')); })"
    offline.evaluate(f"{sort}(document.getElementById('sort'))")
    listed = offline.evaluate(
        "[...document.querySelectorAll('.units tbody tr')].map(row => Number(row.cells[0].innerText))"
    )
    shares = look.layers[0].saturation["forget"][1]
    assert sorted(listed) == list(range(units)) and np.all(np.diff(np.round(shares[listed], 3)) <= 0)
    assert offline.complaints() == []


def test_a_state_of_zero_is_computed_as_numpy_does(gates: Gates, offline: Browser) -> None:
    """The page says that the past did not matter at a step, and it did."""
    offline.open(gates.page, DESKTOP)
    look, model = gates.look(), gates.model
    script = (
        "(zero => { const found = look.simulate(look.networks[0], zero); "
        "return {outputs: [...found.outputs], c: [...found.layers[0].c.values]}; })"
    )
    inputs = look.trace.layers[0].inputs
    states = [state[:1] for layer in look.trace.layers for state in layer.before]
    for at in (None, 40):
        zero = "null" if at is None else f"{{step: {at}, layer: 0, unit: null}}"
        found = offline.evaluate(f"{script}({zero})")
        expected = trace_steps(model.network, inputs, look.trace.resets | (np.arange(len(inputs)) == at), states)
        np.testing.assert_allclose(found["outputs"], expected.outputs[:, 0], atol=1e-5)
        np.testing.assert_allclose(found["c"], expected.layers[0].after[1].ravel(), atol=1e-5)
    offline.evaluate("look.state.step = 40; look.update()")
    press(offline, "0")
    assert f"the state was set to zero at {look.times[40]}" in offline.text()
    assert offline.evaluate("document.querySelector('[data-name=\"c before\"]').textContent") == "0.000"
    assert offline.complaints() == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_gates_fit_every_screen(size: tuple[int, int], dark: bool, gates: Gates, offline: Browser) -> None:
    """On a phone the page is wider than the screen."""
    offline.open(gates.page, size, dark)
    assert offline.evaluate("document.documentElement.scrollWidth") <= size[0]
    picture = offline.screenshot(f"gates_{'phone' if size == PHONE else 'desktop'}_{'dark' if dark else 'light'}")
    assert picture.startswith(b"\x89PNG") and len(picture) > 30_000
    assert offline.complaints() == []


@pytest.fixture(scope="module")
def text_gates(tmp_path_factory: pytest.TempPathFactory) -> Gates:
    """The gate viewer of a network with random weights that reads a text through an embedding."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "my.txt").write_text('He said:\n"Go home, Mary."\n\n' * 60)
    dataset = DatasetConfig(name="my", source=Source.text, path=str(folder / "my.txt"))
    config = Config(look_back=9, stateful=True, return_sequences=True, batch_size=4, dataset=dataset)
    config.model = ModelConfig(units=[5, 3], embedding=2)
    data, random = prepare_data(config), np.random.default_rng(2)
    layers = plan_layers(config, data.windows.num_features, data.windows.num_outputs)
    model = make_model(config, data, 0, [random.normal(size=size) for each in layers for size in each.weight_shapes])
    gates = Gates((folder / "gates.html").as_uri(), model)
    (folder / "gates.html").write_text(write_gates_page("Gates: my", "cost", "nats", "", [gates.look()], most_units=9))
    return gates


def test_a_person_steps_through_a_text(text_gates: Gates, offline: Browser) -> None:
    """A click on a letter does nothing, a cost is another one than the network's, or zeroing the state is."""
    offline.open(text_gates.page, DESKTOP)
    look, model = text_gates.look(), text_gates.model
    shown = look.shown
    read = "[...document.querySelectorAll('.text [data-step]')].map(each => each.textContent).join('')"
    assert '⏎"Go·home,·Mary."⏎⏎He·said:' in offline.evaluate(read)
    click(offline, ".text [data-step='30']", 0.5, 0.5)
    press(offline, "ArrowRight")
    assert offline.evaluate("document.querySelector('.text .now').dataset.step") == "31"
    assert f"which cost {shown.costs[31]:.2f} nats" in offline.text()
    chance = f"{100 * shown.probabilities[31, 0]:.1f} %"
    assert offline.evaluate("document.querySelector('.next td:nth-child(3)').textContent") == chance
    background = "document.querySelector('.text .now').style.background"
    before = offline.evaluate(background)
    offline.evaluate("look.state.unit = (look.state.unit + 1) % 5; look.update()")
    assert offline.evaluate(background) not in ("", before)
    resets = look.trace.resets | (np.arange(len(shown.ids)) == 31)
    states = [state[:1] for layer in look.trace.layers for state in layer.before]
    expected = trace_steps(model.network, shown.ids[:, None].astype(np.float32), resets, states).outputs
    zero = "{step: 31, layer: 0, unit: null}"
    found = offline.evaluate(f"[...look.simulate(look.networks[0], {zero}).outputs]")
    np.testing.assert_allclose(found, expected.ravel(), atol=1e-4)
    press(offline, "0")
    cost = f"came, {token_costs(expected[31], shown.following[31]):.2f} nats"
    assert cost in offline.text()
    more = token_costs(expected, shown.following)[31:] - shown.costs[31:]
    count = int(np.flatnonzero(np.abs(more) > 0.05)[-1]) + 1
    word = "less" if more.sum() < 0 else "more"
    assert f"the next {count} token(s) cost {abs(more.sum()):.2f} nats {word} in all" in offline.text()
    assert offline.complaints() == []


@pytest.mark.parametrize(("size", "dark"), [(PHONE, True), (DESKTOP, False)], ids=["phone", "desktop"])
def test_a_text_fits_every_screen(size: tuple[int, int], dark: bool, text_gates: Gates, offline: Browser) -> None:
    """On a phone the page is wider than the screen."""
    offline.open(text_gates.page, size, dark)
    assert offline.evaluate("document.documentElement.scrollWidth") <= size[0]
    picture = offline.screenshot(f"text_gates_{'phone' if size == PHONE else 'desktop'}")
    assert picture.startswith(b"\x89PNG") and len(picture) > 30_000
    assert offline.complaints() == []


@pytest.fixture(scope="module")
def search_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a search of the packaged space for short series, whose 120 trials are made up."""
    folder, random = tmp_path_factory.mktemp("search"), np.random.default_rng(1)
    space = read_space("small", 300, 12, [], [])
    trials = []
    for number, score in enumerate(10 * random.lognormal(1, 0.6, 120)):
        values = {
            key: str(random.choice(axis.texts))
            if isinstance(axis, Options)
            else repr(axis.low ** random.uniform(0.6, 1))
            for key, axis in space.axes.items()
        }
        complete = number % 9 == 0
        ended = State.complete if complete else State.pruned
        trials.append(Trial(number, values, (float(score),) * (3 if complete else 1), ended))
    steps = np.arange(30.0)
    facts = SearchFacts(
        document=Document("", DatasetFacts("airline", "thousand", "", "", RMSE), (), (), (), (), (), (), ("Better.",)),
        forecast=Forecast("the champion", [str(step) for step in steps], steps, steps[None] + 1, {}, "passengers"),
        sentences=["Champion: look_back=3."],
        trials=list_rows(trials),
        last=3,
        naive=40.0,
        importance={key: 1 / len(space.axes) for key in space.axes},
        coordinates=list_coordinates(space, trials, 9, "RMSE, first rung"),
        command=["dataset=airline", "budget=10m"],
    )
    return write_search_report(folder, facts, Salvage(pytest.fail)).as_uri()


@pytest.mark.parametrize("width", [400, 1200])
def test_the_page_of_a_search_fits_every_screen(width: int, search_page: str, offline: Browser) -> None:
    """The page is wider than the screen, a figure or the table of trials is missing, or it blinds in the dark."""
    for dark in (False, True):
        offline.open(search_page, (width, 900), dark)
        assert offline.evaluate("document.documentElement.scrollWidth") <= width
        shown = "[...document.querySelectorAll('svg')].filter(one => one.getBoundingClientRect().width > 0)"
        kinds = offline.evaluate(f"{shown}.map(one => one.getAttribute('class'))")
        assert kinds == ["narrow" if width == 400 else "broad"] * 4
        assert offline.evaluate(f"{shown}.every(one => one.getBoundingClientRect().right <= innerWidth)")
        paper = offline.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(22, 24, 27)" if dark else "rgb(255, 255, 255)")
        # The champion's line is drawn in the page's ink: seen on either paper.
        ink = 'getComputedStyle(document.querySelector(\'svg [style*="--ink"][style*="2.2"]\')).stroke'
        assert offline.evaluate(ink) == offline.evaluate("getComputedStyle(document.body).color")
        offline.screenshot(f"search_{width}_{'dark' if dark else 'light'}")
    headings = offline.evaluate("[...document.querySelectorAll('h2')].map(each => each.innerText)")
    assert headings == [
        "How the search went", "What was tried", "Which keys decided", "Forecast of the champion",
        "Trials, those that got furthest first", "Repeat it",
    ]  # fmt: skip
    assert offline.evaluate("document.querySelectorAll('tbody tr').length") == 30
    assert offline.complaints() == []


@pytest.fixture(scope="module")
def mlflow_ui(sweep: Sweep) -> Iterator[str]:
    """The address of `mlflow ui` on the sweep."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, log = f"http://127.0.0.1:{port}", sweep.folder / "ui.log"
    arguments = ("ui", "--workers", "1", "--host", "127.0.0.1", "--port", str(port))
    with log.open("w") as written:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # uvicorn is found by name
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        words = ("mlflow", *arguments, "--backend-store-uri", f"sqlite:///{sweep.folder}/mlflow.db")
        process = start_command(*words, cwd=sweep.folder, env=environment, stdout=written, stderr=written)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(f"{address}/health"):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield address
    finally:
        end_group(process)


def answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=10):
        return True
    return False


def test_a_person_looks_at_the_lanes_of_a_service(online: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane is not found or its name becomes markup, the chart lacks what came or is forecast; a refusal is mute."""
    online.events.clear()
    with serve_page(monkeypatch) as page:
        online.open(page, DESKTOP)
        online.wait_for("document.querySelectorAll('#chart path.band').length == 2")
        assert online.evaluate("byId('lane-heading').textContent") == f"Lane {NAME}"
        assert "1–25 of 32" in online.text() and "80 % and 95 % intervals" in online.text()
        moments = online.evaluate("listMoments()")
        assert [each["came"] for each in moments] == [*(700 + 9 * month for month in range(18)), None]
        assert (moments[0]["made"], moments[-1]["time"]) == (None, "1962-07-01")
        kept = online.evaluate("view.recent.rows.map(row => row.forecasts[0])")
        assert [each["made"] for each in moments[1:]] == [each["forecast"] for each in kept]
        assert [each["ends"][1] for each in moments[1:]] == [[each["low_95"], each["high_95"]] for each in kept]
        errors = online.evaluate(
            "[...document.querySelectorAll('#errors tbody tr')].map(row => row.cells[1].innerText)"
        )
        assert errors[1:3] == ["9", "108"] and "6 of the newest 18 rows" in online.text()
        assert "since the training: 18 rows" in online.text() and "passengers in 18 rows" in online.text()
        assert "Alarm since" not in online.text()
        row = b'{"rows": [{"month": "1950-01-01", "passengers": 1}]}'
        late = urllib.request.Request(f"{page}lanes/shop%201/rows", row)
        late.add_header("content-type", "application/json")
        with pytest.raises(urllib.error.HTTPError, match="409"):
            urllib.request.urlopen(late)
        online.evaluate("byId('contains').value = 'SHOP 2'; byId('contains').dispatchEvent(new Event('input'))")
        online.wait_for("byId('page').textContent == '1–11 of 11' && byId('rejected').innerText.startsWith('late')")
        click(online, "#lanes tbody tr:nth-child(2) button", 0.5, 0.5)
        online.wait_for("byId('lane-heading').textContent == 'Lane shop 20'")
        assert "Alarm since 1962-06-01: forecasts are too low." in online.text() and "shop 20 ⚠ alarm" in online.text()
        online.evaluate("byId('chart').focus()")
        press(online, "ArrowLeft")
        assert online.evaluate("byId('told').textContent").startswith("1962-06-01 · came 853 · forecast ")
        for size in (DESKTOP, PHONE):
            for dark in (False, True):
                online.open(page, size, dark)
                online.wait_for("document.querySelectorAll('#chart path.band').length == 2")
                assert online.evaluate("document.documentElement.scrollWidth") <= size[0]
                online.screenshot(f"service_{'phone' if size == PHONE else 'desktop'}_{'dark' if dark else 'light'}")
    assert online.complaints() == []


def test_the_page_of_a_service_asks_for_its_token(online: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a token nobody can look, or the page shows something without it."""
    with serve_page(monkeypatch, token="s3cret") as page:
        online.open(page, DESKTOP)
        online.wait_for("!byId('token').hidden")
        assert NAME not in online.text()
        for given, shows in (
            ("wrong", "byId('refused').textContent == 'that is not it'"),
            ("s3cret", "!byId('board').hidden"),
        ):
            online.evaluate(f"byId('given').value = {given!r}; byId('token').requestSubmit()")
            online.wait_for(shows)
        assert NAME in online.text() and online.evaluate("byId('token').hidden")


@pytest.mark.thorough
def test_the_mlflow_ui_shows_the_sweep_and_its_runs(sweep: Sweep, mlflow_ui: str, online: Browser) -> None:
    """People who open the UI do not find the runs of their sweep, or find them under names that say nothing."""
    browser = online
    names = [run.info.run_name for run in sweep.runs]
    assert len(names) == len(set(names)) == 7
    browser.open(f"{mlflow_ui}/#/experiments/{sweep.parent.info.experiment_id}/runs", DESKTOP)
    browser.wait_for(f"document.body.innerText.includes({sweep.parent.info.run_name!r})")
    # The children are folded below their parent: open it as a person does.
    unfold = "document.querySelectorAll('.ag-row button, .ag-row [role=button]').forEach(each => each.click())"
    for name in (run.info.run_name for run in sweep.children):
        if name not in browser.text():
            browser.evaluate(unfold)
        browser.wait_for(f"document.body.innerText.includes({name!r})")
    browser.screenshot("mlflow_runs", whole=False)


@pytest.mark.thorough
def test_the_mlflow_ui_shows_the_report(sweep: Sweep, mlflow_ui: str, online: Browser) -> None:
    """The report is on the parent run, but the UI cannot show it."""
    browser, run = online, sweep.parent.info
    page = f"{mlflow_ui}/#/experiments/{run.experiment_id}/runs/{run.run_id}/artifacts/report/report.html"
    browser.open(page, DESKTOP)
    browser.wait_for("document.body.innerText.includes('report.html')")
    browser.wait_for("document.querySelector('iframe') !== null")
    browser.screenshot("mlflow_report", whole=False)
