"""The process around the routes: listens, saves now and then, and ends well."""

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
import uvloop

from pipeline.base.errors import UserError
from pipeline.service.app import App
from pipeline.service.limits import Limits
from pipeline.service.live import Live
from pipeline.service.metrics import Metrics

Follow = Callable[[], Coroutine[Any, Any, None]]

_SECONDS_TO_END = 10  # for requests that are under way
_MOST_UNANSWERED = 2048  # connections
_SECONDS_ALIVE = 60  # of a connection that is not used


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens, before anything dear is done.

    Raises:
        UserError: If the port is taken, or the address none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, event loops switch off Nagle's algorithm, which holds answers back for 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise UserError(
            f"host={host} port={port} cannot be listened on ({error.strerror}); choose another host= or port="
        ) from None
    return listening


class _Uvicorn(uvicorn.Server):
    """Ends after a signal, where uvicorn's own would send it to itself once more: a good end has exit code 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen for signals while the block lasts; a second one does not wait for requests that are under way."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


class Server:
    """One service.

    Args:
        live: What is served.
        limits: What is allowed.
        say: Told where it listens, and what goes wrong.
    """

    def __init__(self, live: Live, limits: Limits, say: Callable[[str], None]) -> None:
        self._live, self._say = live, say
        self._app = App(live, limits, Metrics(), say).make()

    def run(self, listening: socket.socket, save_every: float, follow: Follow | None = None) -> None:
        """Serve until SIGTERM or Ctrl-C; then save.

        Args:
            listening: Where.
            save_every: Seconds between two saves.
            follow: Lets another run take over when it should; None: nothing does.
        """
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._run(listening, save_every, follow))

    async def _run(self, listening: socket.socket, save_every: float, follow: Follow | None) -> None:
        host, port = listening.getsockname()[:2]
        config = uvicorn.Config(
            self._app, loop="none", lifespan="off", log_level="warning", access_log=False, server_header=False,
            timeout_keep_alive=_SECONDS_ALIVE, timeout_graceful_shutdown=_SECONDS_TO_END,
            backlog=_MOST_UNANSWERED,
        )  # fmt: skip
        server = _Uvicorn(config)
        keeping = self._keep(save_every) + ([] if follow is None else [asyncio.create_task(follow())])
        listening.listen(_MOST_UNANSWERED)  # now, so that who reads where it is can connect
        shown = f"[{host}]" if ":" in host else host
        self._say(f"serving run {self._live.run_id} on http://{shown}:{port} (described at /docs); Ctrl-C ends it")
        try:
            await server.serve(sockets=[listening])
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)
            if self._live.keeper is not None:
                await self._live.keeper.try_to_save(self._live.batcher)
                self._live.keeper.close(self._live.desk)

    def _keep(self, save_every: float) -> "list[asyncio.Task[None]]":
        if self._live.keeper is None:
            return []
        return [asyncio.create_task(self._live.keeper.save_for_ever(self._live.batcher, save_every))]
