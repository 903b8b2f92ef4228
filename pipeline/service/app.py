"""The routes of the service."""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from pipeline.base.errors import UserError
from pipeline.report.page.dashboard import write_dashboard
from pipeline.service.answered import Answered, AnsweredBlock, Reason, Refusal, Reply, count_rows
from pipeline.service.batcher import BusyError
from pipeline.service.bodies import BodyError, ReadRows
from pipeline.service.desk import Desk
from pipeline.service.lane_states import read_state, write_state
from pipeline.service.limits import Gate, Limits, read_body
from pipeline.service.live import Live
from pipeline.service.metrics import CONTENT_TYPE, Metrics
from pipeline.service.openapi import describe, show_page
from pipeline.service.overview import describe_service, list_lanes, show_recent
from pipeline.service.replies import CSV, JSON, Refused, answer_json, refuse
from pipeline.serving.rows import LONGEST_NAME

Handler = Callable[[Request], Awaitable[Response]]

_STATUS = {Reason.malformed: 422, Reason.late: 409, Reason.conflict: 409, Reason.lanes: 507}


class App:
    """What answers requests.

    Args:
        live: The model that is served at this moment, and its lanes.
        limits: What is allowed.
        metrics: Where everything is counted.
        say: Told what no client may see.
    """

    def __init__(self, live: Live, limits: Limits, metrics: Metrics, say: Callable[[str], None]) -> None:
        self._live, self._limits, self._metrics, self._say = live, limits, metrics, say

    def make(self) -> ASGIApp:
        """Return the ASGI application."""
        routes = [
            self._route("/lanes/{lane:path}/rows", self._take_rows_of_lane, "POST"),
            self._route("/rows", self._take_rows, "POST"),
            self._route("/lanes/{lane:path}/state", self._put_state, "PUT"),
            self._route("/lanes/{lane:path}/state", self._get_state, "GET"),
            self._route("/lanes/{lane:path}/recent", self._show_recent, "GET"),
            self._route("/lanes/{lane:path}", self._show_lane, "GET"),
            self._route("/lanes", self._list_lanes, "GET"),
            self._route("/forecast", self._forecast, "POST"),
            self._route("/health", self._health, "GET"),
            self._route("/ready", self._ready, "GET"),
            self._route("/metrics", self._show_metrics, "GET"),
            self._route("/openapi.json", self._openapi, "GET"),
            self._route("/docs", self._docs, "GET"),
            self._route("/overview", self._overview, "GET"),
            self._route("/", self._dashboard, "GET"),
        ]
        return Gate(Starlette(routes=routes, exception_handlers={HTTPException: _say_http}), self._limits)

    def _route(self, path: str, handler: Handler, method: str) -> Route:
        async def serve(request: Request) -> Response:
            try:
                response = await handler(request)
            except Refused as error:
                self._metrics.rejected.labels(error.reason).inc()
                response = refuse(error)
            except ClientDisconnect:
                raise
            except Exception:  # a mistake of ours: told to whoever runs the service, not to whoever asks
                self._say(traceback.format_exc())
                response = answer_json({"error": "the service failed; its log says why"}, 500)
            self._metrics.responses.labels(str(response.status_code)).inc()
            return response

        return Route(path, serve, methods=[method])

    async def _take_rows_of_lane(self, request: Request) -> Response:
        return await self._take(request, request.path_params["lane"])

    async def _take_rows(self, request: Request) -> Response:
        return await self._take(request, None)

    async def _take(self, request: Request, lane: str | None) -> Response:
        began = time.perf_counter()
        read = await self._read_rows(request, self._live.desk, lane)
        try:
            desk, reply = await self._live.batcher.ask(read)
        except BusyError:
            raise Refused(503, "busy", "too many requests wait already; try again in a second") from None
        answers = _check(reply)
        metrics = self._metrics
        count, repeated = count_rows(answers)
        metrics.rows.inc(count - repeated)
        metrics.repeated.inc(repeated)
        response = self._answer(request, desk, answers)
        metrics.seconds.observe(time.perf_counter() - began)
        return response

    async def _read_rows(self, request: Request, desk: Desk, lane: str | None) -> ReadRows:
        kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
        if kind not in (JSON, CSV):
            raise Refused(415, "type", f"the rows come as {kind[:100]}; send {JSON} or {CSV}")
        if lane is not None:
            _check_name(lane)
        body = await read_body(request.scope, request.receive, self._limits.body)
        try:
            return desk.bodies.rows_of(body, kind == CSV, lane, self._limits.rows)
        except BodyError as error:
            raise Refused(400, Reason.malformed, str(error)) from None

    def _answer(self, request: Request, desk: Desk, answers: Sequence[Answered] | AnsweredBlock) -> Response:
        if CSV in request.headers.get("accept", ""):
            return Response(desk.answers.as_csv(desk.book, answers), media_type=CSV)
        return Response(desk.answers.as_json(desk.book, answers), media_type=JSON)

    async def _forecast(self, request: Request) -> Response:
        read = await self._read_rows(request, self._live.desk, None)
        model = self._live.desk.model

        def answer() -> Response:
            desk = Desk(model, warm=False, most_lanes=self._limits.rows, say=lambda text: None, watches=False)
            answers = _check(desk.take([replace(read, block=None)])[0])
            assert isinstance(answers, list)
            last = {each.row.lane: each for each in answers}
            return self._answer(request, desk, list(last.values()))

        return await asyncio.to_thread(answer)

    async def _list_lanes(self, request: Request) -> Response:
        return answer_json(list_lanes(self._live.desk, request.query_params))

    async def _show_recent(self, request: Request) -> Response:
        desk, lane = self._live.desk, request.path_params["lane"]
        self._find_lane(desk, lane)
        return answer_json(show_recent(desk, lane))

    async def _overview(self, request: Request) -> Response:
        return answer_json(describe_service(self._live, self._metrics))

    async def _dashboard(self, request: Request) -> Response:
        return Response(write_dashboard(), media_type="text/html; charset=utf-8")

    async def _show_lane(self, request: Request) -> Response:
        desk, lane = self._live.desk, request.path_params["lane"]
        number = self._find_lane(desk, lane)
        last = desk.recent.last_answer(number)
        shown: dict[str, Any] = {
            "lane": lane,
            "rows": desk.book.rows_of(lane),
            "last_timestamp": desk.book.name_last(lane),
            "last_forecasts": [] if last is None else desk.answers.of_lane(desk.book, lane, *last),
            "drift": desk.book.drift_of(lane),
        }
        note = desk.book.note_of(lane)
        return answer_json(shown | ({} if not note else {"note": note}))

    def _find_lane(self, desk: Desk, lane: str) -> int:
        number = desk.book.number_of(lane) if lane else None
        if number is None:
            raise Refused(404, "lane", f"there is no lane '{lane[:LONGEST_NAME]}'; a lane begins with its first row")
        return number

    async def _get_state(self, request: Request) -> Response:
        desk, lane = self._live.desk, request.path_params["lane"]
        self._find_lane(desk, lane)
        return answer_json(write_state(desk, lane))

    async def _put_state(self, request: Request) -> Response:
        desk, lane = self._live.desk, request.path_params["lane"]
        _check_name(lane)
        body = await read_body(request.scope, request.receive, self._limits.body)
        try:
            await self._live.put_lane(read_state(desk, lane, body))
        except (BodyError, UserError) as error:
            raise Refused(422, Reason.malformed, str(error)) from None
        except OSError as error:
            self._say(f"the state of a lane that was put is not on the disk: {error}")
            raise Refused(503, "disk", "the state was taken over, but is not on the disk; put it again") from None
        return await self._show_lane(request)

    async def _health(self, request: Request) -> Response:
        return answer_json({"status": "alive"})

    async def _ready(self, request: Request) -> Response:
        return answer_json({"status": "ready", "run": self._live.run_id, "lanes": len(self._live.desk.book)})

    async def _show_metrics(self, request: Request) -> Response:
        book = self._live.desk.book
        self._metrics.lanes.set(len(book))
        self._metrics.show_drift(book.drift_of_all())
        return Response(self._metrics.write(), media_type=CONTENT_TYPE)

    async def _openapi(self, request: Request) -> Response:
        return answer_json(describe(self._live.desk.model))

    async def _docs(self, request: Request) -> Response:
        return Response(show_page(describe(self._live.desk.model)), media_type="text/html; charset=utf-8")


async def _say_http(request: Request, error: Exception) -> Response:
    """Answer what no route answers: an unknown path, or another method."""
    assert isinstance(error, HTTPException)
    text = {404: "there is nothing here; /docs lists what there is", 405: "this path does not take that method"}
    refused = Refused(error.status_code, "path", text.get(error.status_code, error.detail))
    return refuse(refused, error.headers)


def _check_name(lane: str) -> None:
    if not 0 < len(lane) <= LONGEST_NAME:
        what = f"the lane has a name of {len(lane)} characters; 1 to {LONGEST_NAME} are allowed"
        raise Refused(422, Reason.malformed, what)


def _check(reply: Reply) -> list[Answered] | AnsweredBlock:
    if isinstance(reply, Refusal):
        raise Refused(_STATUS[reply.reason], reply.reason, reply.text)
    return reply
