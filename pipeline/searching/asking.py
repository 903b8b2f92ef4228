"""What a search asks for, of the workers of launcher= or of this process: scores of trials, and the final runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.base.record import RunRecord
from pipeline.config.schema import Config
from pipeline.data.series import Series
from pipeline.launching.answers import name_dataset, read_error
from pipeline.launching.batches import cut_batches
from pipeline.launching.launch import open_asked
from pipeline.launching.workers import Asked
from pipeline.searching import work
from pipeline.searching.halving import BRACKET, Rung
from pipeline.searching.loop import Outcome

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

Score = Callable[[Sequence[Sequence[Config]], Rung], Iterator[Sequence[Outcome]]]


@contextmanager
def open_trials_work(base: Config, shared: Config, series: Series, store: "Store") -> Iterator[Score]:
    """Give what scores groups of configurations, see `pipeline.searching.evaluate.Evaluator`.

    Args:
        base: What the series was read for.
        shared: The same, with what all trials share.
        series: The whole series.
        store: Where the search is recorded.
    """
    with open_asked(shared, BRACKET, work.__name__, store, {name_dataset(base.dataset): series}) as asked:
        yield lambda groups, rung: score_groups(asked, base, shared, groups, rung)


def score_groups(
    asked: Asked, base: Config, shared: Config, groups: Sequence[Sequence[Config]], rung: Rung
) -> Iterator[Sequence[Outcome]]:
    """Yield the outcomes of each group, in their order: a budget that ends between two ends there with any launcher."""
    configs = [config for group in groups for config in group]
    batches = cut_batches(configs, asked.number)
    tasks = [
        work.write_trials(number, base, shared, [configs[place] for place in batch], rung)
        for number, batch in enumerate(batches)
    ]
    answers = asked.ask([[task] for task in tasks])
    found: dict[int, Outcome] = {}
    first = 0
    for group in groups:
        places = range(first, first + len(group))
        first += len(group)
        while not found.keys() >= set(places):
            answer = next(answers)
            batch = batches[answer["place"]]
            found |= dict(zip(batch, _read_outcomes(answer, len(batch)), strict=True))
        yield [found[place] for place in places]


def _read_outcomes(answer: Mapping[str, Any], number: int) -> list[Outcome]:
    if (error := read_error(answer)) is not None:
        return [Outcome(failure=str(error))] * number
    return [Outcome(**{**each, "folds": tuple(each["folds"])}) for each in answer["outcomes"]]


@dataclass(frozen=True)
class Finals:
    """Trains the champion and its refit.

    Attributes:
        base: What the series was read for.
        store: Where the runs are recorded.
        asked: Trains them, one at a time.
    """

    base: Config
    store: "Store"
    asked: Asked

    def train(self, config: Config, epochs: int | None = None) -> RunRecord:
        """Train a configuration, or for so many epochs its refit, and read the run from MLflow.

        Raises:
            PipelineError: If it failed.
        """
        from pipeline.tracking.past import named_runs

        config = replace(config, tracking=replace(config.tracking, uri=self.store.uri))
        (answer,) = self.asked.ask([[work.write_final(self.base, config, epochs)]])
        if (error := read_error(answer)) is not None:
            raise error
        (run,) = named_runs(self.store, [answer["run_id"]])
        return run.record


@contextmanager
def open_finals(base: Config, shared: Config, series: Series, store: "Store") -> Iterator[Finals]:
    """Give what trains the champion and its refit: one worker, which has all cores.

    Args:
        base: What the series was read for.
        shared: The same, with what all trials share, and the seeds of the champion.
        series: The whole series.
        store: Where the search is recorded.
    """
    with open_asked(shared, 1, work.__name__, store, {name_dataset(base.dataset): series}) as asked:
        yield Finals(base, store, asked)
