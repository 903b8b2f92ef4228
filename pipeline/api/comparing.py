"""Compare runs: which are better than others, on which evidence."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pipeline.api.records import Run, Runs
from pipeline.base.document import Document
from pipeline.base.errors import UserError
from pipeline.base.terminal import say
from pipeline.config.schema import TrackingConfig

_WIDTH = 110  # columns of the text


@dataclass(frozen=True)
class Comparison:
    """What runs support.

    Attributes:
        document: All of it as typed values: configurations, axes, baselines, sentences.
    """

    document: Document = field(repr=False)

    @property
    def verdict(self) -> str:
        """What follows, in a few sentences."""
        return " ".join(self.document.verdict)

    def table(self) -> pd.DataFrame:
        """Return one row per configuration, the best validation score first, those that did not finish last.

        Columns: the keys in which they differ, `seeds`, `validation_rmse_mean` and the like, and how each compares with
        the best: `difference`, `difference_low`, `difference_high`, `p_holm`, `evidence`, `sentence`.
        """
        from pipeline.comparison.formats import write_csv

        return pd.read_csv(io.StringIO(write_csv(self.document)))

    def __str__(self) -> str:
        """Return what `python -m pipeline.compare` prints."""
        from pipeline.report.terminal.comparison import print_comparison
        from pipeline.report.terminal.console import PlainConsole

        lines = io.StringIO()
        print_comparison(self.document, PlainConsole(file=lines, width=_WIDTH, force_terminal=False))
        return lines.getvalue()

    def _repr_html_(self) -> Any:
        return f"<p>{self.verdict}</p>{self.table().to_html(index=False)}"


def compare(
    runs: Runs | Sequence[Run | str] | str = "latest",
    by: Sequence[str] = (),
    where: Sequence[str] = (),
    tell: Callable[[str], None] | None = None,
) -> Comparison:
    """Compare every finished run with the best one by validation, with the baselines, and along every swept key.

    Args:
        runs: What `sweep` gave; or runs and ids of runs; or the id of a sweep, or `latest`: the newest one.
        by: Keys to group by; what they leave out is averaged over. Empty: every key in which the runs differ.
        where: Only runs with these values: `["horizon=1"]`.
        tell: Told of each run that is left out because its files are damaged; None refuses such a run.

    Raises:
        UserError: If no run finished, or they were not scored on the same values.
    """
    from pipeline.comparison.runs import compare_runs, keep_where

    chosen = runs if isinstance(runs, Runs) else _find_runs(runs)
    kept = keep_where(chosen.logged, where)
    return Comparison(compare_runs(chosen.store, kept, by, chosen.selection, tell))


def _find_runs(runs: Sequence[Run | str] | str) -> Runs:
    from pipeline.tracking.past import LATEST, find_sweep, named_runs, sweep_runs
    from pipeline.tracking.store import find_store

    tracking = TrackingConfig()
    if isinstance(runs, str):
        store = find_store(tracking, tracking.experiment_name if runs == LATEST else None)
        found = find_sweep(store, runs)
        return Runs(sweep_runs(store, found.run_id, say), store, f"sweep={found.run_id} ({found.name})")
    if not runs:
        raise UserError("there is no run to compare; give runs, or the id of a sweep")
    stores = [run.store for run in runs if isinstance(run, Run)]
    ids = [run.run_id if isinstance(run, Run) else run for run in runs]
    store = stores[0] if stores else find_store(tracking, None)
    return Runs(named_runs(store, ids), store, f"runs=[{','.join(ids)}]")
