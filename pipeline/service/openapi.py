"""The service described: OpenAPI, and the same as a page that loads nothing from elsewhere."""

from typing import Any

from pipeline.config.schema import Config
from pipeline.data.series import Series
from pipeline.report.page.template import render_page
from pipeline.serving.lane_bounds import name_around
from pipeline.serving.model import ServedModel
from pipeline.serving.rows import LANE, LONGEST_NAME, needed_columns

_LANE = {"name": "lane", "in": "path", "required": True, "schema": {"type": "string", "maxLength": LONGEST_NAME}}

_PAGE = [
    {"name": name, "in": "query", "description": text, "schema": {"type": kind}}
    for name, text, kind in (
        ("contains", "a piece of their names", "string"),
        ("first", "place of the first one", "integer"),
        ("count", "how many", "integer"),
    )
]


def describe(model: ServedModel) -> dict[str, Any]:
    """Return the OpenAPI document of a service of this model, as JSON has it."""
    row = _describe_row(model.config, model.data.series)
    rows = {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "array", "items": row}}}
    answer = _describe_answer(model)
    state = {
        "type": "object",
        "required": ["model", "rows", "last", "arrays"],
        "properties": {
            "model": {"type": "string"},
            "rows": {"type": "integer"},
            "last": {"type": ["number", "null"]},
            "arrays": {"type": "array", "items": {"type": "string"}},
            "drift": {"type": "array", "items": {"type": "string"}},
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Forecasts of {model.config.dataset.name}",
            "version": model.digest[:12],
            "description": "Rows come in, each lane keeps its state, forecasts go out in the data's own units.",
        },
        "paths": {
            "/lanes/{lane}/rows": {
                "post": _operation("Read rows of one lane and forecast after each", rows, answer, [_LANE])
            },
            "/rows": {"post": _operation("Read rows of many lanes, each with its lane, and forecast", rows, answer)},
            "/lanes/{lane}": {
                "get": _operation(
                    "Rows consumed, last timestamp, last forecasts and drift of a lane", None, {}, [_LANE]
                )
            },
            "/lanes/{lane}/state": {
                "get": _operation("What a lane remembers, to move it elsewhere", None, state, [_LANE]),
                "put": _operation("Let a lane remember that, on the disk when it is answered", state, {}, [_LANE]),
            },
            "/lanes/{lane}/recent": {
                "get": _operation("The newest 128 rows of a lane with their forecasts and errors", None, {}, [_LANE])
            },
            "/lanes": {"get": _operation("Lanes, at most 1000, and how many there are", None, {}, _PAGE)},
            "/overview": {"get": _operation("What is served, rows that came, requests that were refused", None, {})},
            "/forecast": {
                "post": _operation("Forecast after the last row of a block of history; nothing is kept", rows, answer)
            },
            "/health": {"get": _operation("Whether the process lives", None, {})},
            "/ready": {"get": _operation("Whether it serves, and which run", None, {})},
            "/metrics": {"get": _operation("Metrics for Prometheus, as text", None, {})},
        },
    }


def show_page(document: dict[str, Any]) -> str:
    """Return the document as a page."""
    return render_page("service", document["info"]["title"], document=document, example=_write_example)


def _write_example(schema: dict[str, Any]) -> Any:
    """Return a value as a schema has it, for people; nothing where it says too little."""
    if "items" in schema:
        return [_write_example(schema["items"])]
    if "properties" in schema:
        return {name: _write_example(each) for name, each in schema["properties"].items()}
    kind = schema.get("type", "object")
    kind = kind if isinstance(kind, str) else kind[0]
    return {"string": "...", "integer": 1, "number": 0.5, "array": [], "object": {}}[kind]


def _describe_row(config: Config, series: Series) -> dict[str, Any]:
    needed, time, lane = needed_columns(config, series), config.dataset.time_column, config.dataset.lane_column
    kinds = {name: {"type": "string" if name == time else "number"} for name in needed}
    return {"type": "object", "required": needed, "properties": kinds | {lane or LANE: {"type": "string"}}}


def _describe_answer(model: ServedModel) -> dict[str, Any]:
    number = {"type": ["number", "null"]}
    texts = {name: {"type": "string"} for name in ("lane", "timestamp", "target")}
    each = texts | {"forecast_timestamp": {"type": ["string", "null"]}, "horizon": {"type": "integer"}}
    each |= dict.fromkeys(("forecast", *name_around(model)), number)
    one = {"type": "object", "properties": each}
    return {"type": "object", "properties": {"forecasts": {"type": "array", "items": one}}}


def _operation(
    summary: str, body: dict[str, Any] | None, answer: dict[str, Any], parameters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": summary,
        "responses": {
            "200": {"description": "done", "content": {"application/json": {"schema": answer}}},
            "4XX": {"description": "nothing of the request was taken; the member `error` says why"},
        },
    }
    if parameters:
        found["parameters"] = parameters
    if body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return found
