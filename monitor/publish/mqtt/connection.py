"""One connection to a broker, from CONNECT to its end."""

import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from monitor.errors import BrokerUnavailableError, PublishError
from monitor.publish import NO_PROPERTIES, Receipt
from monitor.publish.contract.payload import find_content_type
from monitor.publish.mqtt.credentials import MqttCredentials

CONNECT_TIMEOUT_S = 5.0  # for TCP and TLS, and again for CONNACK
V5_TIMEOUT_S = 2.0  # for CONNACK under MQTT 5: some older brokers never answer
NO_ACK = "no acknowledgement"
CLOSE_TIMEOUT_S = 1.0  # for DISCONNECT

V5 = MQTTProtocolVersion.MQTTv5
V311 = MQTTProtocolVersion.MQTTv311
_HEADROOM = 1024  # bytes of a packet beside its payload, at most

_ADDRESS_HINT = "check that the broker runs, and its host and port"
_TLS_HINT = "check the broker's certificate and the files under tls"
_HINTS = {
    "Bad user name or password": "check username and password_file",
    "Not authorized": "check username and password_file, and what the broker allows them",
    "Client identifier not valid": "set another client_id",
    "Retain not supported": "enable retained messages on the broker; they show who is online",
    "QoS not supported": "enable QoS 1 on the broker; alerts need it",
}

OnMessage = Callable[[MQTTMessage], None]


class PendingAcks:
    """Waits for the broker's replies, which paho's thread brings in. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards the four below
        self._reply: ReasonCode | None = None  # to CONNECT
        self._packet_limit: int | None = None
        self._acks: dict[int, Sequence[ReasonCode]] = {}  # by packet id, until fetched
        self._ended: str | None = None

    @property
    def ended(self) -> str | None:
        """Why the connection has ended; None while it is open."""
        with self._changed:
            return self._ended

    @property
    def packet_limit(self) -> int | None:
        """The broker's Maximum Packet Size in bytes; None if it sets no limit."""
        with self._changed:
            return self._packet_limit

    def attach(self, client: Client) -> None:
        """Set the callbacks of a client."""
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe

    def end(self, reason: str) -> None:
        """Record the end of the connection. The first reason stays."""
        with self._changed:
            self._ended = self._ended or reason
            self._changed.notify_all()

    def wait_end(self, timeout_s: float) -> bool:
        """Wait for the end up to this long. Returns whether the connection has ended."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended is not None, timeout_s)

    def wait_connack(self, timeout_s: float) -> ReasonCode | None:
        """Wait for CONNACK; None if the connection or the time ends first."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._reply is not None or self._ended is not None, timeout_s
            )
            return self._reply

    def wait_ack(self, packet: int, timeout_s: float) -> Sequence[ReasonCode] | None:
        """Wait for the acknowledgement of one packet, by its id; None as in wait_connack."""
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
            self._reply = reason
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
        self._record_acks(packet, [reason])

    def _on_subscribe(
        self,
        _client: Client,
        _data: object,
        packet: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._record_acks(packet, reasons)

    def _record_acks(self, packet: int, reasons: Sequence[ReasonCode]) -> None:
        with self._changed:
            self._acks[packet] = reasons
            self._changed.notify_all()


class VersionRefusedError(BrokerUnavailableError):
    """The broker does not support this version of MQTT, or did not answer."""


@dataclass(frozen=True, slots=True)
class Will:
    """The message that the broker publishes, retained, when the connection is lost."""

    topic: str
    payload: bytes


class MqttConnection:
    """An accepted connection; once lost, it is not restored. Thread-safe.

    When paho reconnects, it sends its unacknowledged messages again, while the outbox sends
    them as well: twice, and in another order. So every connection has its own paho client,
    and the sender of an unacknowledged message decides what to send next.

    Args:
        credentials: The broker's address, the user and TLS.
        client_id: Our id at the broker. A second connection with it ends the first.
        version: V5 or V311.
        will: Published by the broker when this connection ends without ``close``.
        on_message: Called for each received message, on the connection's own thread.

    Raises:
        VersionRefusedError: The broker seems not to support this version.
        BrokerUnavailableError: It cannot be reached, or refuses the connection.
    """

    def __init__(
        self,
        credentials: MqttCredentials,
        client_id: str,
        *,
        version: MQTTProtocolVersion = V5,
        will: Will | None = None,
        on_message: OnMessage | None = None,
    ) -> None:
        self._credentials = credentials
        self._version = version
        self._acks = PendingAcks()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=version, reconnect_on_failure=False
        )
        self._client.connect_timeout = CONNECT_TIMEOUT_S
        self._client.username_pw_set(credentials.username, credentials.password)
        if credentials.tls is not None:
            self._client.tls_set_context(credentials.tls)
        if will is not None:
            self._client.will_set(will.topic, will.payload, qos=1, retain=True)
        if on_message is not None:
            self._client.on_message = lambda _client, _data, message: on_message(message)
        self._client.on_socket_open = _disable_delay
        self._acks.attach(self._client)
        try:
            self._open()
        except BrokerUnavailableError:
            self.close()
            raise

    @property
    def version(self) -> str:
        """The version of MQTT, for messages."""
        return "5" if self._version is V5 else "3.1.1"

    @property
    def ended(self) -> str | None:
        """Why the connection has ended; None while it is open."""
        return self._acks.ended

    def wait_ended(self, timeout_s: float) -> bool:
        """Wait for its end up to this long. Returns whether it has ended."""
        return self._acks.wait_end(timeout_s)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_s: int | None = None,
        properties: Mapping[str, str] = NO_PROPERTIES,
    ) -> None:
        """See Publisher. A broker that does not acknowledge in time loses the connection."""
        self._send(
            topic, payload, self._build_properties(topic, expiry_s, properties), retain=retain
        ).wait_ack()

    def send(
        self, topic: str, payload: bytes, *, properties: Mapping[str, str] = NO_PROPERTIES
    ) -> Receipt:
        """See Sender. A broker that does not acknowledge in time loses the connection."""
        return self._send(topic, payload, self._build_properties(topic, None, properties))

    def publish_response(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Publish a response, with the correlation data of its request. See Publisher."""
        properties = self._build_properties(topic, None, NO_PROPERTIES)
        if properties is not None and correlation is not None:
            properties.CorrelationData = correlation
        self._send(topic, payload, properties).wait_ack()

    def subscribe(self, filters: Sequence[str]) -> None:
        """Subscribe with QoS 1.

        Raises:
            BrokerUnavailableError: No acknowledgement in time.
            PublishError: The broker refuses one of the filters.
        """
        rc, packet = self._client.subscribe([(topic, 1) for topic in filters])
        self._wait_ack(rc, packet or 0, ", ".join(filters))

    def close(self) -> None:
        """Disconnect, so that the will is not published. May be called again."""
        if self._client.disconnect() is MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.wait_ended(CLOSE_TIMEOUT_S)
        self._abort("closed")
        self._client.loop_stop()

    def _open(self) -> None:
        """Connect, and wait until the broker accepts."""
        credentials = self._credentials
        try:
            self._client.connect(credentials.host, credentials.port, credentials.keepalive_s)
        except (OSError, ValueError) as error:  # ValueError: not a host name
            reason = getattr(error, "strerror", None) or str(error)
            hint = _TLS_HINT if isinstance(error, ssl.SSLError) else _ADDRESS_HINT
            raise BrokerUnavailableError(f"{credentials.address}: {reason}; {hint}") from error
        self._client.loop_start()
        timeout_s = V5_TIMEOUT_S if self._version is V5 else CONNECT_TIMEOUT_S
        reply = self._acks.wait_connack(timeout_s)
        if reply is None:
            reason = self.ended or f"no answer within {timeout_s:g} s"
            raise VersionRefusedError(f"{credentials.address}: {reason}")
        if reply.is_failure:
            is_old_version = reply == "Unsupported protocol version"
            error_type = VersionRefusedError if is_old_version else BrokerUnavailableError
            hint = _HINTS.get(str(reply), "see the broker's log")
            raise error_type(f"{credentials.address}: refused: {reply}; {hint}")

    def _send(
        self, topic: str, payload: bytes, properties: Properties | None, *, retain: bool = False
    ) -> "_MqttReceipt":
        limit = self._acks.packet_limit
        if limit is not None and len(payload) + _HEADROOM > limit:
            raise PublishError(
                f"{self._credentials.address}: {len(payload)} bytes for {topic} are more than "
                f"the broker accepts; raise its limit of {limit}"
            )
        sent = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        if sent.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BrokerUnavailableError(
                f"{self._credentials.address}: {self.ended or 'connection lost'}"
            )
        return _MqttReceipt(lambda: self._wait_ack(sent.rc, sent.mid, topic))

    def _build_properties(
        self, topic: str, expiry_s: int | None, user_properties: Mapping[str, str]
    ) -> Properties | None:
        if self._version is not V5:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = find_content_type(topic)
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        if user_properties:
            properties.UserProperty = list(user_properties.items())
        return properties

    def _wait_ack(self, rc: MQTTErrorCode, packet: int, topics: str) -> None:
        """Wait for the acknowledgement of one packet."""
        address, timeout_s = self._credentials.address, self._credentials.ack_timeout_s
        if rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BrokerUnavailableError(f"{address}: {self.ended or 'connection lost'}")
        replies = self._acks.wait_ack(packet, timeout_s)
        if replies is None:
            reason = self.ended or f"{NO_ACK} within {timeout_s:g} s"
            self._abort(reason)
            raise BrokerUnavailableError(f"{address}: {reason}")
        for reply in replies:
            if reply.is_failure:
                raise PublishError(f"{address}: {topics} refused: {reply}; let the broker allow it")

    def _abort(self, reason: str) -> None:
        """Break the connection off if it is still open."""
        self._acks.end(reason)
        channel = self._client.socket()
        if isinstance(channel, socket.socket):
            with suppress(OSError):  # it was closed meanwhile
                # Not SSLSocket.shutdown, which drops encryption before it shuts down.
                socket.socket.shutdown(channel, socket.SHUT_RDWR)


def _disable_delay(_client: Client, _data: object, channel: object) -> None:
    """Set TCP_NODELAY: alerts are small packets."""
    if isinstance(channel, socket.socket):
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@dataclass(frozen=True, slots=True)
class _MqttReceipt:
    """See Receipt."""

    wait_ack: Callable[[], None]


def connect_broker(
    credentials: MqttCredentials,
    client_id: str,
    *,
    will: Will | None = None,
    on_message: OnMessage | None = None,
) -> MqttConnection:
    """Connect with MQTT 5, or with 3.1.1 to an older broker. See MqttConnection."""
    try:
        return MqttConnection(credentials, client_id, will=will, on_message=on_message)
    except VersionRefusedError:
        return MqttConnection(
            credentials, client_id, version=V311, will=will, on_message=on_message
        )
