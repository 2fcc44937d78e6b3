"""What others ask of us over the broker, waiting to be looked at."""

import logging
import queue
from collections.abc import Sequence
from dataclasses import dataclass

from paho.mqtt.client import MQTTMessage

from monitor.publish.contract.models import COMMAND_BYTES
from monitor.runtime.repeat_log import RepeatLog

log = logging.getLogger(__name__)

LIMIT = 64  # requests that wait; more are dropped


@dataclass(frozen=True, slots=True)
class Request:
    """One message to us. Whatever is in it was written by a stranger."""

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None = None  # MQTT 5 only, as is the next
    correlation: bytes | None = None


class CommandQueue:
    """A bounded queue of requests. Thread-safe.

    Args:
        filters: Topics to subscribe to.
    """

    def __init__(self, filters: Sequence[str]) -> None:
        self.filters = tuple(filters)
        self._drops = RepeatLog(log)
        self._waiting: queue.Queue[Request] = queue.Queue(LIMIT)

    def receive(self, message: MQTTMessage) -> None:
        """Take a message in, on the connection's thread; returns at once."""
        properties = message.properties
        request = Request(
            message.topic,
            bytes(message.payload[: COMMAND_BYTES + 1]),  # enough to see that it is too long
            message.retain,
            getattr(properties, "ResponseTopic", None),
            getattr(properties, "CorrelationData", None),
        )
        try:
            self._waiting.put_nowait(request)
        except queue.Full:
            self._drops.write(
                logging.WARNING, "%s: dropped: %d requests are waiting", message.topic, LIMIT
            )

    def take(self, timeout_s: float) -> Request | None:
        """The oldest request; None if there is none in time."""
        try:
            return self._waiting.get(timeout=timeout_s)
        except queue.Empty:
            return None
