"""A search from configuration to champion."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.base.disk import explain_disk
from pipeline.base.errors import PipelineError, TrainingError, UserError
from pipeline.base.interrupt import hold_interrupts
from pipeline.base.paths import home_dir
from pipeline.base.salvage import Salvage
from pipeline.base.terminal import say
from pipeline.base.text import hide_password, show_number
from pipeline.config.gates import check_ranges
from pipeline.config.keys import label_run
from pipeline.config.schema import Config, Protocol, flat_config, hash_config
from pipeline.data.past import count_past, cut_series
from pipeline.data.series import Series
from pipeline.experiment.sweep import open_store_to_train
from pipeline.experiment.sweep_report import FOLDER
from pipeline.launching.launch import check_to_search
from pipeline.models.heads.registry import head_of
from pipeline.searching.asking import Finals, open_finals, open_trials_work
from pipeline.searching.budget import Budget
from pipeline.searching.champion import Champion, train_champion
from pipeline.searching.evaluate import Evaluator, score_persistence
from pipeline.searching.folds import Fold, make_folds
from pipeline.searching.halving import RUNGS
from pipeline.searching.loop import Search
from pipeline.searching.luck import expect_best
from pipeline.searching.narrow import choose_starts, narrow_space
from pipeline.searching.refit import Refit, train_refit
from pipeline.searching.report import report_search
from pipeline.searching.result import Result
from pipeline.searching.space import Space, check_keys, read_space, set_values
from pipeline.searching.storage import choose_place
from pipeline.searching.trials import State, Trial, Trials, open_trials

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

_PARENT = "parent_run_id"


@dataclass(frozen=True)
class Task:
    """What is searched.

    Attributes:
        config: What the command line sets, checked.
        series: What it names, loaded.
        space: Name of the space, or a file.
        choices: `key=choice(...)` of the command line.
        taken: Keys that the command line sets.
        words: The whole command line.
        budget: How long.
        seeds: Trainings of the champion.
        resume: Whether to go on with an earlier search of the same.
        refit: Whether the champion is trained again, on its validation part as well.
    """

    config: Config
    series: Series
    space: str
    choices: Sequence[str]
    taken: Sequence[str]
    words: Sequence[str]
    budget: Budget
    seeds: int
    resume: bool
    refit: bool = False


@dataclass(frozen=True)
class _Prepared:
    """The same, narrowed to the data: configuration with what the space sets, the space, the folds of the past."""

    config: Config
    space: Space
    folds: Sequence[Fold]
    name: str


def run_search(task: Task) -> tuple["Store", Result]:
    """Search, train the champion and register it.

    Raises:
        UserError: If configuration, space and data do not go together.
        TrainingError: If no trial, or not the champion, could be trained.
    """
    prepared = _prepare(task)
    store = open_store_to_train(prepared.config.tracking)
    from pipeline.tracking.heartbeat import process_name
    from pipeline.tracking.live import LiveRun, note_incomplete
    from pipeline.tracking.search import CHAMPION_TAG, register_champion

    label = head_of(prepared.config).measure(len(task.series.targets)).label
    place = choose_place(store.uri, store.folder or home_dir())
    trials = open_trials(
        place, prepared.name, prepared.space, process_name(), prepared.config.seed, task.resume,
        choose_starts(prepared.config, prepared.space),
    )  # fmt: skip
    with _open_parent(store, task, trials) as parent:
        config = replace(prepared.config, tracking=replace(prepared.config.tracking, parent_run_id=parent))
        _try_all(task, prepared, store, parent, trials, label)
        if not trials.ranked():
            failed = [trial.reason for trial in trials.all() if trial.state is State.failed]
            raise TrainingError(f"no trial could be trained; the last one: {failed[-1] if failed else 'out of time'}")
        final = replace(config, resume=task.resume, seeds=task.seeds)
        with open_finals(task.config, final, task.series, store) as finals:
            champion = train_champion(
                final, prepared.space.fixed, trials.ranked(), task.series, task.seeds, say, finals.train
            )
            refit = _refit(champion, finals, store) if task.refit else None
        served = champion.record if refit is None else refit.record
        counts, tried = trials.count(), len({tuple(trial.values.items()) for trial in trials.all()})
        chosen = set_values(config, champion.values)
        folds = [trial.folds for trial in trials.ranked()]
        result = Result(
            champion=champion,
            persistence=score_persistence(chosen, prepared.folds),
            luck=expect_best(folds, tried),
            tried=tried,
            counts=counts,
            seconds=task.budget.elapsed,
            model=register_champion(store, served.run_id),
            refit=refit,
        )
        run, salvage = LiveRun(store, parent), Salvage(say)
        run.log_metrics(result.metrics(), {})
        run.set_tags({CHAMPION_TAG: champion.record.run_id})
        with salvage.attempt("the report of the search"):
            words = [hide_password(word) for word in task.words]
            report_search(store, parent, result, prepared.space, trials.all(), words, salvage)
            say(f"report: {FOLDER}/report.html of run {parent} in MLflow")
        if salvage.lost:
            note_incomplete(store, parent, salvage.lost)
    return store, result


def _refit(champion: Champion, finals: Finals, store: "Store") -> Refit | None:
    try:
        return train_refit(champion, store, finals.train)
    except PipelineError as error:
        if explain_disk(error) is not None:
            raise
        say(f"the refit could not be trained, so the champion itself is registered: {error}")
        return None


def _prepare(task: Task) -> _Prepared:
    config = task.config
    _refuse(config)
    past = count_past(config, task.series)
    space = read_space(task.space, past, config.dataset.period, task.choices, task.taken)
    check_keys(space)
    config = set_values(config, space.fixed)
    _refuse(config)
    check_ranges(config)
    folds = make_folds(config, task.series)
    space, notes = narrow_space(config, space, folds)
    for note in notes:
        say(note)
    config = set_values(config, space.fixed)
    digest = cut_series(task.series, past).digest()
    identity = (config.tracking.experiment_name, hash_config(config, digest), space, RUNGS)
    name = hashlib.sha256(repr(identity).encode()).hexdigest()[:16]
    axes = ", ".join(space.axes)
    say(f"searching {axes}: {len(folds)} folds of the {past} time steps before the test part")
    return _Prepared(config, space, folds, name)


def _refuse(config: Config) -> None:
    wrong = {
        "a series, not a text": config.reads_text,
        "dataset.lane_block=null: its folds are cut from lanes in memory": config.dataset.lane_block is not None,
        "protocol=fair: it chooses by a validation part": config.protocol is Protocol.tutorial,
        "training.online=false": config.training.online,
        "evaluation.origins=1: the folds of its trials are rolling already": config.evaluation.origins > 1,
    }
    for needed, given in wrong.items():
        if given:
            raise UserError(f"a search needs {needed}")
    check_to_search(config)


def _try_all(task: Task, prepared: _Prepared, store: "Store", parent: str, trials: Trials, label: str) -> None:
    from pipeline.tracking.heartbeat import is_gone
    from pipeline.tracking.search import log_trial, logged_trials

    def log(trial: Trial) -> None:
        params = flat_config(set_values(prepared.config, trial.values))
        scores = {f"rung_{rung + 1}_rmse": score for rung, score in enumerate(trial.scores)}
        scores |= {"validation_rmse": trial.score} if trial.state is State.complete else {}
        with hold_interrupts():  # cut off, it would be recorded twice
            log_trial(store, parent, trial.number, trial.state.value, trial.reason, params, scores)

    adopted: list[Trial] = []
    if task.resume:
        adopted = trials.adopt(is_gone)
        with trials.alone():  # of those that resume together one records what is missing
            known = logged_trials(store, parent)
            for trial in trials.all():
                if trial.state is not State.running and trial.number not in known and is_gone(trial.owner):
                    log(trial)  # its process ended between the two records
        if earlier := trials.count():
            say(f"resumed: {', '.join(f'{count} {state}' for state, count in earlier.items())}, {len(adopted)} go on")
    shared = replace(prepared.config, tracking=replace(prepared.config.tracking, parent_run_id=parent))
    try:
        with open_trials_work(task.config, shared, task.series, store) as score:
            evaluator = Evaluator(prepared.config, score)
            Search(trials, evaluator, task.budget, f"validation {label}", say, log).run(adopted)
    except KeyboardInterrupt:
        say(describe_best(trials, f"validation {label}"))
        raise


def describe_best(trials: Trials, label: str) -> str:
    """Name the best trial so far, and how it is written on the command line."""
    best = trials.best()
    if best is None:
        return "nothing was tried yet"
    values: Mapping[str, str] = {**trials.space.fixed, **best.values}
    return f"best so far: {label} {show_number(best.score)} with {label_run(values, list(values))}"


@contextmanager
def _open_parent(store: "Store", task: Task, trials: Trials) -> Iterator[str]:
    """Open the run of a search, or that of the one that is resumed, and close it as what happened."""
    from pipeline.tracking.parent import keep_parent
    from pipeline.tracking.search import open_search

    def start() -> str:
        with trials.alone():  # those that begin together share one run
            earlier = trials.noted(_PARENT) if task.resume else None
            opened = open_search(store, " ".join(["search", *task.words]), task.words, earlier)
            trials.note(_PARENT, opened)
        return opened

    with keep_parent(store, "search", start) as parent:
        yield parent.run_id
