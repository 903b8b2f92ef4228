"""The story of `compare champion`: two runs forecast the rows that arrived since, and a document says who is better."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.base.errors import UserError
from pipeline.base.moments import standard_deviation
from pipeline.base.newer import NewerCoverage, NewerDocument, NewerRun, NewerScore
from pipeline.base.record import LoggedRun, TestErrors
from pipeline.base.text import show_time
from pipeline.comparison.challenge import CHALLENGER, CHAMPION, Challenge, weigh
from pipeline.comparison.intervals import bootstrap_differences
from pipeline.comparison.significance import diebold_mariano, loss_series
from pipeline.data.series import plain_times
from pipeline.evaluation.intervals import name_level, show_percent
from pipeline.evaluation.metrics import score_errors
from pipeline.models.heads.point import POINT
from pipeline.serving.follow import NAIVE, Followed, cover_followed, find_head, measure_followed
from pipeline.studies.newer import follow_since, own_file
from pipeline.studies.rescoring import name_runs

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

Array = np.ndarray


@dataclass(frozen=True)
class Challenged:
    """Both runs on the rows that arrived since: the challenger first, the champion second.

    Attributes:
        followed: What they forecast.
        found: What that says.
    """

    followed: tuple[Followed, Followed]
    found: Challenge


def challenge_since(store: "Store", challenger: str, champion: str, given: Path | None) -> Challenged:
    """Compare two runs on the rows that arrived since both ended, with every seed that is kept.

    Args:
        store: Where they are.
        challenger: Id of the run that may be better.
        champion: Id of the run that is there.
        given: A file of rows; None: the challenger's own, which has grown.

    Raises:
        UserError: If one cannot be served, they do not forecast the same, or there is no such row.
    """
    source = own_file(store, challenger) if given is None else given
    if not source.exists():
        raise UserError(f"data={source} is not a file that can be read from {Path.cwd()}; check the path")
    mine, theirs = (
        _follow(store, run_id, name, source) for run_id, name in ((challenger, CHALLENGER), (champion, CHAMPION))
    )
    head = find_head([mine, theirs])
    errors, others = measure_followed([mine, theirs])
    found = weigh(head, head.measure(len(mine.truth.targets)), errors, others, arrived_since=True)
    return Challenged((mine, theirs), found)


def _follow(store: "Store", run_id: str, name: str, source: Path) -> Followed:
    try:
        return follow_since(store, run_id, source)
    except UserError as error:
        raise UserError(f"the {name}, run {run_id}: {error}") from error


def compare_since(store: "Store", challenger: LoggedRun, champion: LoggedRun, given: Path | None) -> NewerDocument:
    """Compare two runs on the rows that arrived since both ended; for the arguments see `challenge_since`.

    Raises:
        UserError: If one cannot be served, they do not forecast the same, or there is no such row.
    """
    runs = {CHALLENGER: challenger, CHAMPION: champion}
    challenged = challenge_since(store, challenger.record.run_id, champion.record.run_id, given)
    found, both = challenged.found, dict(zip(runs, challenged.followed, strict=True))
    points = dict(zip(runs, measure_followed(challenged.followed, head=POINT), strict=True))
    end = max(each.end for each in both.values())
    labels = dict(zip(runs, name_runs(list(runs.values())), strict=True))
    told = {
        name: NewerRun(
            run=run.record.run_id,
            label=labels[name],
            seeds=both[name].seeds,
            end=_last(both[name]),
            score=found.score if name == CHALLENGER else found.other,
        )
        for name, run in runs.items()
    }
    coverage = tuple(
        NewerCoverage(name, each.level, each.share, each.low, each.high)
        for name, followed in both.items()
        for each in cover_followed(followed, end)
    )
    return NewerDocument(
        challenger=told[CHALLENGER],
        champion=told[CHAMPION],
        span=found.span,
        timestamps=found.timestamps,
        unit=challenger.record.params.get("dataset.unit", ""),
        measure=found.label,
        p=_known(found.p),
        p_seeds=_known(found.p_seeds),
        verdict=found.verdict,
        scores=tuple(_list_scores(both[CHALLENGER], points)),
        coverage=coverage,
        sentences=(
            found.state_verdict(),
            *_say_coverage(coverage),
            *_say_left_out(both, points[CHALLENGER]),
            *([] if both[CHALLENGER].truth.head == both[CHAMPION].truth.head else [_OTHER_HEADS]),
            _EXPLAINED,
        ),
    )


_OTHER_HEADS = "Their heads are not the same, so only the points that they forecast are compared."
_EXPLAINED = (
    "Each forecast is the one that stream and serve give, row after row, of every seed. Difference: RMSE minus the "
    "champion's, its interval over the seeds. p: Diebold-Mariano test with the champion over the timestamps, each line "
    "by itself; the verdict is one test over all of them."
)


def _list_scores(followed: Followed, points: Mapping[str, TestErrors]) -> Iterator[NewerScore]:
    """Yield for each target and number of steps ahead the score of both runs and of baselines."""
    baselines = {name: points[CHALLENGER].baselines[name][None] for name in NAIVE}
    every = {name: each.errors for name, each in points.items()} | baselines  # (seeds, rows, steps, targets) each
    times = points[CHALLENGER].times
    for column, target in enumerate(followed.truth.targets):
        for place, ahead in enumerate(followed.steps):
            mine = {name: errors[:, :, [place]][..., [column]] for name, errors in every.items()}
            if np.isfinite(mine[CHAMPION]).any():
                yield from _score_line(mine, times, target, ahead)


def _score_line(errors: Mapping[str, Array], times: Array, target: str, ahead: int) -> Iterator[NewerScore]:
    known = {
        name: each for name, each in errors.items() if np.isfinite(each[:, np.isfinite(errors[CHAMPION][0])]).all()
    }
    scores = {name: score_errors(POINT, each, np.ones(1)) for name, each in known.items()}
    typical = np.array([float(scores[CHAMPION].mean()) or 1.0])
    losses = {name: loss_series(each, times, typical) for name, each in known.items()}
    others = [name for name in known if name != CHAMPION]
    tests = diebold_mariano(np.stack([losses[name] - losses[CHAMPION] for name in others]), ahead)
    intervals = bootstrap_differences([scores[name] for name in others], [scores[CHAMPION]] * len(others))
    p = dict(zip(others, tests.p.tolist(), strict=True))
    ends = dict(zip(others, intervals.tolist(), strict=True))
    for name, each in known.items():
        score, trained = scores[name], name in (CHALLENGER, CHAMPION)
        low, high = ends.get(name, (math.nan, math.nan))
        yield NewerScore(
            forecast=name,
            target=target,
            ahead=ahead,
            seeds=len(score) if trained else None,
            rmse=float(score.mean()),
            std=float(standard_deviation(score, ddof=1)) if len(score) > 1 else None,
            mae=float(np.nanmean(np.abs(each))),
            difference=None if name == CHAMPION else float(score.mean() - scores[CHAMPION].mean()),
            low=_known(low),
            high=_known(high),
            p=_known(p.get(name, math.nan)),
        )


def _say_coverage(coverage: Sequence[NewerCoverage]) -> Iterator[str]:
    for name in (CHALLENGER, CHAMPION):
        mine = [each for each in coverage if each.forecast == name]
        shares = ", ".join(
            f"{name_level(each.level)} % covers {show_percent(each.share)} % "
            f"({show_percent(each.low)} to {show_percent(each.high)})"
            for each in mine
        )
        if mine:
            yield f"Intervals of the {name} on these rows: {shares}"


def _say_left_out(both: Mapping[str, Followed], points: TestErrors) -> Iterator[str]:
    """Say which rows one run has seen and the other has not, and which values are not scored."""
    early, late = sorted(both, key=lambda name: both[name].end)
    between = both[early].rows_after(both[early].end)
    times = plain_times(both[early].timestamps[between])
    seen = len(np.unique(times[times <= both[late].end]))
    if seen:
        yield (
            f"Left out: {seen} timestamp(s) up to {_last(both[late])} belong to the data of the {late}; the {early}, "
            f"whose data end at {_last(both[early])}, reads them and is not scored on them"
        )
    missing = int(np.isnan(points.errors[0]).sum())
    if missing:
        yield (
            f"Left out: {missing} of {points.errors[0].size} values, which were filled in, or for which a run has no "
            "forecast"
        )
    for name, each in both.items():
        yield from (f"The {name}: {note}" for note in each.notes)


def _last(followed: Followed) -> str:
    return show_time(followed.timestamps[~followed.truth.parts["test"]].max())


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
