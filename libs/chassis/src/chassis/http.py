"""The HTTP side of a service: one app with problems, guards against hostile bodies, and the caller's door."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import metrics, problems
from chassis.identity import Door
from chassis.telemetry import new_traceparent
from chassis.wallclock import WallClock

LARGEST_BODY: Final = 1024 * 1024
DEEPEST_JSON: Final = 32
SECONDS_TO_SEND: Final = 30.0
"""How long a body may take to come; whoever sends slower holds a place for nothing."""
STREAMED: Final = ("application/octet-stream", "application/pdf", "image/jpeg", "image/png", "multipart/form-data")
"""Uploads go through unread, to a route that takes them `streamed` and limits them itself."""
LIFTED: Final = "lianshen.body_limit_lifted"
_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_BAD_ESCAPE = re.compile(rb"\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2}")

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(title: str, *, lifespan: Lifespan, wallclock: WallClock, door: Door) -> FastAPI:
    """Return a FastAPI application with the house's doors and guards; documentation pages load nothing from outside."""
    app = FastAPI(
        title=title,
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses={"default": {"model": problems.Problem, "description": "RFC 9457"}},
    )
    app.state.door = door
    app.state.wallclock = wallclock
    problems.install(app)
    app.add_middleware(BodyGuard)
    _say_problem_type(app)
    return app


def _say_problem_type(app: FastAPI) -> None:
    """Publish errors under their own media type; FastAPI would call them what the route answers."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made()
            for methods in document.get("paths", {}).values():
                for operation in methods.values():
                    content = operation["responses"]["default"]["content"]
                    content["application/problem+json"] = content.pop(next(iter(content)))
        return made()

    app.openapi = openapi


class BodyGuard:
    """Refuses bodies that are too large, too deep or not legible text, before anything is parsed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        scope["traceparent"] = new_traceparent(headers.get(b"traceparent", b"").decode("latin-1")[:55])
        counted = _counting(send)
        kind = headers.get(b"content-type", b"").split(b";")[0].strip().decode("latin-1").lower()
        if scope["method"] in ("GET", "HEAD", "DELETE", "OPTIONS") or kind in STREAMED:
            await self._app(scope, _limited(scope, receive), counted)
            return
        try:
            async with asyncio.timeout(SECONDS_TO_SEND):
                body = await _read(receive)
        except TimeoutError:
            await problems.answer(408, *problems.STATUS_CODES[408])(scope, receive, counted)
            return
        refusal = _refusal(body, kind)
        if refusal is not None:
            await problems.answer(*refusal)(scope, receive, counted)
            return
        await self._app(scope, _replaying(body or b"", receive), counted)


def _limited(scope: Scope, receive: Receive) -> Receive:
    """What is not `streamed` is read whole by FastAPI, before it asks who comes: no further than any other body."""
    lifted, size = asyncio.Event(), 0
    scope[LIFTED] = lifted

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LARGEST_BODY and not lifted.is_set():
            raise HTTPException(413)
        return message

    return limited


def streamed(request: Request) -> AsyncIterator[bytes]:
    """Return an upload piece by piece, however long it is: the route that takes it so limits it."""
    if LIFTED in request.scope:
        request.scope[LIFTED].set()
    return request.stream()


def _refusal(body: bytes | None, kind: str) -> tuple[int, str, str] | None:
    if body is None:
        return 413, "TOO_LARGE", f"请求内容超过 {LARGEST_BODY // 1024} KB"
    if body and kind != "application/json":
        return 415, *problems.STATUS_CODES[415]
    if depth(body) > DEEPEST_JSON:
        return 400, "TOO_DEEP", f"JSON 嵌套超过 {DEEPEST_JSON} 层"
    if not _is_legible(body):
        return 400, "ILLEGIBLE_TEXT", "请求内容含有空字符或残缺字符"
    return None


def depth(body: bytes) -> int:
    """Return how deep JSON arrays and objects nest in `body`."""
    deepest = now = 0
    for match in _NESTING.finditer(body):
        token = match.group()
        now += (token in (b"[", b"{")) - (token in (b"]", b"}"))
        deepest = max(deepest, now)
    return deepest


def _is_legible(body: bytes) -> bool:
    """Whether `body` is UTF-8 without NUL and without unpaired surrogates, escaped ones too."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    if b"\x00" in body:
        return False
    if not _BAD_ESCAPE.search(body):
        return True
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False)
        text.encode()
    except (ValueError, RecursionError):
        return False
    return "\\u0000" not in text


async def _read(receive: Receive) -> bytes | None:
    """Return the whole body, or None once it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_BODY:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _replaying(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _counting(send: Send) -> Send:
    async def count(message: Message) -> None:
        if message["type"] == "http.response.start":
            metrics.add("lianshen_http_requests_total", label=str(message["status"]))
            message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
        await send(message)

    return count


def traceparent_of(request: Any) -> str:
    """Return the trace that a request belongs to."""
    return str(request.scope.get("traceparent", ""))
