"""The search, with a trainer that computes a score instead of training: what it finds, drops, keeps and resumes."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.searching.budget import Budget
from pipeline.searching.halving import BRACKET, RUNGS, Rung
from pipeline.searching.loop import Outcome, Search
from pipeline.searching.space import Between, Options, Space, Values
from pipeline.searching.trials import State, Trial, Trials, make_trials, open_trials

SPACE = Space({"units": Options(("4", "8", "16", "32")), "rate": Between(0.001, 0.1, log=True)}, {})


def score_of(values: Values, rung: Rung) -> float:
    """The planted optimum: 16 units and a rate of 0.01; few seeds are a little off, but not at the optimum."""
    away = abs(math.log2(float(values["units"]) / 16)) + 3 * abs(math.log10(float(values["rate"]) / 0.01))
    return 1 + away * (1 + 0.05 / rung.seeds)


class Trainer:
    """Computes scores; counts what was asked; dies or fails where it is told to."""

    def __init__(self, dies_after: int | None = None, fails: str = "") -> None:
        self.asked: list[tuple[tuple[tuple[str, str], ...], Rung]] = []
        self.dies_after, self.fails = dies_after, fails

    def __call__(self, candidates: Sequence[Values], rung: Rung) -> Iterator[Outcome]:
        for values in candidates:
            if self.dies_after is not None and len(self.asked) >= self.dies_after:
                raise KeyboardInterrupt
            self.asked.append((tuple(sorted(values.items())), rung))
            if values["units"] == self.fails:
                yield Outcome(failure="the loss is nan")
            else:
                score = score_of(values, rung)
                yield Outcome(score, (score,) * rung.folds)


def open_file(folder: Path, owner: str = "me", resume: bool = False) -> Trials:
    return open_trials(folder / "search.db", "name", SPACE, owner, seed=1, resume=resume)


def in_memory(space: Space = SPACE) -> Trials:
    return make_trials(None, "name", space, "me", 1, Path("not needed"))


def search(trials: Trials, trainer: Trainer, trainings: int, adopted: Sequence[Trial] = ()) -> list[Trial]:
    logged: list[Trial] = []
    Search(trials, trainer, Budget(trainings=trainings), "RMSE", lambda text: None, logged.append).run(adopted)
    return logged


def test_a_planted_optimum_is_found() -> None:
    """The search chooses no better than a draw: the best third of trials does not teach the sampler where to look."""
    trials = in_memory()
    logged = search(trials, Trainer(), trainings=400)
    best = trials.ranked()[0]
    assert best.values["units"] == "16" and best.score < 1.4
    ended = trials.all()
    assert all(trial.state is not State.running for trial in ended)
    assert sorted(trial.number for trial in logged) == [trial.number for trial in ended]  # each recorded once
    assert sum(trials.count().values()) == len(ended) >= 5 * BRACKET


def test_halving_gives_most_to_the_best_and_never_changes_a_score() -> None:
    """A bad configuration is trained in full, a good one is dropped, or others move a champion's number."""
    trials, trainer = in_memory(), Trainer()
    search(trials, trainer, trainings=300)
    (first, *_), complete = trials.all(), trials.ranked()
    counts = [sum(rung == each for _, rung in trainer.asked) for each in RUNGS]
    assert counts[0] > 2 * counts[1] > 4 * counts[2] > 0
    for trial in complete:
        assert len(trial.scores) == len(trial.folds) == len(RUNGS)
        assert trial.score == score_of(trial.values, RUNGS[-1])  # as it has alone
    bracket = trials.all()[:BRACKET]
    went_on = [trial for trial in bracket if len(trial.scores) > 1]
    dropped = [trial for trial in bracket if len(trial.scores) == 1]
    assert max(trial.scores[0] for trial in went_on) <= min(trial.scores[0] for trial in dropped)
    assert all("went on" in trial.reason for trial in dropped)
    assert first.number == 0


@pytest.mark.parametrize("dies_after", [4, 11])
def test_a_killed_search_goes_on_without_a_lost_or_doubled_trial(tmp_path: Path, dies_after: int) -> None:
    """A trial that was being trained is lost, trained twice on a rung it has passed, or counted under two numbers."""
    killed = Trainer(dies_after)
    with pytest.raises(KeyboardInterrupt):
        search(open_file(tmp_path, "gone"), killed, trainings=100)
    trials, trainer = open_file(tmp_path, "me", resume=True), Trainer()
    assert len(trials.all()) == BRACKET
    adopted = trials.adopt(lambda owner: owner == "gone")
    assert not trials.adopt(lambda owner: owner == "gone")  # nobody takes them a second time
    search(trials, trainer, 100, adopted)
    ended = trials.all()
    assert [trial.number for trial in ended] == list(range(len(ended)))
    assert all(trial.state is not State.running for trial in ended)
    assert {trial.number for trial in adopted} <= {trial.number for trial in ended}
    asked = killed.asked + trainer.asked
    assert len(set(asked)) == len(asked)


def test_the_trials_of_a_living_process_are_left_to_it(tmp_path: Path) -> None:
    """Two processes that share a search train the same trials."""
    first = open_file(tmp_path, "one")
    mine = first.ask(2)
    second = open_file(tmp_path, "two", resume=True)
    assert not second.adopt(lambda owner: False)
    assert {trial.number for trial in second.ask(2)}.isdisjoint(trial.number for trial in mine)
    assert not open_file(tmp_path, "three").all()  # without resume a search of its own


def test_failures_are_failed_trials_and_never_the_best() -> None:
    """A loss that is not a number ends the search, or a trial without a score is chosen."""
    trials = in_memory()
    search(trials, Trainer(fails="16"), trainings=150)
    failed = [trial for trial in trials.all() if trial.state is State.failed]
    assert failed and {trial.values["units"] for trial in failed} == {"16"}
    assert {trial.reason for trial in failed} == {"the loss is nan"}
    assert trials.ranked() and all(trial.values["units"] != "16" for trial in trials.ranked())


def test_the_smallest_budget_still_has_a_champion() -> None:
    """A budget that ends on the first rung leaves nothing to train, or costs as much as a large one."""
    trials, trainer = in_memory(), Trainer()
    search(trials, trainer, trainings=1)
    assert len(trials.ranked()) == 1 and len(trainer.asked) == len(RUNGS)
    others = [trial for trial in trials.all() if trial.state is State.pruned]
    assert {trial.reason for trial in others} == {"the budget ended before it was tried further"}


def test_a_small_space_is_tried_once_and_ends() -> None:
    """A search over three values trains them again and again until its time is up."""
    space = Space({"units": Options(("8", "16", "32")), "rate": Options(("0.01", "0.1"))}, {})
    trials, trainer = in_memory(space), Trainer()
    search(trials, trainer, trainings=10_000)
    assert trials.ranked()[0].values == {"units": "16", "rate": "0.01"}
    assert len(set(trainer.asked)) == len(trainer.asked)
