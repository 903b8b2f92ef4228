"""What MLflow loads a logged model with: `mlflow.pyfunc.load_model(...).predict(frame)`, `mlflow models serve`.

The model is a few files of plain values (packed.py); this module is named beside them, and nothing is unpickled.
"""

from pathlib import Path

import pandas as pd

from pipeline.serving.frames import FrameForecaster
from pipeline.serving.packed import unpack_model


class _PlainForecaster:
    """Answers tables as `FrameForecaster` does, with None instead of NaN: MLflow would write that into its JSON."""

    def __init__(self, forecaster: FrameForecaster) -> None:
        self._forecaster = forecaster

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """See `FrameForecaster.predict`."""
        answer = self._forecaster.predict(frame)
        gaps = [name for name in answer if answer[name].isna().any()]
        return answer.astype(dict.fromkeys(gaps, object)).where(answer.notna(), None)


def _load_pyfunc(path: str) -> _PlainForecaster:
    """Return what answers tables of raw rows with forecasts; MLflow calls this by its name."""
    return _PlainForecaster(FrameForecaster(unpack_model(Path(path))))
