"""The trials of a search, kept by Optuna where several processes share them and they outlive these.

A trial is asked for, gets a score on every rung that it reaches, and ends as complete, pruned or failed. One whose
process ended before it did is taken over by the next that opens the search: with what it has scored, under its number.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from pipeline.base.disk import explain_disk
from pipeline.base.errors import TrainingError, UserError
from pipeline.base.interrupt import hold_interrupts
from pipeline.base.text import hide_password
from pipeline.searching.space import Axis, Options, Space, Values, write_value
from pipeline.searching.storage import Lock, Place

if TYPE_CHECKING:
    import optuna

_OWNER, _REASON, _FOLDS = "process", "reason", "folds"
_STARTUP = 12  # trials drawn at random before the sampler learns from them


class State(Enum):
    """How a trial ended."""

    complete = "complete"
    pruned = "pruned"
    failed = "failed"
    running = "running"


@dataclass(frozen=True)
class Trial:
    """One point of the space.

    Attributes:
        number: From 0.
        values: The text of each key that was searched.
        scores: Of each rung that it reached, from the first; lower is better.
        state: How it ended.
        reason: Why it was pruned or failed.
        folds: Scores of the last rung, fold by fold; empty unless complete.
        owner: The process that has it, or ended it.
    """

    number: int
    values: Values
    scores: tuple[float, ...] = ()
    state: State = State.running
    reason: str = ""
    folds: tuple[float, ...] = ()
    owner: str = ""

    @property
    def score(self) -> float:
        """Of the last rung that it reached."""
        return self.scores[-1]


@dataclass
class Trials:
    """A search, as this process sees it.

    Attributes:
        study: Optuna's.
        space: What it chooses from.
        owner: Names this process.
        lock: One process holds it while it starts a trial or takes some over.
    """

    study: "optuna.Study"
    space: Space
    owner: str
    lock: Lock
    _distributions: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """Translate the space."""
        self._distributions = {key: distribution_of(axis) for key, axis in self.space.axes.items()}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Inside the block no other process starts a trial, takes one over or is in such a block."""
        with hold_interrupts(), self.lock():
            yield

    def ask(self, count: int) -> list[Trial]:
        """Start so many new trials."""
        asked = []
        for _ in range(count):
            with self.alone():  # nobody sees a trial that has no owner yet
                trial = self.study.ask(dict(self._distributions))
                trial.set_user_attr(_OWNER, self.owner)
            asked.append(Trial(trial.number, _texts(trial.params)))
        return asked

    def adopt(self, is_gone: Callable[[str], bool]) -> list[Trial]:
        """Take over the trials that a process left when it ended."""
        from optuna.trial import TrialState

        with self.alone():
            running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            left = [trial for trial in running if _OWNER not in trial.user_attrs or is_gone(trial.user_attrs[_OWNER])]
            whole = [trial for trial in left if self._is_whole(trial)]
            for trial in whole:
                self._set(trial.number, _OWNER, self.owner)
            for trial in left:
                if trial not in whole:
                    self._give_up(trial)
        return [_frozen(trial) for trial in whole]

    def _give_up(self, trial: "optuna.trial.FrozenTrial") -> None:
        """End a trial whose process died while it was drawn; one that was planned is planned again."""
        if planned := trial.system_attrs.get("fixed_params"):
            self.study.enqueue_trial(planned)
        self.fail(trial.number, "its process ended while it was drawn")

    def _is_whole(self, trial: "optuna.trial.FrozenTrial") -> bool:
        return set(self._distributions) <= set(trial.params)

    def report(self, number: int, rung: int, score: float) -> None:
        """Note what a trial scored on a rung."""
        self.study._storage.set_trial_intermediate_value(self._id(number), rung, score)

    def complete(self, number: int, score: float, folds: Sequence[float]) -> None:
        """End a trial that reached the last rung."""
        self._set(number, _FOLDS, list(folds))
        self.study.tell(number, score)

    def prune(self, number: int, reason: str) -> None:
        """End a trial that others were better than."""
        from optuna.trial import TrialState

        self._set(number, _REASON, reason)
        self.study.tell(number, state=TrialState.PRUNED)

    def fail(self, number: int, reason: str) -> None:
        """End a trial that could not be trained."""
        from optuna.trial import TrialState

        self._set(number, _REASON, reason)
        self.study.tell(number, state=TrialState.FAIL)

    def get(self, number: int) -> Trial:
        """Return a trial as it is now."""
        return next(trial for trial in self.all() if trial.number == number)

    def all(self) -> list[Trial]:
        """Return every trial of every process, those that were only planned, or drawn in part, left out."""
        return [_frozen(trial) for trial in self.study.get_trials(deepcopy=False) if self._is_whole(trial)]

    def ranked(self) -> list[Trial]:
        """Return the complete trials, the best first."""
        complete = [trial for trial in self.all() if trial.state is State.complete]
        return sorted(complete, key=lambda trial: (trial.score, trial.number))

    def best(self) -> Trial | None:
        """Return the best trial so far: of those that got furthest."""
        if ranked := self.ranked():
            return ranked[0]
        scored = [trial for trial in self.all() if trial.scores and trial.state is not State.failed]
        return min(scored, key=lambda trial: (-len(trial.scores), trial.score), default=None)

    def count(self) -> dict[str, int]:
        """Return how many ended in which way."""
        trials = self.all()
        ends = (State.complete, State.pruned, State.failed)
        return {state.value: sum(trial.state is state for trial in trials) for state in ends}

    def note(self, key: str, value: str) -> None:
        """Keep a word about the whole search."""
        self.study.set_user_attr(key, value)

    def noted(self, key: str) -> str | None:
        """Return what was kept."""
        found = self.study.user_attrs.get(key)
        return None if found is None else str(found)

    def _id(self, number: int) -> int:
        return self.study._storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)

    def _set(self, number: int, key: str, value: Any) -> None:
        self.study._storage.set_trial_user_attr(self._id(number), key, value)


def open_trials(
    place: Place, name: str, space: Space, owner: str, seed: int, resume: bool, starts: Sequence[Values] = ()
) -> Trials:
    """Open the trials of a search, or begin new ones.

    Args:
        place: Where they are kept.
        name: Names what is searched: equal names, equal searches.
        space: What the search chooses from.
        owner: Names this process.
        seed: Decides what is drawn.
        resume: Whether to go on with the newest search of this name, if there is one.
        starts: Points to begin with.

    Raises:
        UserError: If they cannot be kept there.
        TrainingError: If its disk is full.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with place.lock():
            storage = place.open()
            alike = [each for each in optuna.get_all_study_names(storage) if each.rpartition(" ")[0] == name]
            newest = max((int(each.rpartition(" ")[2]) for each in alike), default=0)
            number = newest if resume and newest else newest + 1
            return make_trials(storage, f"{name} {number}", space, owner, seed, place.lock, starts)
    except (OSError, ImportError, SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError) as error:
        if (disk := explain_disk(error)) is not None:
            raise TrainingError(f"the trials cannot be kept in {place.name}: {disk}") from error
        reason = hide_password(str(error).strip().splitlines()[0])
        raise UserError(f"the trials cannot be kept in {place.name}: {reason}; {place.remedy}") from error


def make_trials(
    storage: Any, name: str, space: Space, owner: str, seed: int, lock: Lock, starts: Sequence[Values] = ()
) -> Trials:
    """Open or begin a search in a storage of Optuna's; for the arguments see `open_trials`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Optuna may still change; constraints.txt names its version
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
        past = len(study.get_trials(deepcopy=False))
        study.sampler = optuna.samplers.TPESampler(
            seed=seed + past,  # resumed: it must not draw again what it has drawn
            multivariate=True,
            constant_liar=True,
            n_startup_trials=_STARTUP,
        )
    if not past:
        for start in starts:
            study.enqueue_trial(dict(start), skip_if_exists=True)
    return Trials(study, space, owner, lock)


def distribution_of(axis: Axis) -> Any:
    """Return an axis as Optuna has it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(axis, Options):
        return CategoricalDistribution(axis.texts)
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _texts(params: Mapping[str, Any]) -> dict[str, str]:
    return {key: write_value(value) for key, value in params.items()}


def _frozen(trial: "optuna.trial.FrozenTrial") -> Trial:
    states = {"COMPLETE": State.complete, "PRUNED": State.pruned, "FAIL": State.failed}
    scores = trial.intermediate_values
    return Trial(
        number=trial.number,
        values=_texts(trial.params),
        scores=tuple(scores[rung] for rung in sorted(scores)),
        state=states.get(trial.state.name, State.running),
        reason=str(trial.user_attrs.get(_REASON, "")),
        folds=tuple(trial.user_attrs.get(_FOLDS, ())),
        owner=str(trial.user_attrs.get(_OWNER, "")),
    )
