"""A finished run that is put to work: the keys that choose it, and its best seed, found and loaded."""

from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.command.arguments import option, store_option
from pipeline.config.schema import TrackingConfig

if TYPE_CHECKING:
    from pipeline.serving.model import ServedModel

FUTURE = (
    "A file of the rows after the run's data, with its time column and the columns of dataset.future, which are known "
    "ahead; by default the rows of its own file whose targets are empty."
)


@dataclass(frozen=True, kw_only=True)
class ServedRun:
    """The keys that choose a run; a command adds its own."""

    run: str = option(
        MISSING,
        "The run whose best seed forecasts: its id in MLflow, best, latest, or champion (of pipeline.search).",
        shown="RUN_ID|best|latest|champion",
    )
    uri: str | None = store_option()
    experiment: str = option(
        TrackingConfig.experiment_name, "MLflow experiment of the runs.", name="tracking.experiment_name"
    )


def fetch_model(chosen: ServedRun, seed: int | None = None, future: Path | None = None) -> "ServedModel":
    """Find a run of a series and load a seed of it, by default the best; which one `best` and `latest` mean is told.

    Raises:
        UserError: If there is no such run or seed, or it cannot be served.
    """
    from pipeline.api.forecasting import open_model

    tracking = TrackingConfig(uri=chosen.uri, experiment_name=chosen.experiment)
    return open_model(chosen.run, tracking, seed, of_text=False, future=future)


def find_served(chosen: ServedRun, told: bool = True) -> str:
    """Return the id of the run of a series that is meant at this moment; which one that is may be told.

    Raises:
        UserError: If there is none.
    """
    from pipeline.api.forecasting import find_run

    tracking = TrackingConfig(uri=chosen.uri, experiment_name=chosen.experiment)
    return find_run(chosen.run, tracking, of_text=False, told=told)[1]
