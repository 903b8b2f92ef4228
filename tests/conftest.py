"""Settings and helpers that every test shares."""

import fcntl
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

# The product sets these before it imports TensorFlow and MLflow; tests import rooms directly.
from pipeline.base.environment import prepare_environment
from pipeline.config.schema import Config, DatasetConfig, ModelConfig, Source, Token, TrackingConfig
from pipeline.data.series import Series
from pipeline.data.tokens import tokenize
from pipeline.data.vocabulary import build_vocabulary
from pipeline.models.plan import plan_layers
from pipeline.serving.writer import Writer, make_writer

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

prepare_environment()
gc.disable()  # until everything is collected: of what is imported, nothing is garbage

from pipeline.tracking.database import make_database  # noqa: E402  (after the above: it imports MLflow)
from tests.commands import SECONDS, run_command  # noqa: E402

# Under nohup, or in the background of a script, these are ignored, and so they are in every command that a test starts.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

# No test may fail because the machine is busy, and a run of the suite tries the same examples as the one before.
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
settings.register_profile("thorough", settings.get_profile("suite"), max_examples=100)
settings.load_profile("suite")

# The settings of the person who runs the tests stay out of them, and out of the fixtures of whole modules.
FOREIGN = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "HYDRA_FULL_ERROR")
for name in FOREIGN:
    os.environ.pop(name, None)

MEMORY, MEMORY_BYTES = Path("/dev/shm"), 2 << 30


def work_in_memory() -> None:
    """Put temporary files where no disk is waited for, a third of the suite's time, if there is room."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    there = os.statvfs(MEMORY)
    if there.f_bavail * there.f_frsize >= MEMORY_BYTES and not there.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


work_in_memory()

ROOT = Path(__file__).resolve().parent.parent
Command = Callable[..., subprocess.CompletedProcess[str]]
MakePanel = Callable[..., Series]
MakeStore = Callable[[Path], str]
MakeWriter = Callable[..., Writer]
# What several files look at, trained once for all of them.
README_SWEEP = ("-m", "look_back=1,3,6", "stateful=true,false", "training.epochs=2", "seeds=2")
SERVED_SWEEP = (
    "experiment=many_to_many",
    "look_back=4",
    "horizon=1,3",
    "batch_size=4",
    "training.epochs=2",
    "seeds=2",
    "dataset.horizons=all",
    "tracking.log_model=false",
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Let the collector of garbage pass over what was imported, two million objects: tracing is a quarter faster."""
    yield
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def no_foreign_store() -> Iterator[None]:
    """No test, nor a fixture of a module or session, leaves a setting behind: another's runs would go to its store."""
    yield
    left = {name: os.environ.pop(name) for name in FOREIGN if name in os.environ}
    assert not left


@pytest.fixture(autouse=True)
def garbage_is_looked_for() -> Iterator[None]:
    """No command that ran in this process, and would have ended it, lets the worker grow from there on."""
    yield
    gc.enable()


def fill_once(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], None]) -> Path:
    """Return a folder that one of the worker processes has filled, while the others that want it waited."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared_{name}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / ".filled"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def make_store(tmp_path_factory: pytest.TempPathFactory) -> MakeStore:
    """Return a function that lays a store without runs in a folder, and gives its URI.

    It is a copy: MLflow takes three seconds to make the tables (tests/tracking/test_store.py sees it do so).
    """
    empty = fill_once(tmp_path_factory, "store", lambda folder: make_database(folder / "mlflow.db")) / "mlflow.db"

    def make(folder: Path) -> str:
        folder.mkdir(exist_ok=True)
        shutil.copyfile(empty, folder / "mlflow.db")
        return f"sqlite:///{folder / 'mlflow.db'}"

    return make


@pytest.fixture(scope="session")
def first_store(tmp_path_factory: pytest.TempPathFactory, make_store: MakeStore) -> str:
    """URI of a store that tests share, each in an experiment of its own."""
    return make_store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def store(first_store: str, request: pytest.FixtureRequest) -> "Store":
    """An experiment of this test's own."""
    from pipeline.tracking.store import open_store

    return open_store(TrackingConfig(uri=first_store, experiment_name=f"{request.path.stem} {request.node.name}"))


@pytest.fixture
def store_uri(tmp_path: Path) -> str:
    """URI of an MLflow store of this test's own, which is not there yet."""
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def command(tmp_path: Path, store_uri: str) -> Command:
    """Run `python -m pipeline.run ARGUMENTS` as a user does, in a folder and with an MLflow store of its own."""

    def run(*arguments: str, timeout: float = SECONDS, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {**os.environ, "MLFLOW_TRACKING_URI": store_uri, **environment}
        return run_command("pipeline.run", *arguments, cwd=tmp_path, env=settings, timeout=timeout)

    return run


@pytest.fixture
def run_here(
    tmp_path: Path, store_uri: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Run a command line as `command` does, but in this process, which has imported what takes seconds."""
    from absl import logging as absl

    from pipeline.run import main

    # Hydra closes all handlers of logging, and TensorFlow's closes its stream: pytest's own, if it was made under it.
    absl.get_absl_handler().python_handler.setStream(sys.__stderr__)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_uri)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["run", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(words, ended.value.code, *capfd.readouterr())

    yield run
    os.environ.pop("HYDRA_FULL_ERROR", None)  # main sets it for its process
    for number, handler in handlers.items():
        signal.signal(number, handler)


@dataclass(frozen=True)
class Swept:
    """A sweep that a command has trained: its words, what it said, and the folder of its store."""

    words: Sequence[str]
    done: subprocess.CompletedProcess[str]
    folder: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"


def sweep_once(
    factory: pytest.TempPathFactory, name: str, words: Sequence[str], make_store: MakeStore, fresh: bool
) -> Swept:
    def fill(folder: Path) -> None:
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "HYDRA_FULL_ERROR")}
        environment["MLFLOW_TRACKING_URI"] = make_store(folder)
        done = run_command("pipeline.run", *words, fresh=fresh, cwd=folder, env=environment)
        assert done.returncode == 0, done.stderr
        (folder / "stdout.txt").write_text(done.stdout)
        (folder / "stderr.txt").write_text(done.stderr)

    folder = fill_once(factory, name, fill)
    told = [(folder / f"{stream}.txt").read_text() for stream in ("stdout", "stderr")]
    return Swept(words, subprocess.CompletedProcess(words, 0, *told), folder)


@pytest.fixture(scope="session")
def readme_sweep(tmp_path_factory: pytest.TempPathFactory, make_store: MakeStore) -> Swept:
    """The README's command with few epochs: six configurations. Read it, and log nothing to its experiment."""
    return sweep_once(tmp_path_factory, "readme_sweep", README_SWEEP, make_store, fresh=True)


@pytest.fixture(scope="session")
def served_sweep(tmp_path_factory: pytest.TempPathFactory, make_store: MakeStore) -> Swept:
    """A preset that sweeps without -m: stateless and stateful, one and three steps ahead. Read it only, too."""
    return sweep_once(tmp_path_factory, "served_sweep", SERVED_SWEEP, make_store, fresh=False)


@pytest.fixture(scope="session")
def make_panel() -> MakePanel:
    def make(lanes: Sequence[np.ndarray], starts: Sequence[int] | None = None, filled: Sequence[int] = ()) -> Series:
        """Lay lanes of values, each (time, columns) or (time,), one after another.

        `starts` is the first timestamp of each lane, by default 0; `filled` are rows of the whole, filled in.
        """
        columns = [np.reshape(lane, (len(lane), -1)).astype(float) for lane in lanes]
        values = np.concatenate(columns)
        first = starts or [0] * len(lanes)
        names = tuple("abc"[: values.shape[1]])
        where = np.zeros(values.shape, dtype=bool)
        where[list(filled)] = True
        return Series(
            timestamps=pd.Index(np.concatenate([np.arange(len(x)) + at for x, at in zip(columns, first, strict=True)])),
            values=values,
            columns=names,
            features=names,
            targets=names[:1],
            filled=where,
            origin="test",
            series_ids=tuple(f"lane{number}" for number in range(len(lanes))),
            series_ends=tuple(np.cumsum([len(lane) for lane in columns]).tolist()),
        )

    return make


@pytest.fixture(scope="session")
def random_writer() -> MakeWriter:
    def make(text: str, kind: Token = Token.char, most: int = 100, later: str = "", **changes: Any) -> Writer:
        """A network of random weights that has learnt its vocabulary from a text; `most` words are known."""
        dataset = DatasetConfig(name="tiny", source=Source.text, path="tiny.txt", token=kind)
        how = {"look_back": 5, "stateful": True, "return_sequences": True, "model": ModelConfig(units=[8, 6])} | changes
        config = Config(dataset=dataset, **how)
        vocabulary, _ = build_vocabulary(kind, tokenize(text, kind), tokenize(later, kind), most)
        random = np.random.default_rng(7)
        layers = plan_layers(config, 1, len(vocabulary))
        weights = [random.normal(scale=0.7, size=shape) for layer in layers for shape in layer.weight_shapes]
        return make_writer(config, vocabulary, 3, weights)

    return make


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="run what is marked as thorough, too, as CI does")
    parser.addoption(
        "--every-combination", action="store_true", help="compare the engines on all 192 combinations (ten minutes)"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples a property is tried on, before a test takes over the number."""
    if config.getoption("--thorough"):
        settings.load_profile("thorough")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with whole commands, which take longest; leave out what shows on one more network what others show."""
    items.sort(key=lambda item: item.path.parent != ROOT / "tests")
    if config.getoption("--thorough"):
        return
    left_out = [item for item in items if item.get_closest_marker("thorough")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("thorough")]
