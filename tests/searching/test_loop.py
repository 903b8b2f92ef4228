"""The search, with a trainer that computes a score instead of training: what it finds, drops, keeps and resumes."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.errors import UserError
from pipeline.searching.budget import Budget
from pipeline.searching.halving import BRACKET, RUNGS, Rung
from pipeline.searching.loop import Outcome, Search
from pipeline.searching.space import Between, Options, Space, Values
from pipeline.searching.storage import lock_by_file, place_in_file
from pipeline.searching.trials import State, Trial, Trials, make_trials, open_trials

SPACE = Space({"units": Options(("4", "8", "16", "32")), "rate": Between(0.001, 0.1, log=True)}, {})


def score_of(values: Values, rung: Rung) -> float:
    """The planted optimum: 16 units and a rate of 0.01; few seeds are a little off, but not at the optimum."""
    away = abs(math.log2(float(values["units"]) / 16)) + 3 * abs(math.log10(float(values["rate"]) / 0.01))
    return 1 + away * (1 + 0.05 / rung.seeds)


class Trainer:
    """Computes scores, of so many at once; counts what was asked; dies, fails or refuses where it is told to."""

    def __init__(self, dies_after: int | None = None, fails: str = "", refuses: str = "", at_once: int = 1) -> None:
        self.asked: list[tuple[tuple[tuple[str, str], ...], Rung]] = []
        self.dies_after, self.fails, self.refuses, self.at_once = dies_after, fails, refuses, at_once

    def __call__(self, candidates: Sequence[Values], rung: Rung) -> Iterator[Mapping[int, Outcome]]:
        places = range(len(candidates))
        for first in places[:: self.at_once]:
            yield {place: self.score(candidates[place], rung) for place in places[first : first + self.at_once]}

    def score(self, values: Values, rung: Rung) -> Outcome:
        if self.dies_after is not None and len(self.asked) >= self.dies_after:
            raise KeyboardInterrupt
        if values["units"] == self.refuses:
            return Outcome(failure="it does not go with the data", trained=False)
        self.asked.append((tuple(sorted(values.items())), rung))
        if values["units"] == self.fails:
            return Outcome(failure="the loss is nan")
        score = score_of(values, rung)
        return Outcome(score, (score,) * rung.folds)


def open_file(folder: Path, owner: str = "me", resume: bool = False) -> Trials:
    return open_trials(place_in_file(folder / "search.db"), "name", SPACE, owner, seed=1, resume=resume)


InMemory = Callable[..., Trials]


@pytest.fixture
def in_memory(tmp_path: Path) -> InMemory:
    def make(space: Space = SPACE) -> Trials:
        return make_trials(None, "name", space, "me", 1, lock_by_file(tmp_path / "lock"))

    return make


def search(
    trials: Trials, trainer: Trainer, trainings: int, adopted: Sequence[Trial] = (), told: list[str] | None = None
) -> list[Trial]:
    logged: list[Trial] = []
    tell = (lambda text: None) if told is None else told.append
    Search(trials, trainer, Budget(trainings=trainings), "RMSE", tell, logged.append).run(adopted)
    return logged


def test_a_planted_optimum_is_found(in_memory: InMemory) -> None:
    """The search chooses no better than a draw: the best third of trials does not teach the sampler where to look."""
    trials = in_memory()
    logged = search(trials, Trainer(), trainings=400)
    best = trials.ranked()[0]
    assert best.values["units"] == "16" and best.score < 1.4
    ended = trials.all()
    assert all(trial.state is not State.running for trial in ended)
    assert sorted(trial.number for trial in logged) == [trial.number for trial in ended]  # each recorded once
    assert sum(trials.count().values()) == len(ended) >= 5 * BRACKET


def test_halving_gives_most_to_the_best_and_never_changes_a_score(in_memory: InMemory) -> None:
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
    left = [(trial.number, trial.scores) for trial in trials.all() if trial.state is State.running]
    adopted = trials.adopt(lambda owner: owner == "gone")
    assert not trials.adopt(lambda owner: owner == "gone")  # nobody takes them a second time
    logged = search(trials, trainer, 100, adopted)
    ended = trials.all()
    assert [trial.number for trial in ended] == list(range(len(ended)))
    assert all(trial.state is not State.running for trial in ended)
    assert [(trial.number, trial.scores) for trial in adopted] == left  # all of them, with what they had scored
    assert {trial.number for trial in adopted} == {trial.number for trial in logged} & set(range(BRACKET))
    asked = killed.asked + trainer.asked
    assert len(set(asked)) == len(asked)


def test_a_file_that_holds_no_trials_is_named(tmp_path: Path) -> None:
    """A search.db that was cut off or is of something else ends in a traceback of SQLAlchemy."""
    file = tmp_path / "search.db"
    file.write_bytes(b"not a database, but a text that is long enough to look like one" * 99)
    with pytest.raises(UserError, match=r"the trials cannot be kept in .*search\.db: .*move that file away"):
        open_file(tmp_path)


def test_the_trials_of_a_living_process_are_left_to_it(tmp_path: Path) -> None:
    """Two processes that share a search train the same trials."""
    first = open_file(tmp_path, "one")
    mine = first.ask(2)
    second = open_file(tmp_path, "two", resume=True)
    assert not second.adopt(lambda owner: False)
    assert {trial.number for trial in second.ask(2)}.isdisjoint(trial.number for trial in mine)
    assert not open_file(tmp_path, "three").all()  # without resume a search of its own


def test_failures_are_failed_trials_and_never_the_best(in_memory: InMemory) -> None:
    """A loss that is not a number ends the search, or a trial without a score is chosen."""
    trials = in_memory()
    search(trials, Trainer(fails="16"), trainings=150)
    failed = [trial for trial in trials.all() if trial.state is State.failed]
    assert failed and {trial.values["units"] for trial in failed} == {"16"}
    assert {trial.reason for trial in failed} == {"the loss is nan"}
    assert trials.ranked() and all(trial.values["units"] != "16" for trial in trials.ranked())


def test_the_smallest_budget_still_has_a_champion(in_memory: InMemory) -> None:
    """A budget that ends on the first rung leaves nothing to train, or costs as much as a large one."""
    trials, trainer = in_memory(), Trainer()
    search(trials, trainer, trainings=1)
    assert len(trials.ranked()) == 1 and len(trainer.asked) == len(RUNGS)
    others = [trial for trial in trials.all() if trial.state is State.pruned]
    assert {trial.reason for trial in others} == {"the budget ended before it was tried further"}


def test_a_small_space_is_tried_once_and_ends(in_memory: InMemory) -> None:
    """A search over three values trains them again and again until its time is up."""
    space = Space({"units": Options(("8", "16", "32")), "rate": Options(("0.01", "0.1"))}, {})
    trials, trainer = in_memory(space), Trainer()
    search(trials, trainer, trainings=10_000)
    assert trials.ranked()[0].values == {"units": "16", "rate": "0.01"}
    assert len(set(trainer.asked)) == len(trainer.asked)


def test_what_was_trained_at_once_is_all_kept(in_memory: InMemory) -> None:
    """A group is trained and eight of nine scores are thrown away, or a budget is spent many times over."""
    trials, trainer = in_memory(), Trainer(at_once=BRACKET)
    search(trials, trainer, trainings=1)
    assert len([trial for trial in trials.all() if trial.scores]) == BRACKET
    assert [sum(rung == each for _, rung in trainer.asked) for each in RUNGS] == [9, 3, 1]
    assert "the budget ended before it was tried further" not in {trial.reason for trial in trials.all()}


def test_what_is_refused_costs_nothing(in_memory: InMemory) -> None:
    """A budget of trainings is spent on what is not trained, or a search that can train nothing never ends."""
    trials, trainer = in_memory(), Trainer(refuses="16")
    search(trials, trainer, trainings=150)
    refused = [trial for trial in trials.all() if trial.state is State.failed]
    assert refused and 150 <= sum(rung.trainings for _, rung in trainer.asked) < 150 + RUNGS[-1].trainings
    told: list[str] = []
    space = Space({"units": Options(("16",)), "rate": Between(0.001, 0.1)}, {})
    search(in_memory(space), Trainer(refuses="16"), trainings=1, told=told)
    assert told[-1] == "the last 3 rounds had nothing new that can be trained: the search ends"


def test_a_trial_whose_process_died_while_it_was_drawn_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planned start is never tried, a trial runs for ever, or one that lacks a key ends the report."""
    start = {"units": "16", "rate": "0.01"}
    place = place_in_file(tmp_path / "search.db")
    dying = open_trials(place, "name", SPACE, "gone", 1, resume=False, starts=[start])
    storage, asked = dying.study._storage, 0

    def die(*arguments: Any) -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise SystemExit
        set_param(*arguments)

    set_param = storage.set_trial_param
    monkeypatch.setattr(storage, "set_trial_param", die)
    with pytest.raises(SystemExit):
        dying.ask(1)
    trials = open_file(tmp_path, "me", resume=True)
    assert not trials.adopt(lambda owner: owner == "gone") and not trials.all()
    (first, _) = trials.ask(2)
    assert first.values == start
    assert {each.state.name for each in trials.study.get_trials()} == {"FAIL", "RUNNING"}
