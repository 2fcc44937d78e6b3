"""Publishing over MQTT, QoS 1, and keeping the connection to the broker."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Self

from monitor.config.schema import Mqtt
from monitor.errors import BrokerUnavailableError, PublishError
from monitor.publish import NO_PROPERTIES, Receipt
from monitor.publish.contract.payload import status_topic
from monitor.publish.mqtt.command_queue import CommandQueue
from monitor.publish.mqtt.connection import NO_ANSWER, MqttConnection, Will, dial
from monitor.publish.mqtt.credentials import MqttCredentials
from monitor.runtime.backoff import Backoff
from monitor.runtime.repeat_log import RepeatLog
from monitor.runtime.stop import StopSwitch

log = logging.getLogger(__name__)

RECONNECT_FIRST_S = 0.2
RECONNECT_LIMIT_S = 5.0
POLL_S = 60.0  # how late a stop may be noticed by a connection that stands
SHORT_LIVED = " at once; if this repeats, give each program a client_id of its own"
TAKEN_OVER = "Session taken over"  # what MQTT 5 brokers tell who is thrown out
_OWN_NAME = ": another program has our client_id; give each program a client_id of its own"
JOIN_S = 1.0  # a name look-up cannot be interrupted; a daemon thread may be left in one

ONLINE = b"online"
OFFLINE = b"offline"


class ReconnectingClient:
    """Opens a connection within the block, and another one whenever it is lost.

    Thread-safe; a thread of its own does the work.

    Args:
        opener: Gives an accepted connection, ready for use, or raises PublishError.
        farewell: What to do with a connection before it is closed at the end of the block.
        address: Of the broker, for messages.
        settled_s: A connection that stood for this long was a success: the next loss is
            followed by the shortest delay.
    """

    def __init__(
        self,
        opener: Callable[[], MqttConnection],
        farewell: Callable[[MqttConnection], None],
        address: str,
        *,
        settled_s: float = RECONNECT_LIMIT_S,
    ) -> None:
        self._opener = opener
        self._farewell = farewell
        self._address = address
        self._settled_s = settled_s
        self._stop = StopSwitch()
        self._lock = threading.Lock()  # guards the three below
        self._connection: MqttConnection | None = None
        self._connections = 0
        self._reason = "not connected yet"
        self._failures = RepeatLog(log)
        self._thread = threading.Thread(target=self._keep, name="mqtt", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stop.request()
            connection = self._connection
        if connection is not None:
            self._part(connection)
        self._thread.join(JOIN_S)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and the connection stands."""
        with self._lock:
            return self._connection is not None and self._connection.ended is None

    @property
    def connections(self) -> int:
        """How many connections there have been."""
        with self._lock:
            return self._connections

    def connection(self) -> MqttConnection:
        """The one that stands.

        Raises:
            BrokerUnavailableError: There is none; its text says why.
        """
        with self._lock:
            if self._connection is None:
                raise BrokerUnavailableError(self._reason)
            return self._connection

    def _keep(self) -> None:
        backoff = Backoff(RECONNECT_FIRST_S, RECONNECT_LIMIT_S)
        while not self._stop.requested:
            try:
                self._use(self._opener(), backoff)
            except PublishError as error:
                self._note_failure(str(error))
            self._stop.wait(backoff.next_delay_s())

    def _use(self, connection: MqttConnection, backoff: Backoff) -> None:
        """Hold one connection until it is over.

        Raises:
            BrokerUnavailableError: It was lost.
        """
        with self._lock:
            stopped = self._stop.requested
            if not stopped:
                self._connection = connection
                self._connections += 1
        if stopped:  # after __exit__ has looked, so it is for us to close this one
            self._part(connection)
            return
        log.info("%s: connected, MQTT %s", self._address, connection.version)
        hint = SHORT_LIVED
        # Two programs with one name throw each other out at once: that must not look like
        # success, or both would try without a pause.
        if not connection.wait(self._settled_s):
            backoff.reset()
            hint = ""
            self._failures.reset()
        while not (connection.wait(POLL_S) or self._stop.requested):
            pass
        if TAKEN_OVER in str(connection.ended):
            hint = _OWN_NAME
        elif NO_ANSWER in str(connection.ended):
            hint = ""
        with self._lock:
            self._connection = None
            self._reason = f"{self._address}: {connection.ended}{hint}"
        connection.close()
        if not self._stop.requested:
            raise BrokerUnavailableError(self._reason)

    def _part(self, connection: MqttConnection) -> None:
        if connection.ended is None:
            self._farewell(connection)
        connection.close()

    def _note_failure(self, reason: str) -> None:
        """Keep the reason for those who want to send, and log it."""
        with self._lock:
            self._reason = reason
        self._failures.write(logging.WARNING, "%s; trying again", reason, key=reason)


class MqttPublisher:
    """A Broker that tells everybody, retained, whether this site is online.

    Reconnects by itself within the block; meanwhile ``publish`` fails at once. Nothing is
    kept back here: what was not acknowledged is its sender's to send again.

    Args:
        settings: Where the broker is and who we are.
        site: The name in the topics.
        commands: Takes what others send us; None is nothing.

    Raises:
        ConfigError: A file that the settings name cannot be used.
    """

    def __init__(self, settings: Mqtt, site: str, commands: CommandQueue | None = None) -> None:
        self._commands = commands
        self._settings = settings
        self._address = MqttCredentials.of(settings).address
        self._client_id = settings.client_id or f"monitor-{site}"
        self._status_topic = status_topic(site)
        self._client = ReconnectingClient(self._open, self._leave, self._address)

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.__exit__()

    @property
    def connected(self) -> bool:
        """See Broker."""
        return self._client.connected

    @property
    def connections(self) -> int:
        """See Broker."""
        return self._client.connections

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_s: int | None = None,
        properties: Mapping[str, str] = NO_PROPERTIES,
    ) -> None:
        """See Publisher."""
        self._client.connection().publish(
            topic, payload, retain=retain, expiry_s=expiry_s, properties=properties
        )

    def send(
        self, topic: str, payload: bytes, *, properties: Mapping[str, str] = NO_PROPERTIES
    ) -> Receipt:
        """See Sender."""
        return self._client.connection().send(topic, payload, properties=properties)

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Publish the answer to a command. Raises as ``publish``."""
        self._client.connection().answer(topic, payload, correlation)

    def _open(self) -> MqttConnection:
        will = Will(self._status_topic, OFFLINE)
        on_message = None if self._commands is None else self._commands.receive
        connection = dial(
            MqttCredentials.now(self._settings), self._client_id, will=will, on_message=on_message
        )
        self._announce(connection, ONLINE)
        for topics in () if self._commands is None else self._commands.filters:
            self._subscribe(connection, topics)
        return connection

    def _subscribe(self, connection: MqttConnection, topics: str) -> None:
        """Ask for requests. Alerts matter more, so a refusal is only logged."""
        try:
            connection.subscribe([topics])
        except PublishError as error:
            log.warning("%s; nothing can be asked of us on %s", error, topics)

    def _leave(self, connection: MqttConnection) -> None:
        self._announce(connection, OFFLINE)

    def _announce(self, connection: MqttConnection, status: bytes) -> None:
        """Say how we are. Alerts matter more, so a refusal is only logged."""
        try:
            connection.publish(self._status_topic, status, retain=True)
        except PublishError as error:
            log.warning("%s; others cannot see that this site is %s", error, status.decode())
