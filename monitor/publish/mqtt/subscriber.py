"""Receiving published messages, for ``monitor listen`` and the demo."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import uuid4

from cachetools import LRUCache
from paho.mqtt.client import MQTTMessage

from monitor.config.schema import Mqtt
from monitor.publish.mqtt.connection import MqttConnection, connect_broker
from monitor.publish.mqtt.credentials import MqttCredentials
from monitor.publish.mqtt.publisher import ReconnectingClient
from monitor.runtime.clock import SystemClock

KINDS = ("alert", "state", "snapshot")
"""Kinds of a camera's messages: the last level of their topics."""

MAX_KNOWN_ALERTS = 10_000  # alert states whose repetition is detected


@dataclass(frozen=True, slots=True)
class Received:
    """One message, as the broker delivered it."""

    topic: str
    payload: bytes
    retained: bool  # kept by the broker from before the subscription
    arrived_at: datetime


class Subscriber:
    """Passes received messages on, each state of an alert once.

    Within the block it reconnects by itself after a loss; messages published meanwhile are
    missed. Alerts are delivered at least once; repetitions, by id and seq, are dropped here.

    Args:
        settings: The broker's address, and credentials; ``client_id`` is random by default.
        on_message: Called for each message, on a thread of the connection; must not raise.
        site: Only this site; ``+`` is all.
        cameras: Only these cameras; empty is all.
        kinds: Only these of KINDS.

    Raises:
        ConfigError: A file that the settings name cannot be used.
    """

    def __init__(
        self,
        settings: Mqtt,
        on_message: Callable[[Received], None],
        *,
        site: str = "+",
        cameras: Sequence[str] = (),
        kinds: Sequence[str] = KINDS,
    ) -> None:
        self._settings = settings
        address = MqttCredentials.from_settings(settings).address
        self._client_id = settings.client_id or f"monitor-listen-{uuid4().hex[:12]}"
        self._on_message = on_message
        self._filters = [
            f"monitor/v1/{site}/{camera}/{kind}" for camera in cameras or "+" for kind in kinds
        ]
        self._clock = SystemClock()
        self._known: LRUCache[tuple[str, str], None] = LRUCache(MAX_KNOWN_ALERTS)
        self._first: MqttConnection | None = None
        self._client = ReconnectingClient(self._take_connection, lambda _: None, address)

    def __enter__(self) -> Self:
        """Connect and subscribe.

        Raises:
            BrokerUnavailableError: The broker cannot be reached, or refuses the connection.
            PublishError: It refuses the subscription.
        """
        self._first = self._subscribe()
        self._client.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.__exit__()

    @property
    def connected(self) -> bool:
        """Whether there is an accepted connection."""
        return self._client.connected

    def _take_connection(self) -> MqttConnection:
        """Return the connection that __enter__ made; later, new ones."""
        first, self._first = self._first, None
        return first or self._subscribe()

    def _subscribe(self) -> MqttConnection:
        connection = connect_broker(
            MqttCredentials.reload(self._settings), self._client_id, on_message=self._receive
        )
        with ExitStack() as unless_subscribed:
            unless_subscribed.callback(connection.close)
            connection.subscribe(self._filters)
            unless_subscribed.pop_all()
        return connection

    def _receive(self, message: MQTTMessage) -> None:
        arrived_at, payload = self._clock.now(), bytes(message.payload)
        if message.topic.endswith("/alert") and self._is_repeated(payload):
            return
        self._on_message(Received(message.topic, payload, message.retain, arrived_at))

    def _is_repeated(self, payload: bytes) -> bool:
        """Whether this state of this alert was passed on already."""
        try:
            body = json.loads(payload)
            key = (str(body["id"]), str(body["seq"]))
        except (ValueError, KeyError, TypeError, RecursionError):  # not one of our messages
            return False
        if key in self._known:
            return True
        self._known[key] = None
        return False
