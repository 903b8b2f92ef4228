"""Public holidays of countries and of their parts, by the package `holidays`, imported when one is asked for.

holiday:DE       an entry of dataset.calendar: what holds in all of Germany
holiday:DE-BY    in Bavaria
"""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np

from pipeline.base.text import show_name

PREFIX = "holiday:"


def explain_entry(entry: str) -> str | None:
    """Say in one line what is wrong with an entry such as holiday:DE-BY; None if nothing is.

    Example:
        >>> explain_entry("holiday:DE-BY"), explain_entry("holiday:Germany")
        (None, 'holiday:Germany names no country that is known; it may be DE (Germany) or GG (Guernsey)')
    """
    country, dash, part = entry.removeprefix(PREFIX).partition("-")
    parts = _find_parts()
    if country not in parts:
        return f"{show_name(entry)} names no country that is known; {_propose_countries(country, list(parts))}"
    if not dash or part in parts[country]:
        return None
    if not parts[country]:
        return f"{show_name(entry)} names a part of {country}, none of which is known; write {PREFIX}{country}"
    near = _near(part, parts[country], 3) or parts[country][:20]
    return (
        f"{show_name(entry)} names no part of {country} that is known; it may be "
        f"{_join([f'{country}-{each}' for each in near])}"
    )


def are_holidays(entry: str, days: np.ndarray) -> np.ndarray:
    """Return whether days are public holidays.

    Args:
        entry: Such as holiday:DE-BY, without fault.
        days: Local days, of type datetime64[D]. Shape (days,).

    Returns:
        Shape (days,), bool.
    """
    years = np.unique(days.astype("datetime64[Y]").astype(int) + 1970)
    known = [_days_of_year(entry, int(year)) for year in years]
    return np.isin(days, np.concatenate(known)) if known else np.zeros(len(days), dtype=bool)


def known_years(entry: str) -> tuple[int, int]:
    """Return the first and the last year of which the holidays are known."""
    country = _make_country(entry, [2000])
    return country.start_year, country.end_year


@cache
def _days_of_year(entry: str, year: int) -> np.ndarray:
    """Return the holidays of a year, also those that stand in for one of the year before or after it."""
    found = _make_country(entry, [year - 1, year, year + 1])
    return np.array([day for day in found if day.year == year], dtype="datetime64[D]")


def _make_country(entry: str, years: Sequence[int]) -> Any:
    from holidays import country_holidays

    country, _, part = entry.removeprefix(PREFIX).partition("-")
    return country_holidays(country, subdiv=part or None, years=years)


@cache
def _find_parts() -> dict[str, list[str]]:
    """Return the parts of each country, by its codes: DE and DEU."""
    from holidays import list_supported_countries

    return list_supported_countries(include_aliases=True)


def _propose_countries(given: str, codes: Sequence[str]) -> str:
    from holidays.registry import COUNTRIES

    names = {name.replace("_", " "): code for name, (_, code, *_) in COUNTRIES.items()}
    code = given.upper()
    near = [code] if code in codes else [names[name] for name in _near(given.lower().replace("_", " "), list(names), 3)]
    near = near or _near(code, [each for each in codes if len(each) == len(code)], 3) or ["DE", "US", "GB"]
    told = {code: name.title() for name, code in names.items()}
    return f"it may be {_join([f'{each} ({told[each]})' if each in told else each for each in near])}"


def _near(given: str, known: Sequence[str], most: int) -> list[str]:
    return get_close_matches(given, known, n=most, cutoff=0.6)


def _join(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
