"""Settings in, typed configurations out: the grammar and the checks are those of the command line."""

import shlex
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore

from pipeline.base.environment import prepare_environment
from pipeline.base.errors import UserError
from pipeline.base.terminal import say
from pipeline.base.text import show_setting
from pipeline.config.schema import Config
from pipeline.experiment.jobs import Plan, plan_jobs

if TYPE_CHECKING:
    import pandas as pd

_FRAME = "dataset=frame"
_OF_COMMANDS = ("hydra/", "hydra.")  # launchers, sweepers and folders of logs


def compose(*settings: str, data: "pd.DataFrame | None" = None) -> Config:
    """Return the configuration that settings make, checked as the command line checks it, and with its data.

    Args:
        settings: As on the command line, for example `"look_back=3", "model=gru"`.
        data: A table to train on instead of a configured dataset: one row per time step, dates in the index or in a
            column.

    Raises:
        UserError: If a key is unknown, a value out of range, or configuration and data do not go together.

    Example:
        >>> compose("look_back=6", "model=gru").model.cell.value
        'gru'
    """
    plan = plan_settings(settings, data, multirun=False)
    if plan.is_sweep:
        raise UserError(f"{' '.join(settings)} make a sweep; give them to sweep(...)")
    return plan.jobs[0]


def plan_settings(settings: Sequence[str], data: "pd.DataFrame | None", multirun: bool) -> Plan:
    """Return the jobs that settings make, each checked.

    Raises:
        UserError: As `compose`.
    """
    prepare_environment()
    ConfigStore.instance().store(name="base_config", node=Config)
    for setting in settings:
        if setting.lstrip("+~").startswith(_OF_COMMANDS):
            raise UserError(
                f"{setting}: launchers and sweepers are for the command python -m pipeline.run {setting}; what chooses "
                "values as it goes is python -m pipeline.search"
            )
    arguments = Namespace(
        overrides=name_table(settings, data), multirun=multirun, config_path=None, config_dir=None, config_name=None
    )
    return plan_jobs(arguments, say, data)


def name_table(settings: Sequence[str], data: "pd.DataFrame | None") -> list[str]:
    """Return the settings with those that a table needs in front: its dataset, and where its dates are.

    Raises:
        UserError: If the settings name a dataset of their own.
    """
    if data is None:
        return list(settings)
    if (dataset := next((each for each in settings if each.startswith("dataset=")), None)) not in (None, _FRAME):
        raise UserError(f"data=frame is the dataset, but {dataset} names another one; leave one of them out")
    from pipeline.data.frames import find_time_column, tidy_frame

    time = find_time_column(tidy_frame(data))
    of_time = shlex.split(show_setting("dataset.time_column", time)) if time is not None else []
    return [_FRAME, *of_time, *(each for each in settings if each != _FRAME)]
