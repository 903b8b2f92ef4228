"""The report of a search: read the champion's forecast back, ask which keys decided, write the page, log it."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from pipeline.base.salvage import Salvage
from pipeline.base.text import show_number
from pipeline.experiment.sweep_report import FOLDER, read_parts
from pipeline.report.figures.coordinates import MOST_LINES, Coordinate
from pipeline.report.page.search import SearchFacts, TrialRow, write_search_report
from pipeline.searching.halving import RUNGS
from pipeline.searching.result import Result
from pipeline.searching.space import Between, Options, Space
from pipeline.searching.trials import State, Trial

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

_FEWEST = 8  # trials from which on the importance of keys is worth a look


def report_search(
    store: "Store", parent_run_id: str, result: Result, space: Space, trials: Sequence[Trial], words: Sequence[str],
    salvage: Salvage,
) -> None:  # fmt: skip
    """Write the report of a search and log it, page and figures, on its own run.

    Args:
        store: Where the search is.
        parent_run_id: Its run.
        result: What it found.
        space: What it chose from.
        trials: All of them.
        words: The command line.
        salvage: Keeps the page when one of its figures cannot be drawn.
    """
    from pipeline.tracking.artifacts import log_folder
    from pipeline.tracking.past import named_runs

    (part,) = read_parts(store, named_runs(store, [result.champion.record.run_id]))
    importance: dict[str, float] = {}
    with salvage.attempt("the importance of the keys"):
        importance = weigh_keys(space, trials)
    facts = SearchFacts(
        document=part.document,
        forecast=None if part.forecast is None else replace(part.forecast, name="the champion"),
        sentences=[*result.sentences(), *(f"Of the champion {sentence}." for sentence in part.sure)],
        trials=list_rows(trials),
        last=len(RUNGS),
        naive=result.persistence,
        importance=importance,
        coordinates=list_coordinates(
            space, trials, result.champion.trial.number, f"{part.document.dataset.measure.label}, first rung"
        ),
        command=words,
    )
    with TemporaryDirectory() as folder:
        write_search_report(Path(folder), facts, salvage)
        log_folder(store, parent_run_id, Path(folder), FOLDER)


def weigh_keys(space: Space, trials: Sequence[Trial]) -> dict[str, float]:
    """Return which share of the differences between trials each key explains; empty with too few trials.

    Looked at is the logarithm of the score on the first rung, which every trial has that could be trained.

    Source: Hutter, Hoos and Leyton-Brown, "An efficient approach for assessing hyperparameter importance", 2014; as
    Optuna computes it.
    """
    scored = [trial for trial in trials if trial.scores and trial.scores[0] > 0]
    if len(scored) < _FEWEST or len(space.axes) < 2 or len({trial.scores[0] for trial in scored}) < 2:
        return {}
    from pipeline.searching.trials import distribution_of

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn and Optuna, about their own next versions
        import optuna

        study = optuna.create_study()
        for trial in scored:
            study.add_trial(
                optuna.trial.create_trial(
                    params={key: _value(space, key, trial.values[key]) for key in space.axes},
                    distributions={key: distribution_of(axis) for key, axis in space.axes.items()},
                    value=math.log(trial.scores[0]),
                )
            )
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=1)
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _value(space: Space, key: str, text: str) -> str | float | int:
    axis = space.axes[key]
    if isinstance(axis, Options):
        return text
    assert isinstance(axis, Between)
    return int(text) if axis.whole else float(text)


def list_coordinates(space: Space, trials: Sequence[Trial], champion: int, score: str) -> list[Coordinate]:
    """Return what was chosen of each key, and last the score on the first rung; empty with too few trials.

    Args:
        space: What was chosen from.
        trials: All of them.
        champion: Number of the one that is listed first.
        score: What the score is called.
    """
    scored = sorted((trial for trial in trials if trial.scores), key=lambda trial: trial.scores[0])
    if len(scored) < 2:
        return []
    few = np.linspace(0, len(scored) - 1, min(len(scored), MOST_LINES)).round().astype(int)
    drawn = [scored[place] for place in few]
    best = [trial for trial in scored if trial.number == champion]
    drawn = [*best, *(trial for trial in drawn if trial.number != champion)][:MOST_LINES]
    found = []
    for key, axis in space.axes.items():
        if isinstance(axis, Options):
            options = _in_order(axis.texts)
            places = [options.index(trial.values[key]) for trial in drawn]
            found.append(Coordinate(key, np.array(places), options))
        else:
            numbers = np.array([float(trial.values[key]) for trial in drawn])
            found.append(Coordinate(key, numbers, (), axis.low, axis.high, axis.log))
    scores = np.array([trial.scores[0] for trial in drawn])
    low, high = float(scores.min()), float(scores.max())
    return [*found, Coordinate(score, scores, (), low, high, low > 0 and high > 4 * low)]


def _in_order(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return numbers by their size, and anything else as the space has it."""
    try:
        return tuple(sorted(texts, key=float))
    except ValueError:
        return texts


def list_rows(trials: Sequence[Trial]) -> list[TrialRow]:
    """Return the trials as the page shows them, those that got furthest first."""

    def rank(trial: Trial) -> tuple[int, float]:
        return -len(trial.scores), trial.score if trial.scores else math.inf

    return [
        TrialRow(
            number=trial.number,
            values={key: _short(text) for key, text in trial.values.items()},
            score=trial.score if trial.scores else None,
            rung=len(trial.scores),
            state=trial.state.value + (f": {trial.reason.splitlines()[0]}" if trial.state is State.failed else ""),
        )
        for trial in sorted(trials, key=rank)
    ]


def _short(text: str) -> str:
    try:
        return show_number(float(text)) if len(text) > 6 else text
    except ValueError:
        return text
