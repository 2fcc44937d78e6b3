"""A proxy before a broker that holds up, cuts and drops what passes through it."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Self

from tests.support.ports import HOST

PUBLISH, PUBACK = 3, 4  # types of MQTT packets
_RESET = struct.pack("ii", 1, 0)  # closing sends RST instead of FIN


class LinkFault(Enum):
    """What the proxy does to its connections."""

    NONE = "everything passes"
    SWALLOW = "nothing passes, in neither direction, and neither side is told"
    NO_ACKS = "the broker's acknowledgements of alerts vanish"
    CUT = "the broker's next acknowledgement of an alert ends the connection instead"


class BrokerProxy:
    """A port in front of a broker. Understands where MQTT packets begin and end."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._server = socket.create_server((HOST, 0))
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._fault = LinkFault.NONE
        self._only: set[socket.socket] | None = None  # those that the fault is for; None is all
        self.cuts = 0
        self.swallowed = 0
        self.port: int = self._server.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for channel in [self._server, *self._open]:
            with suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)
            channel.close()

    @contextmanager
    def fault(self, kind: LinkFault, *, new_ones_too: bool = True) -> Iterator[None]:
        """Do this within the block, to new connections too or only to those that stand now."""
        with self._lock:
            self._fault = kind
            self._only = None if new_ones_too else set(self._open)
        try:
            yield
        finally:
            with self._lock:
                self._fault, self._only = LinkFault.NONE, None

    def _serve(self) -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                channel, _ = self._server.accept()
                try:
                    behind = socket.create_connection((HOST, self._behind))
                except OSError:
                    channel.close()
                    continue
                with self._lock:
                    self._open += [channel, behind]
                alerts: set[bytes] = set()  # their packet ids
                for pair in ((channel, behind), (behind, channel)):
                    threading.Thread(target=self._carry, args=(*pair, alerts), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, alerts: set[bytes]) -> None:
        with suppress(OSError):
            for packet in _packets(source):
                fault = self._over(source)
                if packet[0] >> 4 == PUBLISH:
                    alerts |= _alert_id(packet)
                acknowledges = packet[0] >> 4 == PUBACK and packet[2:4] in alerts
                if fault is LinkFault.CUT and acknowledges:
                    self._cut(source, target)
                    return
                if fault is LinkFault.SWALLOW or (fault is LinkFault.NO_ACKS and acknowledges):
                    self.swallowed += 1
                    continue
                target.sendall(packet)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def _over(self, channel: socket.socket) -> LinkFault:
        with self._lock:
            concerned = self._only is None or channel in self._only
            return self._fault if concerned else LinkFault.NONE

    def _cut(self, *channels: socket.socket) -> None:
        self.cuts += 1
        for channel in channels:
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with suppress(OSError):
                channel.shutdown(socket.SHUT_RD)  # wakes the thread of the other direction
            channel.close()


def _packets(channel: socket.socket) -> Iterator[bytes]:
    """Whole MQTT packets, until the channel ends."""
    buffer = b""
    while data := channel.recv(65536):
        buffer += data
        while (length := _length(buffer)) is not None and len(buffer) >= length:
            yield buffer[:length]
            buffer = buffer[length:]


def _alert_id(publish: bytes) -> set[bytes]:
    """The packet id, if it is an alert's."""
    start = 1 + next(n for n in range(1, 5) if not publish[n] & 0x80)
    end = start + 2 + int.from_bytes(publish[start : start + 2], "big")
    return {publish[end : end + 2]} if publish[:end].endswith(b"/alert") else set()


def _length(buffer: bytes) -> int | None:
    """Bytes of the packet that a buffer begins with; None if too few are there to say."""
    remaining = 0
    for n, byte in enumerate(buffer[1:5]):
        remaining |= (byte & 0x7F) << (7 * n)
        if not byte & 0x80:
            return 2 + n + remaining
    return None
