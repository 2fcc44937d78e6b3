"""The demo's own broker, asked by a real client."""

import logging
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from monitor.config.schema import Mqtt
from monitor.demo.broker import DemoBroker
from monitor.publish.mqtt.publisher import MqttPublisher
from monitor.publish.mqtt.subscriber import Received, Subscriber
from tests.support.waiting import until

DEADLINE_S = 10
STOP_S = 2.0


@pytest.fixture
def broker() -> Iterator[DemoBroker]:
    with DemoBroker() as running:
        yield running


class Listener:
    """A client that has subscribed, and what it got."""

    def __init__(self, name: str) -> None:
        self.client = Client(CallbackAPIVersion.VERSION2, name)
        self.messages: queue.Queue[MQTTMessage] = queue.Queue()
        self.subscribed = threading.Event()
        self.client.on_message = lambda _client, _data, message: self.messages.put(message)
        self.client.on_subscribe = lambda *_: self.subscribed.set()

    def next(self) -> MQTTMessage:
        return self.messages.get(timeout=DEADLINE_S)


@contextmanager
def running(client: Client, broker: DemoBroker, keepalive_s: int = 20) -> Iterator[Client]:
    client.connect("127.0.0.1", broker.port, keepalive_s)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def listening(broker: DemoBroker, topic: str, name: str = "listener") -> Iterator[Listener]:
    listener = Listener(name)
    with running(listener.client, broker):
        listener.client.subscribe(topic, qos=1)
        assert listener.subscribed.wait(DEADLINE_S)
        yield listener


def test_a_message_of_qos_1_is_acknowledged_and_arrives(broker: DemoBroker) -> None:
    speaker = Client(CallbackAPIVersion.VERSION2, "speaker")
    with listening(broker, "monitor/v1/+/+/alert") as listener, running(speaker, broker):
        receipt = speaker.publish("monitor/v1/shop/yard/alert", b'{"seq":0}', qos=1)
        receipt.wait_for_publish(DEADLINE_S)
        message = listener.next()
    assert receipt.is_published()
    assert (message.topic, message.payload) == ("monitor/v1/shop/yard/alert", b'{"seq":0}')
    assert message.qos == 1
    assert not message.retain


def test_hundreds_of_messages_arrive_once_and_in_order(broker: DemoBroker) -> None:
    speaker = Client(CallbackAPIVersion.VERSION2, "speaker")
    sent = [str(number).encode() for number in range(300)]
    with listening(broker, "a") as listener, running(speaker, broker):
        for payload in sent:
            speaker.publish("a", payload, qos=1)
        received = [listener.next().payload for _ in sent]
    assert received == sent
    assert listener.messages.empty()


def test_a_late_subscriber_gets_the_newest_retained_message(broker: DemoBroker) -> None:
    speaker = Client(CallbackAPIVersion.VERSION2, "speaker")
    with running(speaker, broker):
        for payload in (b"old", b"new"):
            speaker.publish("monitor/v1/shop/status", payload, 1, retain=True).wait_for_publish(
                DEADLINE_S
            )
        with listening(broker, "monitor/v1/shop/#") as listener:
            message = listener.next()
    assert message.payload == b"new"
    assert message.retain


def test_a_picture_of_a_megabyte_passes(broker: DemoBroker) -> None:
    picture = bytes(range(256)) * 4096
    speaker = Client(CallbackAPIVersion.VERSION2, "speaker")
    with listening(broker, "snapshot") as listener, running(speaker, broker):
        speaker.publish("snapshot", picture, qos=1)
        assert listener.next().payload == picture


def test_the_will_of_a_client_that_vanishes_is_published_and_kept(broker: DemoBroker) -> None:
    with listening(broker, "status") as listener:
        with socket.create_connection(("127.0.0.1", broker.port)) as client:
            client.sendall(connect_packet(level=4, will=True))
            assert client.recv(4) == bytes([0x20, 2, 0, 0])
        assert listener.next().payload == b"offline"
    with listening(broker, "status", "late") as late:
        kept = late.next()
    assert (kept.payload, kept.retain) == (b"offline", True)


def test_an_orderly_goodbye_publishes_no_will(broker: DemoBroker) -> None:
    speaker = Client(CallbackAPIVersion.VERSION2, "speaker")
    speaker.will_set("status", b"offline", 1, retain=True)
    with listening(broker, "status") as listener:
        with running(speaker, broker):
            speaker.publish("status", b"online", qos=1).wait_for_publish(DEADLINE_S)
        assert listener.next().payload == b"online"
        listener.client.publish("status", b"after", qos=1).wait_for_publish(DEADLINE_S)
        assert listener.next().payload == b"after"


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(lambda _client: None, id="plain"),
        pytest.param(lambda client: client.will_set("status", b"offline", 1), id="with a will"),
        pytest.param(lambda client: client.username_pw_set("guard", "x"), id="with a user"),
    ],
)
def test_mqtt_5_is_refused_at_once_with_the_reason(
    broker: DemoBroker, prepare: Callable[[Client], None]
) -> None:
    answers: queue.Queue[ReasonCode] = queue.Queue()
    gone = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, "five", protocol=MQTTProtocolVersion.MQTTv5)
    prepare(client)

    def on_connect(
        _client: Client,
        _data: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _: Properties | None,
    ) -> None:
        answers.put(reason)

    def on_disconnect(
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        _reason: ReasonCode,
        _: Properties | None,
    ) -> None:
        gone.set()

    client.on_connect = on_connect
    client.on_disconnect = on_disconnect
    started = time.monotonic()
    with running(client, broker):
        answer = answers.get(timeout=DEADLINE_S)
        assert gone.wait(DEADLINE_S)
    assert time.monotonic() - started < STOP_S
    assert answer.is_failure
    assert answer.getName() == "Unsupported protocol version"


def test_our_own_publisher_and_subscriber_fall_back_and_meet(broker: DemoBroker) -> None:
    settings = Mqtt(port=broker.port)
    received: queue.Queue[Received] = queue.Queue()
    started = time.monotonic()
    with Subscriber(settings, received.put, site="shop"), MqttPublisher(settings, "shop") as ours:
        until(lambda: ours.connected, "the publisher to be connected")
        ours.publish("monitor/v1/shop/yard/alert", b'{"id":"1","seq":0}')
        message = received.get(timeout=DEADLINE_S)
    assert message.payload == b'{"id":"1","seq":0}'
    assert time.monotonic() - started < STOP_S
    with listening(broker, "monitor/v1/shop/status") as late:
        assert late.next().payload == b"offline"


def test_other_bytes_than_mqtt_do_no_harm(broker: DemoBroker) -> None:
    for noise in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x10",
    ):
        with socket.create_connection(("127.0.0.1", broker.port)) as client:
            client.sendall(noise)
    speaker = Client(CallbackAPIVersion.VERSION2, "speaker")
    with running(speaker, broker):
        receipt = speaker.publish("a", b"still here", qos=1)
        receipt.wait_for_publish(DEADLINE_S)
    assert receipt.is_published()


def test_only_this_machine_is_served(broker: DemoBroker) -> None:
    with socket.create_server(("127.0.0.2", broker.port)) as free:
        assert free.getsockname() == ("127.0.0.2", broker.port)


def test_it_stops_within_two_seconds_with_clients_connected() -> None:
    with ExitStack() as clients:
        with DemoBroker() as broker:
            clients.enter_context(socket.create_connection(("127.0.0.1", broker.port)))
            clients.enter_context(listening(broker, "#"))
            started = time.monotonic()
        took = time.monotonic() - started
    assert took < STOP_S
    assert "demo-broker" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", broker.port), timeout=1)


def test_it_leaves_the_logs_as_it_found_them(caplog: pytest.LogCaptureFixture) -> None:
    before = logging.getLogger("amqtt").level
    with caplog.at_level(logging.DEBUG), DemoBroker() as broker, listening(broker, "a"):
        pass
    assert logging.getLogger("amqtt").level == before
    assert [record for record in caplog.records if record.name.startswith("amqtt")] == []


def connect_packet(*, level: int, will: bool) -> bytes:
    """A CONNECT of a clean session of 20 s keep-alive, with a retained will on ``status``."""

    def text(value: bytes) -> bytes:
        return len(value).to_bytes(2, "big") + value

    flags = 0b0010_1110 if will else 0b10
    body = text(b"MQTT") + bytes([level, flags, 0, 20]) + text(b"vanishing")
    if will:
        body += text(b"status") + text(b"offline")
    return bytes([0x10, len(body)]) + body
