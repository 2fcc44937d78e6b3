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

CONNECT_TIMEOUT_S = 5.0  # for TCP and TLS, and again for the broker's answer
V5_ANSWER_S = 2.0  # for the answer to MQTT 5: some older brokers cannot even say no
NO_ANSWER = "no acknowledgement"
CLOSE_TIMEOUT_S = 1.0  # for saying goodbye

V5 = MQTTProtocolVersion.MQTTv5
V311 = MQTTProtocolVersion.MQTTv311
_HEADROOM = 1024  # bytes of a packet that are not payload, at most

_ADDRESS_MEND = "check that the broker runs, and its host and port"
_TLS_MEND = "check the broker's certificate and the files under tls"
_MENDS = {
    "Bad user name or password": "check username and password_file",
    "Not authorized": "check username and password_file, and what the broker allows them",
    "Client identifier not valid": "set another client_id",
    "Retain not supported": "let the broker keep retained messages; ours tell who is online",
    "QoS not supported": "let the broker take QoS 1; alerts need it",
}

OnMessage = Callable[[MQTTMessage], None]


class PendingAcks:
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


class VersionRefusedError(BrokerUnavailableError):
    """The broker does not speak this version of MQTT, or said nothing, as some then do."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, when we vanish."""

    topic: str
    payload: bytes


class MqttConnection:
    """An accepted connection that never comes back once it is lost. Thread-safe.

    Paho, when it reconnects, sends again what it still holds, beside what its owner sends
    again: in another order, and twice. So every connection gets a client of its own;
    whoever was told that a message was not acknowledged decides what to send next.

    Args:
        credentials: Where to and as whom.
        client_id: What the broker knows us by. A second connection with it ends the first.
        version: V5 or V311.
        will: Published by the broker when this connection ends without ``close``.
        on_message: Called on the connection's own thread, for subscribers.

    Raises:
        VersionRefusedError: The broker seems not to speak this version.
        BrokerUnavailableError: It cannot be reached, or refuses us; its text says which.
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
        self._client.on_socket_open = _without_delay
        self._acks.attach(self._client)
        try:
            self._open()
        except BrokerUnavailableError:
            self.close()
            raise

    @property
    def version(self) -> str:
        """Of MQTT, for messages."""
        return "5" if self._version is V5 else "3.1.1"

    @property
    def ended(self) -> str | None:
        """Why the connection is over; None while it stands."""
        return self._acks.ended

    def wait(self, timeout_s: float) -> bool:
        """Sleep for up to this long. True as soon as the connection is over."""
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
        self._hand_over(
            topic, payload, self._properties(topic, expiry_s, properties), retain=retain
        ).confirm()

    def send(
        self, topic: str, payload: bytes, *, properties: Mapping[str, str] = NO_PROPERTIES
    ) -> Receipt:
        """See Sender. A broker that does not acknowledge in time loses the connection."""
        return self._hand_over(topic, payload, self._properties(topic, None, properties))

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Publish the answer to a request, with what its sender knows it by. See Publisher."""
        words = self._properties(topic, None, NO_PROPERTIES)
        if words is not None and correlation is not None:
            words.CorrelationData = correlation
        self._hand_over(topic, payload, words).confirm()

    def subscribe(self, filters: Sequence[str]) -> None:
        """Ask for messages, with QoS 1.

        Raises:
            BrokerUnavailableError: No confirmation in time.
            PublishError: The broker refuses one of the filters.
        """
        rc, packet = self._client.subscribe([(topic, 1) for topic in filters])
        self._confirm(rc, packet or 0, ", ".join(filters))

    def close(self) -> None:
        """Say goodbye, so that the will is not published. Calling it again changes nothing."""
        if self._client.disconnect() is MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.wait(CLOSE_TIMEOUT_S)
        self._abort("closed")
        self._client.loop_stop()

    def _open(self) -> None:
        """Connect, and wait for the broker's yes."""
        credentials = self._credentials
        try:
            self._client.connect(credentials.host, credentials.port, credentials.keepalive_s)
        except (OSError, ValueError) as error:  # ValueError: not a host name
            reason = getattr(error, "strerror", None) or str(error)
            mend = _TLS_MEND if isinstance(error, ssl.SSLError) else _ADDRESS_MEND
            raise BrokerUnavailableError(f"{credentials.address}: {reason}; {mend}") from error
        self._client.loop_start()
        timeout_s = V5_ANSWER_S if self._version is V5 else CONNECT_TIMEOUT_S
        answer = self._acks.wait_answer(timeout_s)
        if answer is None:
            reason = self.ended or f"no answer within {timeout_s:g} s"
            raise VersionRefusedError(f"{credentials.address}: {reason}")
        if answer.is_failure:
            old = answer == "Unsupported protocol version"
            kind = VersionRefusedError if old else BrokerUnavailableError
            mend = _MENDS.get(str(answer), "see the broker's log")
            raise kind(f"{credentials.address}: refused: {answer}; {mend}")

    def _hand_over(
        self, topic: str, payload: bytes, properties: Properties | None, *, retain: bool = False
    ) -> "_Sent":
        limit = self._acks.packet_limit
        if limit is not None and len(payload) + _HEADROOM > limit:
            raise PublishError(
                f"{self._credentials.address}: {len(payload)} bytes for {topic} are more than "
                f"the broker takes; raise its limit of {limit}"
            )
        sent = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        if sent.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BrokerUnavailableError(
                f"{self._credentials.address}: {self.ended or 'connection lost'}"
            )
        return _Sent(lambda: self._confirm(sent.rc, sent.mid, topic))

    def _properties(
        self, topic: str, expiry_s: int | None, words: Mapping[str, str]
    ) -> Properties | None:
        if self._version is not V5:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = find_content_type(topic)
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        if words:
            properties.UserProperty = list(words.items())
        return properties

    def _confirm(self, rc: MQTTErrorCode, packet: int, what: str) -> None:
        """Wait for the acknowledgement of one packet."""
        address, timeout_s = self._credentials.address, self._credentials.ack_timeout_s
        if rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BrokerUnavailableError(f"{address}: {self.ended or 'connection lost'}")
        answers = self._acks.wait_ack(packet, timeout_s)
        if answers is None:
            reason = self.ended or f"{NO_ANSWER} within {timeout_s:g} s"
            self._abort(reason)
            raise BrokerUnavailableError(f"{address}: {reason}")
        for answer in answers:
            if answer.is_failure:
                raise PublishError(f"{address}: {what} refused: {answer}; let the broker allow it")

    def _abort(self, reason: str) -> None:
        """End the connection without a word, should it still stand."""
        self._acks.end(reason)
        channel = self._client.socket()
        if isinstance(channel, socket.socket):
            with suppress(OSError):  # it was closed meanwhile
                # Not SSLSocket.shutdown, which drops encryption before it shuts down.
                socket.socket.shutdown(channel, socket.SHUT_RDWR)


def _without_delay(_client: Client, _data: object, channel: object) -> None:
    """Send small packets at once instead of gathering them: an alert is one."""
    if isinstance(channel, socket.socket):
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@dataclass(frozen=True, slots=True)
class _Sent:
    """See Receipt."""

    confirm: Callable[[], None]


def dial(
    credentials: MqttCredentials,
    client_id: str,
    *,
    will: Will | None = None,
    on_message: OnMessage | None = None,
) -> MqttConnection:
    """Connect with MQTT 5, or with 3.1.1 to a broker that is older. See MqttConnection."""
    try:
        return MqttConnection(credentials, client_id, will=will, on_message=on_message)
    except VersionRefusedError:
        return MqttConnection(
            credentials, client_id, version=V311, will=will, on_message=on_message
        )
