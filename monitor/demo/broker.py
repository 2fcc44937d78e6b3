"""A small MQTT broker inside this process, for ``monitor demo``. The only user of ``amqtt``.

It speaks MQTT 3.1.1. amqtt never answers an MQTT 5 client that has a will or a user name, so
this module reads the protocol level itself and refuses other versions with the CONNACK of
MQTT 3.1.1; clients then fall back.
"""

import asyncio
import logging
import threading
from types import TracebackType
from typing import Self

from amqtt.adapters import StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from amqtt.errors import AMQTTError

from monitor.errors import BrokerUnavailableError

_HOST = "127.0.0.1"
_LISTENER = "default"
_ANONYMOUS = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
_LEVEL = 4  # the protocol level of MQTT 3.1.1
_REFUSED = bytes([0x20, 2, 0, 1])  # CONNACK: unacceptable protocol version
_CONNECT_TIMEOUT_S = 5.0  # for a client's first packet
_START_LIMIT_S = 10.0
_STOP_LIMIT_S = 1.5  # amqtt may take longer to leave its clients; then it is cancelled
_LOGS = ("amqtt", "transitions")


class DemoBroker:
    """Within the block, an MQTT broker runs on a free loopback port, on a thread of its own.

    Every program on this machine may connect. Nothing is written to disk or sent elsewhere.
    Retained messages, wills and QoS 1 work; sessions end with their connection.

    Raises:
        BrokerUnavailableError: On entering, when the broker cannot start.
    """

    def __init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name="demo-broker", daemon=True)
        self._settled = threading.Event()  # it listens, or it has failed
        self._failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._port = 0
        self._levels: dict[str, int] = {}

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1; 0 before the block is entered."""
        return self._port

    def __enter__(self) -> Self:
        self._silence_logs()
        self._thread.start()
        if not self._settled.wait(_START_LIMIT_S) or self._port == 0:
            self._restore_logs()
            raise BrokerUnavailableError(f"the demo's broker does not start: {self._failure}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(2 * _STOP_LIMIT_S)
        self._restore_logs()

    def _silence_logs(self) -> None:
        """Silence amqtt, which logs every connection."""
        for name in _LOGS:
            logger = logging.getLogger(name)
            self._levels[name] = logger.level
            logger.setLevel(logging.CRITICAL)

    def _restore_logs(self) -> None:
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)

    def _run(self) -> None:
        """The thread: one event loop from start to stop."""
        try:
            asyncio.run(self._serve())
        except (AMQTTError, OSError) as error:
            self._failure = error
        finally:
            self._settled.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        broker = Broker(
            BrokerConfig(
                # amqtt does not report which free port it got, so we listen.
                listeners={_LISTENER: ListenerConfig(type=ListenerType.EXTERNAL)},
                plugins=_ANONYMOUS,
            )
        )
        await broker.start()

        async def admit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            """Admit one client, or refuse its protocol."""
            await _admit_client(broker, reader, writer)

        server = await asyncio.start_server(admit, _HOST, 0)
        self._port = server.sockets[0].getsockname()[1]
        self._settled.set()
        await self._stopping.wait()
        server.close()
        try:
            async with asyncio.timeout(_STOP_LIMIT_S):
                await broker.shutdown()
        except TimeoutError:
            return  # asyncio.run cancels what is left


class _ResumedReader:
    """The part of a reader that amqtt uses, preceded by bytes that were read already."""

    def __init__(self, head: bytes, reader: asyncio.StreamReader) -> None:
        self._head = head
        self._reader = reader

    async def read(self, n: int = -1) -> bytes:
        """Exactly ``n`` bytes, or all that come when negative."""
        if n < 0:
            head, self._head = self._head, b""
            return head + await self._reader.read(n)
        head, self._head = self._head[:n], self._head[n:]
        return head + await self._reader.readexactly(n - len(head))

    def feed_eof(self) -> None:
        """Treat the connection as ended."""
        self._reader.feed_eof()


async def _admit_client(
    broker: Broker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Hand an MQTT 3.1.1 client to amqtt and refuse every other."""
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            head = await _read_connect_head(reader)
        if head[-1] == _LEVEL:
            resumed = _ResumedReader(head, reader)
            await broker.external_connected(resumed, StreamWriterAdapter(writer), _LISTENER)
        else:
            writer.write(_REFUSED)
            await writer.drain()
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        return  # the client has gone, or never spoke
    finally:
        writer.close()


async def _read_connect_head(reader: asyncio.StreamReader) -> bytes:
    """The start of a CONNECT packet; the last byte is the protocol level.

    Source:
        MQTT 3.1.1, section 3.1: packet type, remaining length in one to four bytes, the
        name "MQTT" with its two-byte length, the level.
    """
    head = await reader.readexactly(2)
    while head[-1] & 0x80 and len(head) < 5:  # noqa: PLR2004  (the longest fixed header)
        head += await reader.readexactly(1)
    return head + await reader.readexactly(7)
