"""ASGI middleware that refuses requests before their bodies are read.

FastAPI reads and parses a body before it calls dependencies and routes, so a limit that must
hold before that cannot be written as either.
"""

import asyncio
import hmac
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.config.http import Http
from monitor.serve.messages import BODY_BYTES
from monitor.serve.metrics import Metrics

OCCLUSION_PATH: Final = "/v1/face-occlusion"
RETRY_S: Final = 4  # as the hosted API has it
_DIGITS = 20  # of a Content-Length; the server has checked that it is a number
_DRAIN_S = 5.0  # after a refusal the rest of the body is read away for this long,
_DRAIN_BYTES = 64 * 1024 * 1024  # and up to this size
_ERROR = 500


class Busy(HTTPException):
    """There is no room for another request."""

    def __init__(self) -> None:
        super().__init__(429, f"busy; retry after {RETRY_S} s", {"Retry-After": str(RETRY_S)})


class Slot:
    """One request's place among those that are read, wait or are worked on.

    It is given back once, from the event loop: by ``leave``, or when the work ends that was
    named to ``leave_after``.
    """

    def __init__(self, free: threading.BoundedSemaphore) -> None:
        self._free = free
        self._taken = True

    def leave(self) -> None:
        """Give the place back now, unless that was arranged already."""
        if self._taken:
            self._taken = False
            self._free.release()

    def leave_after(self, work: Future[Any]) -> None:
        """Give the place back when some work has ended, on whichever thread it ends."""
        self._taken = False
        work.add_done_callback(lambda _: self._free.release())


class Admission:
    """Checks token, headers and free places, reads the body, and hands both to the routes.

    The route finds its ``Slot`` as ``request.state.slot``. Requests to other routes pass.

    Args:
        app: The application behind it.
        settings: How many requests are taken at a time, and how long a body may take.
        metrics: Counts the requests.
        token: What callers must send; None asks for none.
    """

    def __init__(self, app: ASGIApp, settings: Http, metrics: Metrics, token: str | None) -> None:
        self._app = app
        self._limit_s = settings.limit_s
        self._free = threading.BoundedSemaphore(settings.waiting)
        self._metrics = metrics
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit one request, and count its answer."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", OCCLUSION_PATH):
            await self._app(scope, receive, send)
            return
        started, answered = time.monotonic(), False

        async def send_and_count(message: Message) -> None:
            """Count the answer when it begins."""
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                self._metrics.count_request(message["status"], time.monotonic() - started)
            await send(message)

        try:
            await self._admit(scope, receive, send_and_count)
        finally:
            if not answered:  # an unknown error, which the application answers further out
                self._metrics.count_request(_ERROR, time.monotonic() - started)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            check_token(Headers(scope=scope), self._token)
            check_headers(Headers(scope=scope))
            slot = self._take_slot()
        except HTTPException as refusal:
            await EarlyResponse(refusal)(scope, receive, send)
            return
        try:
            with self._metrics.running.track_inprogress():
                body = await read_body(receive, self._limit_s)
                scope.setdefault("state", {})["slot"] = slot
                await self._app(scope, _replay(body, receive), send)
        except HTTPException as refusal:  # of the body: those of routes have been answered
            slot.leave()
            await EarlyResponse(refusal)(scope, receive, send)
        finally:
            slot.leave()

    def _take_slot(self) -> Slot:
        """A free place.

        Raises:
            Busy: All are taken.
        """
        if not self._free.acquire(blocking=False):
            raise Busy
        return Slot(self._free)


def check_token(headers: Headers, token: str | None) -> None:
    """Refuse callers who do not send the token, if there is one.

    Raises:
        HTTPException: 401.
    """
    if token is None:
        return
    scheme, _, sent = headers.get("authorization", "").partition(" ")
    equal = hmac.compare_digest(sent.strip().encode(), token.encode())
    if scheme.lower() != "bearer" or not equal:
        raise HTTPException(
            401, "send the token: Authorization: Bearer ...", {"WWW-Authenticate": "Bearer"}
        )


def check_headers(headers: Headers) -> None:
    """Refuse a body that is too large or of another type, by what its headers say.

    Raises:
        HTTPException: 413 or 415.
    """
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "send JSON: Content-Type: application/json")
    if "content-encoding" in headers:
        raise HTTPException(415, "send the JSON without Content-Encoding")
    length = headers.get("content-length")
    if length is not None and int(length[:_DIGITS]) > BODY_BYTES:
        raise _too_large()


async def read_body(receive: Receive, limit_s: float) -> bytes:
    """The whole body, if it comes in time.

    Raises:
        HTTPException: 400 when the caller has gone, 408 when the body is late, 413 when it is
            too large.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(limit_s):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise HTTPException(400, "the request was cut off")
                body += message.get("body", b"")
                if len(body) > BODY_BYTES:
                    raise _too_large()
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise HTTPException(408, f"the body took longer than {limit_s:g} s") from None


class EarlyResponse(JSONResponse):
    """A refusal that is sent before the request's body was read.

    It goes out at once. The rest of the body is then read away for a while: closing a connection
    with unread bytes resets it, and the caller would lose the answer.
    """

    def __init__(self, refusal: HTTPException) -> None:
        super().__init__({"detail": refusal.detail}, refusal.status_code, refusal.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send it, as ASGI has it."""
        headers = [*self.raw_headers, (b"connection", b"close")]
        start = {"type": "http.response.start", "status": self.status_code, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": bytes(self.body), "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                await _drain(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drain(receive: Receive) -> None:
    size = 0
    while size <= _DRAIN_BYTES:
        message = await receive()
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return


def _replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives a body that was read already, and then what else comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        """The next message."""
        return waiting.pop() if waiting else await receive()

    return replay


def _too_large() -> HTTPException:
    return HTTPException(413, "larger than 20 MB; send a smaller file")
