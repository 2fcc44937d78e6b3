"""Stand-ins for the connection to a broker."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitor.errors import BrokerUnavailableError, PublishError
from monitor.publish import NO_PROPERTIES


@dataclass(frozen=True)
class Outcome:
    """A Receipt that confirms, or raises the given error."""

    error: PublishError | None = None

    def wait_ack(self) -> None:
        if self.error is not None:
            raise self.error


class FakeSender:
    """A Sender that raises the given failures first, and then takes everything.

    Args:
        failures: Raised first, one per call.
        refused: Topics that the broker takes no messages of.
    """

    def __init__(self, failures: Sequence[PublishError] = (), refused: Iterable[str] = ()) -> None:
        self.refused = set(refused)
        self.asked: list[tuple[str, bytes]] = []
        self.received: list[bytes] = []
        self.properties: list[Mapping[str, str]] = []  # of what was received
        self.taken = threading.Event()  # once something was received
        self._failures = list(failures)

    def send(
        self, topic: str, payload: bytes, *, properties: Mapping[str, str] = NO_PROPERTIES
    ) -> Outcome:
        self.asked.append((topic, payload))
        if self._failures:
            raise self._failures.pop(0)
        if topic in self.refused:
            return Outcome(PublishError("refused: Not authorized"))
        self.received.append(payload)
        self.properties.append(properties)
        self.taken.set()
        return Outcome()


class SwitchedBroker:
    """A Broker that can be there or not, be slow, and refuse a topic."""

    def __init__(self, *, connected: bool = True) -> None:
        self.sent: list[tuple[str, bytes, int | None]] = []
        self.refused: dict[str, PublishError] = {}
        self.tried: list[str] = []
        self.answering = threading.Event()
        self.answering.set()
        self._connected = connected
        self._connections = int(connected)

    @property
    def connected(self) -> bool:
        return self._connected

    @property
    def connections(self) -> int:
        return self._connections

    def connect(self) -> None:
        self._connected = True
        self._connections += 1

    def disconnect(self) -> None:
        self._connected = False

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_s: int | None = None,
        properties: Mapping[str, str] = NO_PROPERTIES,
    ) -> None:
        assert retain, "late subscribers are to get it"
        assert not properties
        begun_on = self._connections
        self.tried.append(topic)
        self.answering.wait(10)
        if not self._connected or self._connections != begun_on:
            raise BrokerUnavailableError("connection lost")
        if topic in self.refused:
            raise self.refused[topic]
        self.sent.append((topic, payload, expiry_s))
