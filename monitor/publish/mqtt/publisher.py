"""Publishing over MQTT with QoS 1, and reconnecting to the broker."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Self

from monitor.config.schema import Mqtt
from monitor.errors import BrokerUnavailableError, PublishError
from monitor.publish import NO_PROPERTIES, Receipt
from monitor.publish.contract.payload import status_topic
from monitor.publish.mqtt.command_queue import CommandQueue
from monitor.publish.mqtt.connection import NO_ACK, MqttConnection, Will, connect_broker
from monitor.publish.mqtt.credentials import MqttCredentials
from monitor.runtime.backoff import Backoff
from monitor.runtime.repeat_log import RepeatLog
from monitor.runtime.stop import StopSwitch

log = logging.getLogger(__name__)

RECONNECT_FIRST_S = 0.2
RECONNECT_LIMIT_S = 5.0
POLL_S = 60.0  # how late a stop is noticed while a connection is open
SHORT_LIVED_HINT = " at once; if this repeats, give each program a client_id of its own"
TAKEN_OVER = (
    "Session taken over"  # MQTT 5's reason when another client has connected with the same id
)
_CLIENT_ID_HINT = ": another program has our client_id; give each program a client_id of its own"
JOIN_S = 1.0  # a name look-up cannot be interrupted; the daemon thread may remain in one

ONLINE = b"online"
OFFLINE = b"offline"


class ReconnectingClient:
    """Keeps a connection open within the block; reconnects whenever it is lost.

    Thread-safe; it works on its own thread.

    Args:
        connect: Returns an accepted connection, ready for use, or raises PublishError.
        before_close: Called with a connection before it is closed at the end of the block.
        address: The broker's, for messages.
        stable_s: After a connection that lasted this long, the next loss is followed by the
            shortest delay.
    """

    def __init__(
        self,
        connect: Callable[[], MqttConnection],
        before_close: Callable[[MqttConnection], None],
        address: str,
        *,
        stable_s: float = RECONNECT_LIMIT_S,
    ) -> None:
        self._connect = connect
        self._before_close = before_close
        self._address = address
        self._stable_s = stable_s
        self._stop = StopSwitch()
        self._lock = threading.Lock()  # guards the three below
        self._connection: MqttConnection | None = None
        self._connections = 0
        self._reason = "not connected yet"
        self._failures = RepeatLog(log)
        self._thread = threading.Thread(target=self._stay_connected, name="mqtt", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stop.request()
            connection = self._connection
        if connection is not None:
            self._close_connection(connection)
        self._thread.join(JOIN_S)

    @property
    def connected(self) -> bool:
        """Whether there is an accepted connection."""
        with self._lock:
            return self._connection is not None and self._connection.ended is None

    @property
    def connections(self) -> int:
        """Number of connections so far."""
        with self._lock:
            return self._connections

    def connection(self) -> MqttConnection:
        """Return the open connection.

        Raises:
            BrokerUnavailableError: There is none; the text says why.
        """
        with self._lock:
            if self._connection is None:
                raise BrokerUnavailableError(self._reason)
            return self._connection

    def _stay_connected(self) -> None:
        backoff = Backoff(RECONNECT_FIRST_S, RECONNECT_LIMIT_S)
        while not self._stop.requested:
            try:
                self._hold_connection(self._connect(), backoff)
            except PublishError as error:
                self._record_failure(str(error))
            self._stop.wait(backoff.next_delay_s())

    def _hold_connection(self, connection: MqttConnection, backoff: Backoff) -> None:
        """Hold one connection until it ends.

        Raises:
            BrokerUnavailableError: It was lost.
        """
        with self._lock:
            stopped = self._stop.requested
            if not stopped:
                self._connection = connection
                self._connections += 1
        if stopped:  # __exit__ has run already and has not closed this one
            self._close_connection(connection)
            return
        log.info("%s: connected, MQTT %s", self._address, connection.version)
        hint = SHORT_LIVED_HINT
        # Two programs with one client id disconnect each other at once. That must not count
        # as success, or both would reconnect without a pause.
        if not connection.wait_ended(self._stable_s):
            backoff.reset()
            hint = ""
            self._failures.reset()
        while not (connection.wait_ended(POLL_S) or self._stop.requested):
            pass
        if TAKEN_OVER in str(connection.ended):
            hint = _CLIENT_ID_HINT
        elif NO_ACK in str(connection.ended):
            hint = ""
        with self._lock:
            self._connection = None
            self._reason = f"{self._address}: {connection.ended}{hint}"
        connection.close()
        if not self._stop.requested:
            raise BrokerUnavailableError(self._reason)

    def _close_connection(self, connection: MqttConnection) -> None:
        if connection.ended is None:
            self._before_close(connection)
        connection.close()

    def _record_failure(self, reason: str) -> None:
        """Keep the reason for ``connection``, and log it."""
        with self._lock:
            self._reason = reason
        self._failures.write(logging.WARNING, "%s; trying again", reason, key=reason)


class MqttPublisher:
    """A Broker that also publishes, retained, whether this site is online.

    Reconnects by itself within the block; meanwhile ``publish`` fails at once. Nothing is
    queued here: the sender repeats messages that were not acknowledged.

    Args:
        settings: The broker's address, and credentials.
        site: The site's name in the topics.
        commands: Receives commands; None subscribes to none.

    Raises:
        ConfigError: A file that the settings name cannot be used.
    """

    def __init__(self, settings: Mqtt, site: str, commands: CommandQueue | None = None) -> None:
        self._commands = commands
        self._settings = settings
        self._address = MqttCredentials.from_settings(settings).address
        self._client_id = settings.client_id or f"monitor-{site}"
        self._status_topic = status_topic(site)
        self._client = ReconnectingClient(self._connect, self._announce_offline, self._address)

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

    def publish_response(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Publish the response to a command. Raises as ``publish``."""
        self._client.connection().publish_response(topic, payload, correlation)

    def _connect(self) -> MqttConnection:
        will = Will(self._status_topic, OFFLINE)
        on_message = None if self._commands is None else self._commands.receive
        connection = connect_broker(
            MqttCredentials.reload(self._settings),
            self._client_id,
            will=will,
            on_message=on_message,
        )
        self._publish_status(connection, ONLINE)
        for topics in () if self._commands is None else self._commands.filters:
            self._subscribe(connection, topics)
        return connection

    def _subscribe(self, connection: MqttConnection, topics: str) -> None:
        """Subscribe to commands. A refusal is only logged, as alerts still work."""
        try:
            connection.subscribe([topics])
        except PublishError as error:
            log.warning("%s; commands on %s are not received", error, topics)

    def _announce_offline(self, connection: MqttConnection) -> None:
        self._publish_status(connection, OFFLINE)

    def _publish_status(self, connection: MqttConnection, status: bytes) -> None:
        """Publish our status. A refusal is only logged, as alerts still work."""
        try:
            connection.publish(self._status_topic, status, retain=True)
        except PublishError as error:
            log.warning("%s; subscribers cannot see that this site is %s", error, status.decode())
