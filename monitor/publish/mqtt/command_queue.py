"""Commands received from the broker, waiting to be executed."""

import logging
import queue
from collections.abc import Sequence
from dataclasses import dataclass

from paho.mqtt.client import MQTTMessage

from monitor.publish.contract.models import COMMAND_BYTES
from monitor.runtime.repeat_log import RepeatLog

log = logging.getLogger(__name__)

MAX_WAITING = 64  # requests; more are dropped


@dataclass(frozen=True, slots=True)
class Request:
    """One received message. Its content is untrusted."""

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None = None  # MQTT 5 only
    correlation: bytes | None = None  # MQTT 5 only


class CommandQueue:
    """A bounded queue of requests. Thread-safe.

    Args:
        filters: Topics to subscribe to.
    """

    def __init__(self, filters: Sequence[str]) -> None:
        self.filters = tuple(filters)
        self._drops = RepeatLog(log)
        self._waiting: queue.Queue[Request] = queue.Queue(MAX_WAITING)

    def receive(self, message: MQTTMessage) -> None:
        """Put a message into the queue. Called on the connection's thread; never blocks."""
        properties = message.properties
        request = Request(
            message.topic,
            bytes(message.payload[: COMMAND_BYTES + 1]),  # enough to detect that it is too long
            message.retain,
            getattr(properties, "ResponseTopic", None),
            getattr(properties, "CorrelationData", None),
        )
        try:
            self._waiting.put_nowait(request)
        except queue.Full:
            self._drops.write(
                logging.WARNING, "%s: dropped: %d requests are waiting", message.topic, MAX_WAITING
            )

    def take(self, timeout_s: float) -> Request | None:
        """Return the oldest request; None if none comes in time."""
        try:
            return self._waiting.get(timeout=timeout_s)
        except queue.Empty:
            return None
