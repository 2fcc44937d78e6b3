"""How long a connection is kept, and what happens at its ends."""

import logging
import socket
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from monitor.config.schema import Mqtt
from monitor.errors import BrokerUnavailableError
from monitor.publish.mqtt.connection import MqttConnection, connect_broker
from monitor.publish.mqtt.credentials import MqttCredentials
from monitor.publish.mqtt.publisher import MqttPublisher, ReconnectingClient
from tests.support.broker import Mosquitto
from tests.support.waiting import until

pytestmark = pytest.mark.broker


def nothing(_: MqttConnection) -> None:
    """No farewell."""


def test_after_a_connection_that_stood_the_next_comes_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Mosquitto(tmp_path) as broker:
        credentials = MqttCredentials.from_settings(Mqtt(port=broker.port))
        with ReconnectingClient(
            lambda: connect_broker(credentials, "x"), nothing, credentials.address, stable_s=0.1
        ) as client:
            for connections in (1, 2, 3, 4):
                until(lambda n=connections: client.connections == n and client.connected)  # type: ignore[misc]
                time.sleep(0.2)  # it has settled
                lost = time.monotonic()
                broker.restart()
            until(lambda: client.connections == 5)
            assert time.monotonic() - lost < 1.5, "delays do not grow from loss to loss"
    assert "connection lost; trying again" in caplog.text
    assert "client_id" not in caplog.text, "no other program is suspected of using our client id"


def test_the_reason_of_a_loss_is_given_to_whoever_wants_to_send(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        credentials = MqttCredentials.from_settings(Mqtt(port=broker.port))
        with ReconnectingClient(
            lambda: connect_broker(credentials, "x"), nothing, credentials.address
        ) as client:
            until(lambda: client.connected)
            broker.kill()
            until(lambda: not client.connected)
            with pytest.raises(BrokerUnavailableError, match=credentials.address):
                client.connection().publish("t", b"")


def test_a_connection_that_comes_after_the_end_is_closed_politely(tmp_path: Path) -> None:
    """Stopped while it was connecting: it must not leave the site shown as online."""
    opening, go_on = threading.Event(), threading.Event()
    left: list[MqttConnection] = []
    with Mosquitto(tmp_path) as broker:
        credentials = MqttCredentials.from_settings(Mqtt(port=broker.port))

        def slow() -> MqttConnection:
            opening.set()
            go_on.wait(10)
            return connect_broker(credentials, "x")

        with ReconnectingClient(slow, left.append, credentials.address) as client:
            assert opening.wait(10)
        go_on.set()
        until(lambda: left and left[0].ended)
        assert not client.connected
        assert client.connections == 0


def test_a_stopped_client_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Mosquitto(tmp_path) as broker:
        credentials = MqttCredentials.from_settings(Mqtt(port=broker.port))
        with ReconnectingClient(
            lambda: connect_broker(credentials, "x"), nothing, credentials.address
        ) as client:
            until(lambda: client.connected)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (b"\x8b", "Server shutting down"),
        (b"\x8e", "Session taken over: another program has our client_id; give each program"),
    ],
)
def test_the_reason_that_the_broker_gives_for_ending_is_passed_on(
    code: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        with MqttPublisher(Mqtt(port=server.getsockname()[1]), "site"):
            peer, _ = server.accept()
            peer.recv(65536)  # CONNECT
            peer.sendall(b"\x20\x03\x00\x00\x00")  # CONNACK, success
            peer.recv(65536)  # PUBLISH: we are online
            peer.sendall(b"\xe0\x02" + code + b"\x00")  # DISCONNECT
            until(lambda: reason in caplog.text)
        peer.close()
