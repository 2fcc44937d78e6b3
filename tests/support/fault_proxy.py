"""A relay on loopback between a reader and an RTSP server, which fails as networks do.

It can go away, stall with its connections alive, cut them, fall silent at a chosen step of
the conversation, lose datagrams, and shift the time stamps of what it relays.
"""

import asyncio
import base64
import random
import re
import ssl
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tests.support.rtp_relay import DatagramRelay, shifted

T = TypeVar("T")

STAGES = ("connect", "OPTIONS", "DESCRIBE", "SETUP", "PLAY", "media", "frame")
"""Where it can fall silent: on connecting, on a request, before the media, within a picture."""
RTP_HZ = 90_000
COMMAND_S = 30.0  # for a command to be done, on a machine with much else to do
FRAME_BYTES = 20_000  # of media that pass before it falls silent within a picture
BROKEN = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


class FaultProxy:
    """Relays to a port of this machine from the block's start to its end.

    Commands are for any thread, and done when they return.

    Args:
        upstream: The port of the server.
        certificate: Its file and its key's: the reader's side is then TLS.
    """

    def __init__(self, upstream: int, certificate: tuple[Path, Path] | None = None) -> None:
        self.port = 0
        self.accepted = 0  # connections so far
        self._upstream = upstream
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*certificate)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        # Of the loop's thread:
        self._server: asyncio.Server | None = None
        self._talks: set[_Talk] = set()
        self.flowing = asyncio.Event()
        self.silent_at: str | None = None
        self.shift_ticks = 0
        self.wraps = False
        self.loss = 0.0
        self.luck = random.Random(1)  # noqa: S311  (which datagrams are lost)

    def __enter__(self) -> Self:
        self._thread.start()
        self.power_on()
        self.resume()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.power_off()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def url(self, path: str = "/cam") -> str:
        """The address to read from."""
        return f"{'rtsps' if self._tls else 'rtsp'}://127.0.0.1:{self.port}{path}"

    def power_on(self) -> None:
        """Listen, on the same port as before."""
        self._do(self._listen())

    def power_off(self) -> None:
        """Refuse everybody, and cut all connections."""
        self._do(self._close())

    def cut(self) -> None:
        """Reset all connections."""
        self._do(self._cut())

    def stall(self) -> None:
        """Relay nothing any more, with all connections alive."""
        self._do(self._set_flowing(flowing=False))

    def resume(self) -> None:
        """Relay again."""
        self._do(self._set_flowing(flowing=True))

    def fall_silent(self, stage: str | None) -> None:
        """From now on every new connection stops at this stage; None: none does any more."""
        self.silent_at = stage

    def shift(self, ticks: int) -> None:
        """Add this to the time stamps (90,000 a second) of what is relayed from now on."""
        self.shift_ticks = ticks

    def wrap(self) -> None:
        """Shift the time stamps so that they wrap one second from now."""
        self.wraps = True

    def hush(self) -> None:
        """Silence every connection there is: a tunnel has two. Of the loop's thread."""
        for talk in self._talks:
            talk.silent.set()

    def lose(self, fraction: float) -> None:
        """Drop this part of all datagrams."""
        self.loss = fraction

    def _do(self, work: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(COMMAND_S)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                self._accept, "127.0.0.1", self.port, ssl=self._tls
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    async def _cut(self) -> None:
        talks = list(self._talks)
        for talk in talks:
            talk.abort()
        await asyncio.gather(*(talk.gone.wait() for talk in talks))

    async def _set_flowing(self, *, flowing: bool) -> None:
        if flowing:
            self.flowing.set()
        else:
            self.flowing.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = _Talk(self, reader, writer)
        self._talks.add(talk)
        self.accepted += 1
        try:
            await talk.run(self._upstream)
        finally:
            talk.abort()
            self._talks.discard(talk)
            talk.gone.set()


class _Talk:
    """One connection through the proxy."""

    def __init__(
        self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.gone = asyncio.Event()
        self._proxy = proxy
        self._from_client, self._to_client = reader, writer
        self._writers = [writer]
        self._stage = proxy.silent_at
        self.silent = asyncio.Event()
        self._over = asyncio.Event()
        self._media_bytes = 0
        self._relays: list[DatagramRelay] = []

    def abort(self) -> None:
        """Reset both connections."""
        self._over.set()
        for writer in self._writers:
            writer.transport.abort()
        for relay in self._relays:
            relay.close()

    async def run(self, upstream: int) -> None:
        """Relay in both directions until one side leaves or ``abort`` is called."""
        if self._stage == "connect":
            await self._over.wait()
            return
        with suppress(OSError):
            from_server, to_server = await asyncio.open_connection("127.0.0.1", upstream)
            self._writers.append(to_server)
            tasks = [
                asyncio.create_task(self._requests(to_server)),
                asyncio.create_task(self._answers(from_server)),
                asyncio.create_task(self._over.wait()),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _requests(self, to_server: asyncio.StreamWriter) -> None:
        """From the reader to the server."""
        with suppress(*BROKEN):
            while True:
                piece = await _piece(self._from_client)
                self._listen_for_stage(piece)
                if piece.startswith(b"SETUP"):
                    piece = await self._through_datagrams(piece)
                await self._pass(piece, to_server)
                if piece.startswith((b"GET /", b"POST /")):  # an HTTP tunnel
                    await self._tunnel(to_server)

    async def _answers(self, from_server: asyncio.StreamReader) -> None:
        """From the server to the reader, with faults."""
        with suppress(*BROKEN):
            while True:
                piece = await _piece(from_server)
                if piece[:1] == b"$":
                    piece = self._media(piece)
                elif self._relays and (found := re.search(rb"server_port=(\d+)-(\d+)", piece)):
                    ports = self._relays[-1].serve(int(found[1]), int(found[2]))
                    piece = piece.replace(found[0], b"server_port=%d-%d" % ports)
                await self._pass(piece, self._to_client)

    def _media(self, piece: bytes) -> bytes:
        """An interleaved packet as it is to be relayed; cut off where silence begins within it."""
        stage = self._stage if self._proxy.silent_at else None
        if stage == "media":
            self.silent.set()
        if piece[1] % 2 == 0:
            if self._proxy.wraps:
                self._proxy.wraps = False
                self._proxy.shift_ticks = 2**32 - RTP_HZ - int.from_bytes(piece[8:12])
            piece = piece[:4] + shifted(piece[4:], self._proxy.shift_ticks)
        self._media_bytes += len(piece)
        if stage == "frame" and self._media_bytes > FRAME_BYTES and not self.silent.is_set():
            self._to_client.write(piece[: len(piece) // 2])
            self.silent.set()
        return piece

    async def _through_datagrams(self, request: bytes) -> bytes:
        """A SETUP for UDP, with ports of ours in it."""
        found = re.search(rb"client_port=(\d+)-(\d+)", request)
        if found is None:
            return request
        relay = DatagramRelay(int(found[1]), int(found[2]), self._loses)
        self._relays.append(relay)
        ports = await relay.open()
        return request.replace(found[0], b"client_port=%d-%d" % ports)

    def _loses(self) -> bool:
        """Whether the next datagram is to be dropped."""
        quiet = self.silent.is_set() or self._stage in {"media", "frame"}
        flowing = self._proxy.flowing.is_set() and not quiet
        return not flowing or self._proxy.luck.random() < self._proxy.loss

    async def _tunnel(self, to_server: asyncio.StreamWriter) -> None:
        """Requests that come in base64, one a piece."""
        while data := await self._from_client.read(65536):
            self._listen_for_stage(base64.b64decode(data))
            await self._pass(data, to_server)

    def _listen_for_stage(self, request: bytes) -> None:
        """Begin to be silent, everywhere, if this is the request to do it on."""
        if self._stage is not None and request.startswith(self._stage.encode()):
            self._proxy.hush()

    async def _pass(self, piece: bytes, writer: asyncio.StreamWriter) -> None:
        """Relay one piece, unless silence has begun: then never come back."""
        await self._proxy.flowing.wait()
        if self.silent.is_set():
            await self._over.wait()
        writer.write(piece)
        await writer.drain()


async def _piece(reader: asyncio.StreamReader) -> bytes:
    """The next message or interleaved packet."""
    first = await reader.readexactly(1)
    if first == b"$":
        head = await reader.readexactly(3)
        return first + head + await reader.readexactly(int.from_bytes(head[1:]))
    head = first + await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length is None or head.startswith((b"POST ", b"HTTP/")):
        return head
    return head + await reader.readexactly(int(length[1]))
