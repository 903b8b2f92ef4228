"""Finished runs as a notebook has them: typed records, tables as DataFrames, figures of matplotlib."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.record import LoggedRun, RunRecord, Status
from pipeline.base.text import show_number, suggest
from pipeline.baselines.registry import list_baselines
from pipeline.comparison.document import typed_parameters
from pipeline.config.keys import COLUMNS, MAIN_KEYS, varying_keys

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pipeline.tracking.store import Store


@dataclass(frozen=True, repr=False)
class Run:
    """One configuration, trained with all its seeds.

    Attributes:
        record: Its id, status, parameters and metrics.
        store: Where it is recorded.
        data: The table that it was trained on; None if a dataset of the configuration was.
    """

    record: RunRecord
    store: "Store"
    data: pd.DataFrame | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        """Return id, status and scores: parameters and metrics would fill a screen."""
        scored = self.status is Status.finished
        scores = [f"{part}={show_number(self.score(part))}" for part in ("validation", "test")] if scored else []
        told = ", ".join([f"run_id='{self.run_id}'", f"status={self.status.value}", *scores])
        return f"{type(self).__name__}({told})"

    @property
    def run_id(self) -> str:
        """Its id in MLflow."""
        return self.record.run_id

    @property
    def params(self) -> Mapping[str, str]:
        """The keys of its configuration, dotted, with their values as MLflow has them."""
        return self.record.params

    @property
    def metrics(self) -> Mapping[str, float]:
        """Final metrics by MLflow name."""
        return self.record.metrics

    @property
    def status(self) -> Status:
        """How it ended."""
        return self.record.status

    def score(self, part: str = "test") -> float:
        """Return the mean over seeds of what it is judged by, on `validation` or `test`."""
        return self.record.score(part)

    def predictions(self) -> pd.DataFrame:
        """Return every forecast: one row per timestamp, target and step ahead, one column per seed, in own units."""
        return self._read("predictions.csv")

    def seeds(self) -> pd.DataFrame:
        """Return one row per seed, with its scores."""
        return self._read("seeds.csv")

    def _read(self, name: str) -> pd.DataFrame:
        from pipeline.tracking.past import fetch_files

        with tempfile.TemporaryDirectory() as folder:
            fetch_files(self.store, self.run_id, (name,), Path(folder))
            return pd.read_csv(Path(folder) / name)


@dataclass(frozen=True)
class Runs:
    """Runs that belong together, for example those of a sweep.

    Attributes:
        logged: What MLflow has of each.
        store: Where they are recorded.
        selection: Which they are, in words.
        data: The table that they were trained on; None if a dataset of the configuration was.
    """

    logged: Sequence[LoggedRun]
    store: "Store" = field(repr=False)
    selection: str = ""
    data: pd.DataFrame | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.logged)

    def __iter__(self) -> Iterator[Run]:
        """Go through the runs, in the order in which they were trained."""
        return (Run(run.record, self.store, self.data) for run in self.logged)

    def __getitem__(self, number: int) -> Run:
        """Return one run, counted in the order in which they were trained."""
        return list(self)[number]

    def __str__(self) -> str:
        """Return the table as text."""
        return self.table().to_string(index=False)

    def _repr_html_(self) -> Any:
        return self.table().to_html(index=False)

    @property
    def best(self) -> Run:
        """The run with the best validation score: never chosen by the test.

        Raises:
            UserError: If none finished.
        """
        finished = self.trained()
        if not finished:
            raise UserError(f"none of the {len(self)} runs {self.selection} finished")
        return finished[0]

    def trained(self) -> list[Run]:
        """Return the runs that finished, the best validation score first."""
        finished = [run for run in self if run.status is Status.finished]
        return sorted(finished, key=lambda run: run.record.measure.rank(run.score("validation")))

    def table(self) -> pd.DataFrame:
        """Return one row per run, the best validation score first, runs that did not finish last.

        Columns: the keys in which the runs differ, `status`, scores by their metric names, `fit_seconds`, `run_id`.
        """
        keys = varying_keys([run.params for run in self], COLUMNS) or list(MAIN_KEYS)
        rows = [
            typed_parameters({key: run.params.get(key, "-") for key in keys})
            | {"status": run.status.value}
            | {name: run.metrics.get(name) for name in self._columns()}
            | {"run_id": run.run_id}
            for run in self
        ]
        table = pd.DataFrame(rows)
        order = [name for name in self._columns() if name.startswith("validation_")][:1]
        ascending = self.logged[0].record.measure.lower_is_better
        return table.sort_values(order, ascending=ascending, na_position="last", kind="stable", ignore_index=True)

    def figures(self) -> dict[str, "Figure"]:
        """Return the figures of the report by name: cost, learning_curves, forecast, and map with two axes or more.

        With runs that were scored on different values, for example two horizons, each group has its own: `1_cost`.
        """
        from pipeline.report.page.sweep import draw_figures

        prefixed = len(self._parts) > 1
        return {
            f"{number}_{name}" if prefixed else name: figure
            for number, part in enumerate(self._parts, start=1)
            for name, figure in draw_figures(part).items()
        }

    def figure(self, name: str) -> "Figure":
        """Return one figure, for example `cost`.

        Raises:
            UserError: If there is none of this name; the text says which there are.
        """
        figures = self.figures()
        if name not in figures:
            there = f"there are {', '.join(figures)}"
            raise UserError(f"unknown figure '{name}'; {suggest(name, list(figures), there)}")
        return figures[name]

    @cached_property
    def _parts(self) -> list[Any]:
        from pipeline.experiment.sweep_report import read_parts

        return read_parts(self.store, self.logged)

    def _columns(self) -> list[str]:
        """Return the metrics of the table that a finished run has."""
        finished = [run.record for run in self if run.status is Status.finished]
        measure = (finished or [run.record for run in self])[0].measure
        test = measure.of("test")
        names = [measure.of("validation"), test, f"{test}_std", "test_mae", "test_mase", "test_bits_per_character"]
        known = {name for record in finished for name in record.metrics} | {names[0]}
        return [
            name for name in (*names, *(f"skill_{each}" for each in list_baselines()), "fit_seconds") if name in known
        ]
