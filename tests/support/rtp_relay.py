"""Relaying RTP over UDP, with losses; shifting RTP's time stamps."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import cast

HEADER_BYTES = 12
Address = tuple[str, int]


def shifted(packet: bytes, ticks: int) -> bytes:
    """An RTP packet whose time stamp is later by this much, modulo 2**32."""
    if not ticks or len(packet) < HEADER_BYTES:
        return packet
    stamp = (int.from_bytes(packet[4:8]) + ticks) % 2**32
    return packet[:4] + stamp.to_bytes(4) + packet[8:]


class DatagramRelay:
    """Two ports, for RTP and RTCP, between a reader's and a server's. Of one event loop."""

    def __init__(self, rtp_port: int, rtcp_port: int, loses: Callable[[], bool]) -> None:
        self._ends = [_End(port, loses) for port in (rtp_port, rtcp_port)]

    async def open(self) -> tuple[int, int]:
        """Bind; the ports where the server and the reader are to send to."""
        loop = asyncio.get_running_loop()
        for end in self._ends:
            await loop.create_datagram_endpoint(partial(_itself, end), ("127.0.0.1", 0))
        return self._ends[0].port, self._ends[1].port

    def serve(self, rtp_port: int, rtcp_port: int) -> tuple[int, int]:
        """Note the server's ports; return ours, for the reader."""
        for end, port in zip(self._ends, (rtp_port, rtcp_port), strict=True):
            end.server = port
        return self._ends[0].port, self._ends[1].port

    def close(self) -> None:
        """Give the ports back."""
        for end in self._ends:
            end.close()


class _End(asyncio.DatagramProtocol):
    """One port: what comes from the server goes to the reader, and the other way round."""

    def __init__(self, client: int, loses: Callable[[], bool]) -> None:
        self.server: int | None = None
        self.port = 0
        self._client = client
        self._loses = loses
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio has bound the port."""
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Pass it on, or lose it."""
        port = self.server if addr[1] == self._client else self._client
        if self._transport is not None and port is not None and not self._loses():
            self._transport.sendto(data, ("127.0.0.1", port))

    def close(self) -> None:
        """Give the port back."""
        if self._transport is not None:
            self._transport.close()


def _itself(end: _End) -> _End:
    return end
