"""The two files of a run that say how it reads and scales: config.yaml, and scaling.json for who rebuilds it."""

import json
from pathlib import Path
from typing import Any

from pipeline.base.text import hide_password
from pipeline.config.schema import Config, plain_config, without_references
from pipeline.data.prepared import PreparedData

CONFIG_NAME = "config.yaml"
SCALING_NAME = "scaling.json"
ALL_ROWS_SCALING = "scaling_all_rows.json"  # with training.all_rows: fitted on all rows


def write_config(folder: Path, config: Config) -> None:
    """Write config.yaml, from which the run can be repeated; a rebuilt run is not part of the sweep."""
    from omegaconf import OmegaConf

    logged = plain_config(config)
    uri = config.tracking.uri
    shown = uri if uri is None else hide_password(uri)  # whoever reads the files of a run may not know it
    logged["tracking"] |= {"parent_run_id": None, "sweep_keys": [], "uri": shown}
    text = OmegaConf.to_yaml(OmegaConf.create(without_references(logged)))
    (folder / CONFIG_NAME).write_text(text, encoding="utf-8")


def write_scaling(folder: Path, config: Config, data: PreparedData, name: str = SCALING_NAME) -> None:
    """Write scaling.json, or another file like it: `describe_scaling`."""
    text = json.dumps(describe_scaling(config, data), indent=2) + "\n"
    (folder / name).write_text(text, encoding="utf-8")


def describe_scaling(config: Config, data: PreparedData) -> dict[str, Any]:
    """Return what a client of the served model needs: scaled = (transformed - offset) / scale, per column.

    With dataset.scaler_per_lane, `lanes` has the columns of each lane in place of `columns`.
    """
    each = [
        {
            name: {"offset": float(offset), "scale": float(scale)}
            for name, offset, scale in zip(data.series.columns, offsets, scales, strict=True)
        }
        for offsets, scales in zip(data.scaling.offset, data.scaling.scale, strict=True)
    ]
    per_lane = config.dataset.scaler_per_lane
    return {
        "features": list(data.series.features),
        "targets": list(data.series.targets),
        "transforms": [step.value for step in config.dataset.transforms],
        "period": config.dataset.period,
        "look_back": config.look_back,
        "horizon_steps": list(data.windows.spec.horizon_steps),
        "lags_as": config.dataset.lags_as.value,
        "stateful": config.stateful,
        **({"step": data.series.step} if data.series.step else {}),  # how timestamps go on
        **({"lanes": dict(zip(data.series.series_ids, each, strict=True))} if per_lane else {"columns": each[0]}),
    }
