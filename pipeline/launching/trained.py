"""A training as another process reads it: JSON, and a npz of plain arrays, in which nothing can be executed."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.schema import Engine
from pipeline.training.record import Certificate, SeedTraining, Training


def write_training(training: Training, best: int, certificate: Certificate | str, file: Path) -> dict[str, Any]:
    """Write the arrays of a training into a file, and return all else.

    Args:
        training: Of a job.
        best: Its best seed.
        certificate: Of that, or why there is none.
        file: Is made.
    """
    arrays = {"forecasts": training.forecasts}
    for number, seed in enumerate(training.seeds):
        arrays |= {f"weight_{number}_{place}": np.asarray(weight) for place, weight in enumerate(seed.weights)}
    with file.open("wb") as opened:
        np.savez(opened, allow_pickle=False, **arrays)
    return {
        "file": str(file),
        "engine": training.engine.value,
        "reason": training.reason,
        "device": training.device,
        "fit_seconds": training.fit_seconds,
        "seeds": [asdict(replace(seed, weights=[])) | {"weights": len(seed.weights)} for seed in training.seeds],
        "best": best,
        "certificate": certificate if isinstance(certificate, str) else asdict(certificate),
    }


def read_training(written: Mapping[str, Any]) -> tuple[Training, int, Certificate | str]:
    """Read what `write_training` wrote, and remove its file; return the best seed and its certificate, too."""
    file = Path(written["file"])
    with np.load(file, allow_pickle=False) as arrays:
        seeds = [
            SeedTraining(**each | {"weights": [arrays[f"weight_{number}_{place}"] for place in range(each["weights"])]})
            for number, each in enumerate(written["seeds"])
        ]
        forecasts = arrays["forecasts"]
    file.unlink()
    engine, certificate = Engine(written["engine"]), written["certificate"]
    training = Training(engine, written["reason"], written["device"], seeds, forecasts, written["fit_seconds"])
    return training, written["best"], certificate if isinstance(certificate, str) else Certificate(**certificate)
