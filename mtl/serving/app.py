"""The service of a finished model: MLflow's scoring application with our checks, our limits and a page to try it."""

import asyncio
import json
import logging
import warnings
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import pandas as pd
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment
from starlette.middleware.trustedhost import TrustedHostMiddleware

from mtl.errors import UserError, one_line
from mtl.serving.request import (
    INPUTS,
    JSON,
    MOST_BYTES,
    MOST_SAMPLES,
    RECORDS,
    in_base64,
    notes_of,
    samples_of,
    too_large,
)
from mtl.serving.service import Service
from mtl.tasks.base import TaskSpec
from mtl.tracking.scoring import scoring_app

LOG = logging.getLogger("mtl.serving")
INVOCATIONS = "/invocations"
OF_OTHERS = (INVOCATIONS, "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json")
"""Addresses that are replaced, or whose pages would load scripts from elsewhere."""
MOST_DRAINED = 8 * MOST_BYTES
"""Size of a request that is read to its end, though not used, before it is refused."""
MOST_CLASSES = 6
STEP = "  "
SAFE = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src data:; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
}


def example_request(service: Service) -> str:
    """A request with one sample, JSON."""
    example = service.example()
    if isinstance(example, pd.DataFrame):
        for column in service.columns:
            if column.kind == "image":
                example[column.name] = example[column.name].map(in_base64)
        records = json.loads(example[:1].to_json(orient="records", date_format="iso", date_unit="s"))
        return json.dumps({RECORDS: records}, ensure_ascii=False)
    return json.dumps({INPUTS: example[:1].tolist()})


def application(service: Service, name: str, hosts: Sequence[str]) -> FastAPI:
    """The service.

    Args:
        service: a model.
        name: of it, for the page.
        hosts: names by which it may be called; `*` for any.
    """
    # Unknown categories are told in the answer.
    warnings.simplefilter("ignore", UserWarning)
    app: FastAPI = scoring_app(service.predict)
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", "") not in OF_OTHERS]
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    page = _page(service, name)

    @app.get("/")
    async def show() -> HTMLResponse:
        return HTMLResponse(page, headers=SAFE)

    @app.post(INVOCATIONS)
    async def invocations(request: Request) -> Response:
        try:
            body = await _body(request)
            kind = request.headers.get("content-type")
            return Response(await asyncio.to_thread(answer, service, body, kind), media_type=JSON)
        except UserError as error:
            return _refused(400, "BAD_REQUEST", one_line(str(error)))
        except Exception:
            LOG.exception("a request failed")
            return _refused(500, "INTERNAL_ERROR", "the service failed; its log says why.")

    return app


def answer(service: Service, body: bytes, content_type: str | None) -> str:
    """The answer to a request, JSON: `predictions`, a record a sample or step, and `notes`.

    Raises:
        UserError: the request does not fit the model.
    """
    samples = samples_of(body, content_type, service)
    table = service.predict(samples)
    notes = json.dumps(notes_of(samples, service), ensure_ascii=False)
    return f'{{"predictions": {table.to_json(orient="records", double_precision=15)}, "notes": {notes}}}'


async def _body(request: Request) -> bytes:
    """The whole body, as far as it is not too large."""
    told = request.headers.get("content-length", "")
    length = int(told) if told.isdecimal() else None
    if length is not None and length > MOST_DRAINED:
        raise too_large(length)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_DRAINED:
            raise too_large(length)
        if size <= MOST_BYTES:
            parts.append(part)
        else:
            parts.clear()
    if size > MOST_BYTES:  # read to its end and dropped: many clients listen only after they have sent everything
        raise too_large(size)
    return b"".join(parts)


def _refused(status: int, code: str, message: str) -> Response:
    content = json.dumps({"error_code": code, "message": message}, ensure_ascii=False)
    # What is left of a body that was not read would be taken for the next request.
    return Response(content, status, media_type=JSON, headers={"Connection": "close"} if status == 400 else None)


def _answer(spec: TaskSpec) -> str:
    """A task with what is said of it, as `dear (cheap, dear)`."""
    said = ", ".join(spec.class_names[:MOST_CLASSES]) + ", …" * (len(spec.class_names) > MOST_CLASSES)
    if spec.rows_ahead:
        said = "the next row" if spec.rows_ahead == 1 else f"the next {spec.rows_ahead} rows"
    return f"{spec.name} ({said})" if said else spec.name


def _in_lines(content: Any, indent: str = "") -> str:
    """JSON with a line for each row of numbers and each cell of an object, so that it can be read and changed."""
    if isinstance(content, dict):
        parts = [
            f"{json.dumps(name, ensure_ascii=False)}: {_in_lines(of, indent + STEP)}" for name, of in content.items()
        ]
    elif isinstance(content, list) and any(isinstance(part, list | dict) for part in content):
        parts = [_in_lines(part, indent + STEP) for part in content]
    else:
        return json.dumps(content, ensure_ascii=False)
    first, last = "{}" if isinstance(content, dict) else "[]"
    lines = ",\n".join(f"{indent}{STEP}{part}" for part in parts)
    return f"{first}\n{lines}\n{indent}{last}"


def _page(service: Service, name: str) -> str:
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    text = files("mtl.serving").joinpath("page.html.j2").read_text(encoding="utf-8")
    tabular = service.tabular
    pixels = not tabular and service.dtype.kind == "u"
    kind, shape = service.specs[0].input, () if tabular else service.shape
    facts: dict[str, Any] = {
        "name": name,
        "answers": [_answer(spec) for spec in service.specs],
        "columns": service.columns if tabular else [],
        "shape": shape,
        "axes": "rows × columns" if kind.continues else "channels",
        "names": service.names,
        "noun": kind.noun,
        "example": _in_lines(json.loads(example_request(service))),
        "most_samples": MOST_SAMPLES,
        "most_megabytes": MOST_BYTES >> 20,
        "type": "whole numbers from 0 to 255, or image files in base64" if pixels else "numbers",
    }
    return environment.from_string(text).render(facts)
