"""What a broker has said on one connection, and waiting for it to say something."""

import threading
from collections.abc import Sequence

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode


class Ledger:
    """Written by paho's thread through its callbacks, read by any. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards the four below
        self._answer: ReasonCode | None = None  # to CONNECT
        self._packet_limit: int | None = None
        self._acks: dict[int, Sequence[ReasonCode]] = {}  # by packet id, until fetched
        self._ended: str | None = None

    @property
    def ended(self) -> str | None:
        """Why the connection is over; None while it stands."""
        with self._changed:
            return self._ended

    @property
    def packet_limit(self) -> int | None:
        """Bytes of the largest packet that the broker takes, if it named a limit."""
        with self._changed:
            return self._packet_limit

    def attach(self, client: Client) -> None:
        """Listen to a client."""
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe

    def end(self, reason: str) -> None:
        """Note that the connection is over. The first reason stays."""
        with self._changed:
            self._ended = self._ended or reason
            self._changed.notify_all()

    def wait_end(self, timeout_s: float) -> bool:
        """Whether the connection is over, at the latest after this long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended is not None, timeout_s)

    def wait_answer(self, timeout_s: float) -> ReasonCode | None:
        """The broker's answer to CONNECT; None if the connection or the time ended first."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._answer is not None or self._ended is not None, timeout_s
            )
            return self._answer

    def wait_ack(self, packet: int, timeout_s: float) -> Sequence[ReasonCode] | None:
        """The acknowledgement of one packet, by its own id; None as in wait_answer."""
        with self._changed:
            self._changed.wait_for(
                lambda: packet in self._acks or self._ended is not None, timeout_s
            )
            return self._acks.pop(packet, None)

    def _on_connect(
        self,
        _client: Client,
        _data: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        with self._changed:
            self._answer = reason
            self._packet_limit = getattr(properties, "MaximumPacketSize", None)
            self._changed.notify_all()

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        by_broker = flags.is_disconnect_packet_from_server
        self.end(f"the broker ended the connection: {reason}" if by_broker else "connection lost")

    def _on_publish(
        self,
        _client: Client,
        _data: object,
        packet: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._note(packet, [reason])

    def _on_subscribe(
        self,
        _client: Client,
        _data: object,
        packet: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._note(packet, reasons)

    def _note(self, packet: int, reasons: Sequence[ReasonCode]) -> None:
        with self._changed:
            self._acks[packet] = reasons
            self._changed.notify_all()
