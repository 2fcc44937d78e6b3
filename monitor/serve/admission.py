"""Who is let in, and how much is taken from them, before anything is understood."""

import asyncio
import hmac
import threading
from contextlib import suppress
from typing import Final

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from monitor.serve.messages import BODY_BYTES

RETRY_S: Final = 4  # when a caller who was turned away may come again, as the hosted API has it
_DIGITS = 20  # of a length; the server has seen to it that it is a number
_DRAIN_S = 5.0  # how long, and
_DRAIN_BYTES = 64 * 1024 * 1024  # how much of a body that nobody wants is read away


class Busy(HTTPException):
    """There is no room for another request."""

    def __init__(self) -> None:
        super().__init__(
            429, "busy; come again in 4, then 8, then 16 seconds", {"Retry-After": str(RETRY_S)}
        )


class RequestSlots:
    """The room for requests that are read, wait or are worked on. Thread-safe."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    def take(self) -> None:
        """Take one.

        Raises:
            Busy: None is free.
        """
        if not self._free.acquire(blocking=False):
            raise Busy

    def leave(self) -> None:
        """Give one back."""
        self._free.release()


def check_caller(request: Request, token: str | None) -> None:
    """Let in who knows the token, if there is one.

    Raises:
        HTTPException: 401.
    """
    if token is None:
        return
    kind, _, said = request.headers.get("authorization", "").partition(" ")
    known = hmac.compare_digest(said.strip().encode(), token.encode())
    if kind.lower() != "bearer" or not known:
        raise HTTPException(
            401, "send the token: Authorization: Bearer ...", {"WWW-Authenticate": "Bearer"}
        )


def check_head(request: Request) -> None:
    """Refuse what its headers already say is too large or of another type.

    Raises:
        HTTPException: 400, 413 or 415.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "send JSON: Content-Type: application/json")
    if "content-encoding" in request.headers:
        raise HTTPException(415, "send the JSON as it is, without Content-Encoding")
    length = request.headers.get("content-length")
    if length is not None and int(length[:_DIGITS]) > BODY_BYTES:
        raise _too_large()


async def body_of(request: Request, limit_s: float) -> bytes:
    """The whole body, as far as it is taken, if it comes in time.

    Raises:
        HTTPException: 408 when it does not come, 413 when it is too large.
    """
    pieces = bytearray()
    try:
        async with asyncio.timeout(limit_s):
            async for piece in request.stream():
                pieces += piece
                if len(pieces) > BODY_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise HTTPException(408, "the request did not come in time") from None
    except ClientDisconnect:
        raise HTTPException(400, "the request was cut off") from None
    return bytes(pieces)


class EarlyAnswer(JSONResponse):
    """An answer given before the request's body was read.

    It goes out at once. What the caller is still sending is then read away for a while:
    a connection closed on unread bytes would be reset, and the answer lost with it.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send it, as ASGI wants it."""
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


def _too_large() -> HTTPException:
    return HTTPException(413, "larger than 20 MB; give a smaller file")
