"""The jobs of a command line: every one that Hydra will start is checked first, and what is wrong is said in a line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

from pipeline.base.errors import UserError
from pipeline.config.schema import Config
from pipeline.data import sources
from pipeline.experiment import jobs
from pipeline.experiment.jobs import Plan, explained, plan_jobs, planned


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Plan]:
    """Plan the jobs of a command line, in an empty folder."""
    ConfigStore.instance().store(name="base_config", node=Config)
    monkeypatch.chdir(tmp_path)

    def make(line: str) -> Plan:
        return plan_jobs(get_args_parser().parse_args(line.split()))

    return make


@pytest.mark.parametrize(
    ("line", "jobs"),
    [
        ("look_back=6", [(6, False)]),
        ("-m look_back=1,3,6 stateful=true,false", [(n, s) for n in (1, 3, 6) for s in (True, False)]),
        ("-m look_back=range(1,4)", [(1, False), (2, False), (3, False)]),
        ("look_back=6 look_back=7", [(7, False)]),
        ("experiment=many_to_many", [(12, True), (12, False)]),
        ("experiment=many_to_many look_back=2 stateful=false", [(2, False)]),
    ],
)
def test_jobs_of_a_command(plan: Callable[[str], Plan], line: str, jobs: list[tuple[int, bool]]) -> None:
    """Breaks the gates of a sweep: every job that Hydra will start must be checked, in Hydra's order."""
    found = plan(line)
    assert [(job.look_back, job.stateful) for job in found.jobs] == jobs
    assert found.is_sweep is (line.startswith(("-m", "experiment")))


@pytest.mark.usefixtures("plan")
@pytest.mark.parametrize(
    ("values", "told"), [("1,2", []), ("range(1,25)", ["checking 24 jobs before the first one starts"])]
)
def test_a_long_check_is_announced(values: str, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep of many jobs is silent for seconds or minutes, and looks as if it hangs."""
    monkeypatch.setattr(jobs, "_MANY", 20)
    heard: list[str] = []
    plan_jobs(get_args_parser().parse_args(["-m", f"look_back={values}"]), heard.append)
    assert heard == told


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("+dataset.typo=1", r"unknown key 'dataset\.typo'"),
        ("model.unit=[4]", r"unknown key 'model\.unit'; did you mean 'model\.units'\?"),
        ("-m typo=1,2", "unknown key 'typo'"),
        ("-m look_back=1,two", "look_back=two: .*'two'.*Integer"),
        ("-m look_back=", "look_back=: .*''.*Integer"),
        ("look_back=3.5", "look_back=3.5: .*'3.5'.*Integer"),
        ("look_back=null", "look_back=null: .*look_back"),
        ("stateful=maybe", "stateful=maybe: .*'maybe'.*bool"),
        ("dataset.features=sales", r"dataset\.features=sales: .*list"),
        ("model.units=4", r"model\.units=4: .*list"),
        ("dataset.scaler=robust", r"dataset\.scaler=robust: .*minmax, standard, none"),
        ("training.engine=turbo", r"training\.engine=turbo: .*expected one of .*fit"),
        ("model=transformer", "unknown model 'transformer'; choose from .*gru, lstm, simple_rnn"),
        ("experiment=nothing", "unknown experiment 'nothing'; choose from .*many_to_many"),
        ("debug=nothing", "unknown debug 'nothing'; choose from .*smoke"),
        ("-m hydra/sweeper=optuna", r"unknown hydra/sweeper 'optuna'; .*python -m pipeline\.search"),
        ("-m dataset=airline,moon", "unknown dataset 'moon'; choose from .*airline"),
        ("-m dataset=airline,sine dataset.features=[passengers]", r"dataset\.features .*'passengers', but sine has"),
        ("-m look_back=1,0", "look_back must be at least 1, but got look_back=0"),
        ("stateful=true batch_size=9", "batch_size=9 .*lower batch_size or raise dataset.segments"),
        ("look_back=${nothing}", "look_back: .*'nothing' not found"),
        ("foo", "foo"),
        ("=3", "=3"),
        ("--config-dir nothing", "--config-dir must be a folder, but got nothing"),
        ("--config-path nothing", "--config-path must be a folder, but got nothing"),
        ("+hydra.callbacks.x._target_=os.system", r"hydra\.callbacks names _target_=os\.system; only Hydra's own"),
        ("hydra.sweeper._target_=os.system", r"hydra\.sweeper names _target_=os\.system; only Hydra's own"),
        ("hydra.launcher._target_=builtins.exec", r"hydra\.launcher names _target_=builtins\.exec; only Hydra's own"),
    ],
)  # fmt: skip
def test_refused(plan: Callable[[str], Plan], line: str, complaint: str) -> None:
    """Breaks the gates: a wrong command is accepted, ends in a traceback, or its text does not say what is wrong."""
    with pytest.raises(UserError, match=complaint) as caught:
        plan(line)
    assert len(str(caught.value).splitlines()) <= 2


def test_a_planned_job_is_not_composed_once_more() -> None:
    """A sweep of a thousand jobs waits minutes before its first one; or other sweepers are no longer checked."""
    (basic,) = (each for each in Plugins.instance().discover(Sweeper) if each.__name__ == "BasicSweeper")
    sweeper = basic(max_batch_size=None)
    with planned():
        sweeper.validate_batch_is_legal([["look_back=4"]])
    with pytest.raises(AttributeError, match="config_loader"):
        sweeper.validate_batch_is_legal([["look_back=4"]])


def test_keys_that_differ_between_jobs_are_found(plan: Callable[[str], Plan]) -> None:
    """Breaks names and tables of a sweep: a swept key is missing, or one that never changes is there."""
    assert plan("-m look_back=1,3 stateful=true model.units=[4],[8]").differing_keys() == ["look_back", "model.units"]
    assert plan("-m look_back=1,1").differing_keys() == plan("look_back=3").differing_keys() == []


def test_a_file_is_read_once_for_all_jobs(plan: Callable[[str], Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks large sweeps: a file of gigabytes is read again for every job before the first one starts."""
    read: list[str] = []
    load = sources.load_series
    monkeypatch.setattr(sources, "load_series", lambda dataset, **more: (read.append(dataset.name), load(dataset))[1])
    plan("-m look_back=1,3,6 dataset=airline,sine")
    assert sorted(read) == ["airline", "sine"]


@pytest.mark.parametrize(
    ("override", "proposal"),
    [
        ("dataset.features=[Sales (EUR)]", """quote it: 'dataset.features=["Sales (EUR)"]'"""),
        ("dataset.targets=[a{b}, c]", """quote it: 'dataset.targets=["a{b}","c"]'; a comma inside a name stays"""),
        ("dataset.unit=x (y)", """quote it: 'dataset.unit="x (y)"'"""),
        ("dataset.features=['a]", """quote it: 'dataset.features=["a"]'"""),
    ],
)
def test_an_error_of_the_grammar_shows_the_quotes(override: str, proposal: str) -> None:
    """A person with a column `Sales (EUR)` reads of an unknown function and cannot use it."""
    with pytest.raises(UserError) as caught, explained():
        OverridesParser.create().parse_overrides([override])
    assert proposal in str(caught.value)


def test_a_password_is_refused_in_every_job(plan: Callable[[str], Plan]) -> None:
    """Only the first job of a sweep is looked at, and Hydra writes the password of the second one into outputs/."""
    with pytest.raises(UserError, match=r"tracking\.uri=http://me:\*\*\*@host holds a password"):
        plan("-m tracking.uri='http://host','http://me:secret@host'")
