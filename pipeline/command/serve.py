"""Forecasts over HTTP, with a state per lane: `python -m pipeline.serve run=champion port=8080`."""

import gc
import os
import sys
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from pipeline.base.environment import prepare_environment
from pipeline.base.errors import UserError
from pipeline.base.paths import check_state
from pipeline.base.terminal import say
from pipeline.command.arguments import Manual, option, run_entry
from pipeline.command.exits import DONE
from pipeline.command.served import FUTURE, ServedRun, fetch_model, find_served
from pipeline.command.stream import Start

TOKEN = "LSTM_PIPELINE_TOKEN"  # noqa: S105 - the name of the variable
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))


class Durability(Enum):
    """When a row is safe."""

    each = "each"
    interval = "interval"


@dataclass(frozen=True, kw_only=True)
class Arguments(ServedRun):
    """The keys of the command."""

    port: int = option(8080, "Where it listens; 0: a free one, which is told.")
    host: str = option("127.0.0.1", f"The address it listens on. One that others reach needs a token in {TOKEN}.")
    future: Path | None = option(None, FUTURE)
    state: Path | None = option(
        None,
        "A file that keeps every lane's state, with journals of newer rows beside it. If it exists the service goes on "
        "from it, whatever start says.",
    )
    save_every: float = option(30.0, "Seconds between two saves of the state file; rows between are in the journal.")
    durability: Durability = option(
        Durability.interval,
        "With state: interval: a row is given to the system before it is answered, and outlives a kill -9; each: it is "
        "on the disk, and outlives a loss of power too.",
    )
    start: Start = option(
        Start.warm,
        "warm: lanes begin after the run's history; cold: they have seen nothing.",
    )
    lanes: int = option(100_000, "The most lanes that are kept.")
    body: int = option(4 << 20, "The most bytes of a request.")
    reload: float = option(
        0.0,
        "Seconds between two looks whether run= means another run by now, which then takes over: its lanes read the "
        "newest 128 rows of each lane, as far as they came after its history. 0: never.",
    )


MANUAL = Manual(
    command="python -m pipeline.serve",
    purpose=(
        "Answers rows over HTTP with forecasts in the data's own units, as pipeline.stream does on a pipe. Each lane "
        "has a state of its own. What there is to ask is described at /docs of the service."
    ),
    examples=(
        ("run=champion port=8080", "the champion of pipeline.search, on http://127.0.0.1:8080"),
        ("run=best state=lanes.npz", "lanes outlive a stop, a crash and a kill -9"),
        ("run=champion reload=60", "a new champion takes over, its lanes read the newest rows again"),
    ),
    notes=(
        'POST /lanes/NAME/rows takes {"rows": [{"month": "1961-01-01", "passengers": 450}]}, or CSV with a '
        'header, and answers {"forecasts": [{"timestamp", "target", "horizon", "forecast", "low_95", ...}]}. '
        "A request is taken as a whole or not at all.",
        "A row that is sent again gets its old answer: of each lane the newest 128 are kept. Rows of a dataset without "
        "a time column are numbered, so they cannot be recognised.",
        f"With a token in the variable {TOKEN} every request needs the header 'Authorization: Bearer TOKEN', but "
        "/health and /ready.",
        "SIGTERM and Ctrl-C end it after what it has begun, with its state saved.",
        "Exit code: 0 after Ctrl-C or SIGTERM, 1 failed, 2 wrong input.",
    ),
)


def main() -> None:
    """Run the command line and exit with 0, 1 or 2."""
    prepare_environment()
    sys.exit(run_entry(sys.argv[1:], Arguments, MANUAL, serve))


def serve(arguments: Arguments) -> int:
    """Answer requests until a signal comes.

    Raises:
        UserError: If the run or the state file cannot be used, or the port is taken.
    """
    token = _check(arguments)
    from pipeline.service.desk import Desk
    from pipeline.service.keeper import Keeper
    from pipeline.service.limits import Limits
    from pipeline.service.live import Live
    from pipeline.service.server import Server, bind

    listening = bind(arguments.host, arguments.port)
    run_id = find_served(arguments)

    def open_desk(run: str) -> Desk:
        model = fetch_model(replace(arguments, run=run), future=arguments.future)
        return Desk(model, arguments.start is Start.warm, arguments.lanes, say)

    desk = open_desk(run_id)
    follows = arguments.reload > 0
    if follows and desk.model.config.dataset.time_column is None:
        raise UserError(
            "with reload= rows need timestamps, to know which a new run has read; the run's rows are numbered"
        )
    keeper = None
    if arguments.state is not None:
        keeper = Keeper(arguments.state, say)
        again = keeper.restore(desk, follows)
        say(f"state={arguments.state}: {len(desk.book)} lane(s), {again} row(s) of the journal read again")
    else:
        say("without state= lanes are forgotten when the service ends")
    live = Live(desk, run_id, keeper, arguments.durability is Durability.each)
    hosts = frozenset() if token is not None else frozenset((*_LOOPBACK, arguments.host))
    server = Server(live, Limits(token=token, hosts=hosts, body=arguments.body), say)
    follow = (
        (lambda: live.follow(arguments.reload, lambda: find_served(arguments, told=False), open_desk, say))
        if follows
        else None
    )
    gc.freeze()  # model and lanes stay: to look through them for garbage takes a twentieth of the time of a row
    server.run(listening, arguments.save_every, follow)
    return DONE


def _check(arguments: Arguments) -> str | None:
    """Check what needs no run, and return the token."""
    token = os.environ.get(TOKEN) or None
    if not 0 <= arguments.port < 1 << 16:
        raise UserError(f"port={arguments.port} is no port; choose one from 1 to 65535, or 0 for a free one")
    if arguments.host not in _LOOPBACK and token is None:
        raise UserError(
            f"host={arguments.host} can be reached by others: set the variable {TOKEN} to a token that they must send, "
            "or leave host out"
        )
    for name in ("save_every", "lanes", "body"):
        if getattr(arguments, name) <= 0:
            raise UserError(f"{name} must be above zero, but got {name}={getattr(arguments, name)}")
    if arguments.reload < 0:
        raise UserError(f"reload must not be negative, but got reload={arguments.reload}")
    if arguments.state is not None:
        check_state(arguments.state)
    return token
