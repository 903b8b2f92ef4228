"""How long a search goes on: a time, or a number of trainings."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.base.errors import UserError

_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass
class Budget:
    """What is left of a budget.

    Attributes:
        seconds: How long the search may take, the training of the champion included; None: as long as it takes.
        trainings: How many networks it may train before the champion; None: as many as there is time for.
        clock: Tells the time in seconds.
        reserved: Seconds that the champion will need.
        finals: How many runs are trained at the end: the champion, and perhaps its refit.
        used: Networks trained so far.
    """

    seconds: float | None = None
    trainings: int | None = None
    clock: Callable[[], float] = time.monotonic
    reserved: float = 0.0
    finals: int = 1
    used: int = 0
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._start = self.clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the search began."""
        return self.clock() - self._start

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be tried; at most half of a time is kept for the champion."""
        if self.trainings is not None and self.used >= self.trainings:
            return True
        return self.seconds is not None and self.elapsed >= self.seconds - min(
            self.finals * self.reserved, self.seconds / 2
        )

    def describe(self) -> str:
        """Say how much is used: `1:20 of 10:00`, `40 of 200 trainings`."""
        if self.trainings is not None:
            return f"{self.used} of {self.trainings} trainings"
        of = "" if self.seconds is None else f" of {show_time(self.seconds)}"
        return f"{show_time(self.elapsed)}{of}"


def parse_budget(text: str) -> Budget:
    """Read `10m`, `90s`, `1h`, or a number of trainings.

    Raises:
        UserError: If it is none of these.

    Example:
        >>> parse_budget("10m").seconds, parse_budget("1.5h").seconds, parse_budget("200").trainings
        (600.0, 5400.0, 200)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if found is not None and found[2] and float(found[1]) > 0:
        return Budget(seconds=float(found[1]) * _UNITS[found[2]])
    if found is not None and found[1].isdigit() and int(found[1]) > 0:
        return Budget(trainings=int(found[1]))
    raise UserError(
        f"budget must be a time (90s, 10m, 1h) or a number of trainings (200), but got budget={text}; write budget=10m"
    )


def show_time(seconds: float) -> str:
    """Return a time as people read it.

    Example:
        >>> show_time(80), show_time(3725)
        ('1:20', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
