"""The receiving end, inside one program."""

import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.config.schema import Mqtt
from monitor.errors import BrokerUnavailableError, PublishError
from monitor.publish.mqtt.publisher import MqttPublisher
from monitor.publish.mqtt.subscriber import Received, Subscriber
from tests.support.broker import Mosquitto
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.broker


def body(n: int, seq: int = 1) -> bytes:
    return json.dumps({"id": str(n), "seq": seq}).encode()


def test_everything_of_a_site_arrives_with_its_time_and_each_alert_once(tmp_path: Path) -> None:
    received: list[Received] = []
    with (
        Mosquitto(tmp_path) as broker,
        MqttPublisher(Mqtt(port=broker.port), "site") as publisher,
    ):
        until(lambda: publisher.connected)
        publisher.publish("monitor/v1/site/yard/state", b"{}", retain=True)
        publisher.publish("monitor/v1/another/yard/state", b"{}", retain=True)
        with Subscriber(Mqtt(port=broker.port), received.append, site="site") as subscriber:
            assert subscriber.connected or not received
            for seq in (1, 1, 2, 1):
                publisher.publish("monitor/v1/site/yard/alert", body(1, seq))
            publisher.publish("monitor/v1/site/yard/alert", b"[" * 100_000)
            publisher.publish("monitor/v1/site/yard/snapshot", b"jpeg")
            until(lambda: received and received[-1].payload == b"jpeg")
    topics = [r.topic.removeprefix("monitor/v1/site/yard/") for r in received]
    assert topics == ["state", "alert", "alert", "alert", "snapshot"]
    assert [r.payload for r in received[1:3]] == [body(1, 1), body(1, 2)]
    assert [r.retained for r in received] == [True, False, False, False, False]
    assert all(datetime.now(UTC) - r.arrived_at < timedelta(minutes=1) for r in received)


def test_cameras_and_kinds_can_be_chosen(tmp_path: Path) -> None:
    received: list[Received] = []
    with (
        Mosquitto(tmp_path) as broker,
        MqttPublisher(Mqtt(port=broker.port), "site") as publisher,
        Subscriber(
            Mqtt(port=broker.port), received.append, cameras=["yard", "gate"], kinds=["alert"]
        ),
    ):
        until(lambda: publisher.connected)
        for n, topic in enumerate(("hall/alert", "yard/state", "gate/alert", "yard/alert")):
            publisher.publish(f"monitor/v1/site/{topic}", body(n))
        until(lambda: len(received) == 2)
    assert [r.topic.split("/")[3] for r in received] == ["gate", "yard"]


def test_it_hears_again_after_the_broker_was_away(tmp_path: Path) -> None:
    received: list[Received] = []
    with (
        Mosquitto(tmp_path) as broker,
        MqttPublisher(Mqtt(port=broker.port), "site") as publisher,
        Subscriber(Mqtt(port=broker.port), received.append) as subscriber,
    ):
        until(lambda: publisher.connected and subscriber.connected)
        broker.kill()
        until(lambda: not subscriber.connected and not publisher.connected)
        broker.start()
        until(lambda: publisher.connected and subscriber.connected)
        publisher.publish("monitor/v1/site/yard/alert", body(1))
        until(lambda: received)
    assert [r.payload for r in received] == [body(1)]


def test_a_broker_that_is_not_there_is_reported_at_once() -> None:
    with (
        pytest.raises(BrokerUnavailableError, match="Connection refused"),
        Subscriber(Mqtt(port=free_port()), print),
    ):
        pass


def test_a_refused_subscription_leaves_no_connection_behind() -> None:
    """Else every try of `monitor listen` to come back would leave one, and its thread."""
    heard: list[bytes] = []

    def refuse(server: socket.socket) -> None:
        channel, _ = server.accept()
        with channel:
            channel.settimeout(3)
            channel.recv(65536)
            channel.sendall(b"\x20\x03\x00\x00\x00")  # CONNACK of MQTT 5: welcome
            packet = channel.recv(65536)[2:4]
            channel.sendall(b"\x90\x04" + packet + b"\x00\x87")  # SUBACK: not authorized
            heard.append(channel.recv(65536))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=refuse, args=(server,))
        thread.start()
        settings = Mqtt(port=server.getsockname()[1])
        with (
            pytest.raises(PublishError, match="refused: Not authorized"),
            Subscriber(settings, print, kinds=["alert"]),
        ):
            pass
        thread.join(5)
    assert heard[0][:1] == b"\xe0", "DISCONNECT"
    assert not [each for each in threading.enumerate() if each.name.startswith("paho")]
