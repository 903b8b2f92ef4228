"""Which runs a command is about: the keys of its command line, and the runs they stand for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.base.errors import UserError
from pipeline.base.paths import check_folder
from pipeline.base.record import LoggedRun
from pipeline.base.terminal import say
from pipeline.command.arguments import option, store_option
from pipeline.config.schema import TrackingConfig

if TYPE_CHECKING:
    from pipeline.tracking.store import Store


@dataclass(frozen=True)
class Selection:
    """The keys that choose runs and say where the answer goes; a command adds its own."""

    sweep: str = option(
        "latest", "The runs of a sweep: the newest one, or the one with this run id.", shown="latest|ID"
    )
    experiment: str | None = option(
        None, "All finished runs of an MLflow experiment, instead of a sweep.", shown="NAME"
    )
    runs: tuple[str, ...] = option((), "These runs, instead of a sweep.", shown="[ID,ID,...]")
    where: tuple[str, ...] = option(
        (), "Of the runs, only those with these values; dataset_sha256=START works as well.", shown="[KEY=VALUE,...]"
    )
    output: Path | None = option(None, "A file for the answer. Default: the screen.")
    uri: str | None = store_option()
    experiment_name: str = option(
        TrackingConfig.experiment_name,
        "The MLflow experiment in which sweep=latest looks.",
        name="tracking.experiment_name",
        shown="NAME",
    )


def check_selection(chosen: Selection) -> None:
    """Refuse two ways to choose runs at once, and an answer that could not be written.

    Raises:
        UserError: Naming both ways, or the folder.
    """
    given = [f"experiment={chosen.experiment}"] if chosen.experiment is not None else []
    given += ["runs=[...]"] if chosen.runs else []
    given += [f"sweep={chosen.sweep}"] if chosen.sweep != Selection.sweep else []
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} are given; choose one of sweep, experiment and runs")
    if chosen.output is not None:
        check_folder("output", chosen.output)


def select_runs(chosen: Selection) -> tuple["Store", Sequence[LoggedRun], str]:
    """Find the runs.

    Returns:
        The store, the runs in it, before `where` chooses among them, and what was chosen in words.

    Raises:
        UserError: If there is no such store, sweep, experiment or run.
    """
    from pipeline.tracking.past import LATEST, experiment_runs, find_sweep, named_runs, sweep_runs
    from pipeline.tracking.store import find_store

    tracking = TrackingConfig(uri=chosen.uri)
    if chosen.runs:
        store = find_store(tracking, None)
        return store, named_runs(store, chosen.runs), f"runs=[{','.join(chosen.runs)}]"
    if chosen.experiment is not None:
        store = find_store(tracking, chosen.experiment)
        return store, experiment_runs(store), f"experiment={chosen.experiment}"
    store = find_store(tracking, chosen.experiment_name if chosen.sweep == LATEST else None)
    sweep = find_sweep(store, chosen.sweep)
    return store, sweep_runs(store, sweep.run_id, say), f"sweep={sweep.run_id} ({sweep.name})"
