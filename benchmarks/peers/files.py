"""What a contender is asked for and where its answer goes; both environments have what this needs."""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.peers.sets import SETS, find_test_start


def make_parser(manual: str | None, contenders: Iterable[str]) -> argparse.ArgumentParser:
    """Return a parser of CONTENDER SET HORIZON FOLDER."""
    parser = argparse.ArgumentParser(description=manual, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contender", choices=list(contenders))
    parser.add_argument("name", choices=SETS)
    parser.add_argument("horizon", type=int)
    parser.add_argument("folder", type=Path)
    return parser


def read_set(folder: Path, name: str) -> pd.DataFrame:
    """Return a set, one row per time step and one column per series."""
    return pd.read_csv(folder / "sets" / f"{name}.csv", index_col="step")


def forecast_file(folder: Path, name: str, horizon: int, contender: str) -> Path:
    """Return where the forecasts of the test part are."""
    return folder / "forecasts" / f"{name}-{horizon}-{contender}.csv"


def write_forecast(path: Path, values: pd.DataFrame, found: np.ndarray) -> None:
    """Write the forecasts of the test part. Shape (test, series)."""
    index = values.index[find_test_start(len(values)) :]
    pd.DataFrame(found, index=index, columns=values.columns).to_csv(path)
