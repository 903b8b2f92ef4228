"""What a worker of a search does: it tries trials on the folds of the past, and trains the champion and its refit.

Trials        in  {"place": 0, "base": {...}, "of": {...}, "trials": [{...}, ...], "rung": {...}}
              out {"place": 0, "kind": "", "error": "", "outcomes": [{...}, ...]}
A final run   in  {"place": 0, "base": {...}, "config": {...}, "epochs": null}, of a refit how many it is trained
              out {"place": 0, "kind": "", "error": "", "run_id": "..."}

`base` is the configuration that the series is read for, `of` the same with what all trials share.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from pipeline.base.errors import PipelineError
from pipeline.config.schema import Config, plain_config, typed_config
from pipeline.data.series import Series
from pipeline.experiment.job import train_job
from pipeline.launching.answers import Loaded, Work, load_once, read_job, write_error
from pipeline.searching.evaluate import Scorer, open_trainer
from pipeline.searching.folds import make_folds, with_calendar
from pipeline.searching.halving import Rung
from pipeline.searching.refit import refit_job

if TYPE_CHECKING:
    from pipeline.searching.evaluate import Train


@contextmanager
def open_work(loaded: Loaded) -> Iterator[Work]:
    """Give what does the tasks of a search; programs stay open until the block ends."""
    with ExitStack() as opened:
        worker = _Worker(loaded, opened)

        def answer(tasks: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
            for task in tasks:
                yield worker.answer(task)

        yield answer


@dataclass
class _Worker:
    loaded: Loaded
    opened: ExitStack
    train: "Train | None" = None
    scorers: dict[str, Scorer] = field(default_factory=dict)

    def answer(self, task: Mapping[str, Any]) -> dict[str, Any]:
        series = load_once(_read(task["base"]).dataset, self.loaded)
        try:
            done = self._try(task, series) if "trials" in task else _train(task, series)
        except PipelineError as error:
            return write_error(task["place"], error)
        return {"place": task["place"], "kind": "", "error": "", **done}

    def _try(self, task: Mapping[str, Any], series: Series) -> dict[str, Any]:
        self.train = self.train or self.opened.enter_context(open_trainer())
        shared = _read(task["of"])
        key = repr(shared)
        if key not in self.scorers:
            self.scorers[key] = Scorer(make_folds(shared, series), self.train)
        outcomes = self.scorers[key].score([_read(each) for each in task["trials"]], Rung(**task["rung"]))
        return {"outcomes": [asdict(outcome) for outcome in outcomes]}


def _train(task: Mapping[str, Any], series: Series) -> dict[str, Any]:
    config = read_job(task)
    whole = with_calendar(config, series)
    if task["epochs"] is not None:
        config, whole = refit_job(config, whole, task["epochs"])
    return {"run_id": train_job(config, whole).run_id}


def _read(written: Mapping[str, Any]) -> Config:
    return typed_config(OmegaConf.create(dict(written)))


def write_trials(place: int, base: Config, shared: Config, configs: Sequence[Config], rung: Rung) -> dict[str, Any]:
    """Return a task: try configurations that one program can train."""
    return {
        "place": place, "base": plain_config(base), "of": plain_config(shared),
        "trials": [plain_config(config) for config in configs], "rung": asdict(rung),
    }  # fmt: skip


def write_final(base: Config, config: Config, epochs: int | None = None) -> dict[str, Any]:
    """Return a task: train the champion, or for so many epochs its refit."""
    return {"place": 0, "base": plain_config(base), "config": plain_config(config), "epochs": epochs}
