"""The search itself: brackets of trials, rung by rung, until the budget is over. It trains nothing: it is given how."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.base.interrupt import check_interrupt
from pipeline.base.text import show_number
from pipeline.searching.budget import Budget
from pipeline.searching.halving import BRACKET, LAST, RUNGS, Rung, choose_best
from pipeline.searching.space import Values
from pipeline.searching.trials import Trial, Trials

_NO_TIME = "the budget ended before it was tried further"
_FILES = 10.0  # seconds: what is written and drawn of the champion
_SAME = 3  # brackets in a row without anything to train: everything there is has been tried, or is refused


@dataclass(frozen=True)
class Outcome:
    """What a configuration scored on a rung.

    Attributes:
        score: What it is chosen by; lower is better.
        folds: The same of each fold.
        failure: Why there is no score; empty if there is one.
        trained: Whether networks were trained for it; not if it was refused before.
    """

    score: float = float("nan")
    folds: tuple[float, ...] = ()
    failure: str = ""
    trained: bool = True


# Tries configurations on a rung: gives group after group, by place, of those that were tried at once; it is not asked
# further when time is up.
Evaluate = Callable[[Sequence[Values], Rung], Iterator[Mapping[int, Outcome]]]


@dataclass
class Search:
    """A search that goes on.

    Attributes:
        trials: Its trials.
        evaluate: Tries configurations.
        budget: When it ends.
        label: What scores are called.
        tell: Shows a sentence to the person who waits.
        log: Records a trial that ended.
    """

    trials: Trials
    evaluate: Evaluate
    budget: Budget
    label: str
    tell: Callable[[str], None]
    log: Callable[[Trial], None]

    def run(self, adopted: Sequence[Trial] = ()) -> None:
        """Try brackets until the budget is over or nothing is left to try.

        Args:
            adopted: Trials that another process left: the first bracket begins with them.
        """
        idle, left = 0, list(adopted)
        while (not self.budget.is_over or left) and idle < _SAME:
            before = self.budget.used
            asked = self.trials.ask(max(0, BRACKET - len(left)) if not self.budget.is_over else 0)
            bracket, left = left + asked, []
            self._try_bracket(bracket)
            idle = idle + 1 if self.budget.used == before else 0
        if idle:
            self.tell(f"the last {idle} rounds had nothing new that can be trained: the search ends")

    def _try_bracket(self, bracket: list[Trial]) -> None:
        alive = self._drop_known(bracket)
        for number, rung in enumerate(RUNGS):
            alive, waiting = self._climb(alive, number, rung)
            for trial in waiting:  # time is up: who got furthest is compared with nobody any more
                self._prune(trial, _NO_TIME)
            if number == LAST or not alive:
                return
            kept = choose_best({trial.number: trial.scores[number] for trial in alive})
            for trial in alive:
                if trial.number not in kept:
                    self._prune(trial, f"{len(alive)} were tried alike, {len(kept)} of them went on: it was not one")
            alive = [trial for best in kept for trial in alive if trial.number == best]

    def _climb(self, trials: list[Trial], number: int, rung: Rung) -> tuple[list[Trial], list[Trial]]:
        """Try trials on a rung; return those with a score there, and those for which there was no time."""
        scored = [trial for trial in trials if len(trial.scores) > number and number < LAST]
        waiting = dict(enumerate(trial for trial in trials if trial not in scored))
        groups = self.evaluate([trial.values for trial in waiting.values()], rung)
        while waiting:
            check_interrupt()
            if self.budget.is_over and (scored or self._has_complete()):
                break
            started = self.budget.elapsed
            outcomes = next(groups)
            self.budget.used += rung.trainings * sum(outcome.trained for outcome in outcomes.values())
            if number == LAST:
                self.budget.reserved = max(self.budget.reserved, _FILES + 1.5 * (self.budget.elapsed - started))
            for place, outcome in outcomes.items():
                trial = waiting.pop(place)
                if outcome.failure:
                    self._fail(trial, outcome.failure)
                else:
                    scored.append(self._score(trial, number, outcome))
        return scored, list(waiting.values())

    def _score(self, trial: Trial, number: int, outcome: Outcome) -> Trial:
        if len(trial.scores) <= number:
            self.trials.report(trial.number, number, outcome.score)
        if number == LAST:
            self.trials.complete(trial.number, outcome.score, outcome.folds)
            self.log(self.trials.get(trial.number))
        best = self.trials.best()
        so_far = f", best {show_number(best.score)}" if best is not None and len(best.scores) == len(RUNGS) else ""
        self.tell(
            f"[{self.budget.describe()}] trial {trial.number}, rung {number + 1}/{len(RUNGS)}: {self.label} "
            f"{show_number(outcome.score)}{so_far}"
        )
        return replace(trial, scores=(*trial.scores[:number], outcome.score))

    def _drop_known(self, bracket: list[Trial]) -> list[Trial]:
        """Prune new trials whose values were tried before."""
        tried = [trial for trial in self.trials.all() if trial.reason != _NO_TIME]
        seen = {tuple(sorted(trial.values.items())): trial.number for trial in reversed(tried)}
        kept = []
        for trial in bracket:
            first = seen.get(tuple(sorted(trial.values.items())), trial.number)
            if first < trial.number:
                self._prune(trial, f"the same as trial {first}")
            else:
                kept.append(trial)
        return kept

    def _has_complete(self) -> bool:
        return bool(self.trials.ranked())

    def _prune(self, trial: Trial, reason: str) -> None:
        self.trials.prune(trial.number, reason)
        self.log(self.trials.get(trial.number))

    def _fail(self, trial: Trial, reason: str) -> None:
        self.trials.fail(trial.number, reason)
        self.tell(f"[{self.budget.describe()}] trial {trial.number} FAILED: {reason.splitlines()[0]}")
        self.log(self.trials.get(trial.number))
