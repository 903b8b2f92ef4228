"""What MLflow loads a logged model with: `mlflow.pyfunc.load_model(...).predict(frame)`, `mlflow models serve`.

The model is three files of plain values (packed.py); this module is named beside them, and nothing is unpickled.
"""

from pathlib import Path

from pipeline.serving.frames import FrameForecaster
from pipeline.serving.packed import unpack_model


def _load_pyfunc(path: str) -> FrameForecaster:
    """Return what answers tables of raw rows with forecasts; MLflow calls this by its name."""
    return FrameForecaster(unpack_model(Path(path)))
