"""The installed wheel works without the clone."""

import os
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.commands import run_command

pytestmark = pytest.mark.thorough  # a wheel is built and installed

ROOT = Path(__file__).resolve().parent.parent
KINDS = (".py", ".j2", ".css", ".js")  # of files in the package
PRESETS = sorted(path.stem for path in (ROOT / "conf" / "debug").glob("*.yaml"))


@dataclass(frozen=True)
class Installed:
    wheel: Path
    site: Path
    cache: Path

    def python(self, cwd: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python code with the installed wheel, from a folder of its own."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=cwd,
            env={**environment, "PYTHONPATH": str(self.site), "XDG_CACHE_HOME": str(self.cache)},
            capture_output=True,
            text=True,
            timeout=1200,
        )

    def programs(self) -> set[str]:
        """Return the names of the compiled programs that are kept."""
        return {file.name for file in self.cache.rglob("xla_compile_cache*")}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("install")
    build = ("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(ROOT))
    subprocess.run([sys.executable, *build], check=True, capture_output=True, timeout=1200)
    (wheel,) = (folder / "dist").glob("*.whl")
    install = ("-m", "pip", "install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel))
    subprocess.run([sys.executable, *install], check=True, capture_output=True, timeout=1200)
    return Installed(wheel, folder / "site", folder / "cache")


def test_the_wheel_holds_configuration_data_and_templates_and_no_tests(installed: Installed) -> None:
    """The installed command finds no configuration, dataset or page, or installs a package called `tests`."""
    names = set(zipfile.ZipFile(installed.wheel).namelist())
    in_clone = {
        *(f"pipeline/conf/{path.relative_to(ROOT / 'conf')}" for path in (ROOT / "conf").rglob("*.yaml")),
        *(f"pipeline/data_files/{path.name}" for path in (ROOT / "data").iterdir()),
        *(str(path.relative_to(ROOT)) for kind in KINDS for path in (ROOT / "pipeline").rglob(f"*{kind}")),
    }
    assert {"pipeline/conf/config.yaml", "pipeline/data_files/airline.csv", "pipeline/run.py"} <= in_clone <= names
    assert {"pipeline/report/page/page.css", "pipeline/report/page/templates/sweep.html.j2"} <= in_clone
    assert {name.split("/")[0] for name in names} == {"pipeline", f"{installed.wheel.name.split('-py3')[0]}.dist-info"}


def test_the_console_script_is_called_lstm_pipeline(installed: Installed) -> None:
    """`lstm-pipeline` is not there after an installation, or starts something else."""
    (distribution,) = distributions(path=[str(installed.site)])
    (script,) = distribution.entry_points.select(group="console_scripts")
    assert (script.name, script.value) == ("lstm-pipeline", "pipeline.run:main")


@dataclass(frozen=True)
class Ran:
    """A preset that was run in an empty folder."""

    preset: str
    folder: Path
    done: subprocess.CompletedProcess[str]


CODE = "import pipeline.run; print(pipeline.__file__); pipeline.run.main()"


@pytest.fixture(scope="module", params=PRESETS)
def ran(installed: Installed, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Ran:
    folder = tmp_path_factory.mktemp("anywhere")
    return Ran(request.param, folder, installed.python(folder, CODE, f"debug={request.param}"))


def test_the_installed_package_runs_every_debug_preset_from_any_folder(installed: Installed, ran: Ran) -> None:
    """The CI smoke run does not work, or an installed run needs the clone, or loses its runs where nobody looks."""
    done = ran.done
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[0]).is_relative_to(installed.site)
    assert (ran.folder / "mlflow.db").is_file()
    client = MlflowClient(f"sqlite:///{ran.folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("lstm-pipeline")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["debug"] == ran.preset
    assert "mlflow.parentRunId" not in run.data.tags  # not a sweep
    assert client.list_artifacts(run.info.run_id)
    assert "mlflow ui " in done.stdout.splitlines()[-1]
    assert "--backend-store-uri" not in done.stdout  # a bare `mlflow ui` here finds it


def test_a_repeated_command_does_not_compile_again(installed: Installed, ran: Ran) -> None:
    """A sweep that is repeated would pay seconds of compilation for every configuration again."""
    first = installed.programs()
    assert len(first) == 2  # the training and the forecasts
    words = ("pipeline.run", f"debug={ran.preset}", "tracking.log_model=false")
    environment = {**os.environ, "XDG_CACHE_HOME": str(installed.cache)}
    done = run_command(*words, cwd=ran.folder, env=environment)
    assert done.returncode == 0, done.stderr
    assert installed.programs() == first


def test_the_installed_command_lists_its_choices(installed: Installed, tmp_path: Path) -> None:
    """`lstm-pipeline --help` of an installation fails or knows no datasets."""
    done = installed.python(tmp_path, "from pipeline.run import main; main()", "--help")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^dataset: .*airline, csv, .*eu_stocks", done.stdout, re.MULTILINE)
