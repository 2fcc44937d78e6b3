"""One publisher and a real broker: what it says, what it refuses, how it comes back."""

import json
import logging
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import MQTTMessage

from monitor.config.schema import Mqtt
from monitor.errors import BrokerUnavailableError, ConfigError, PublishError
from monitor.publish.mqtt.publisher import MqttPublisher
from tests.support.broker import Mosquitto, Mqtt311Proxy, Witness
from tests.support.ports import free_port
from tests.support.waiting import until

TOPIC = "monitor/v1/site/yard/alert"
STATUS = "monitor/v1/site/status"


@contextmanager
def publisher(port: int, **settings: object) -> Iterator[MqttPublisher]:
    with MqttPublisher(Mqtt.model_validate({"port": port, **settings}), "site") as opened:
        yield opened


def user_words(message: MQTTMessage) -> dict[str, str]:
    return dict(message.properties.UserProperty)  # type: ignore[union-attr]


def test_an_absent_broker_is_reported_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    with publisher(port) as absent:
        started = time.monotonic()
        with pytest.raises(BrokerUnavailableError):
            absent.publish(TOPIC, b"{}")
        assert time.monotonic() - started < 0.5
        assert not absent.connected
        until(lambda: caplog.records)
        with pytest.raises(BrokerUnavailableError, match=f"127.0.0.1:{port}: Connection refused"):
            absent.publish(TOPIC, b"{}")
    assert [r.levelno for r in caplog.records] == [logging.WARNING], "said once, not each try"
    assert f"127.0.0.1:{port}" in caplog.text


def test_an_unknown_host_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with publisher(1883, host="no..host"):
        until(lambda: caplog.records)
    assert "no..host:1883" in caplog.text


@pytest.mark.broker
def test_it_says_once_that_it_is_connected(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Mosquitto(tmp_path) as broker, publisher(broker.port) as connected:
        until(lambda: connected.connected)
        connected.publish(TOPIC, b"{}")
        assert connected.connections == 1
    said = [r for r in caplog.records if r.name.startswith("monitor")]
    assert [r.getMessage() for r in said] == [f"127.0.0.1:{broker.port}: connected, MQTT 5"]


@pytest.mark.broker
def test_an_alert_carries_its_id_and_type_beside_its_payload(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        Witness(broker.port) as witness,
        publisher(broker.port) as connected,
    ):
        until(lambda: connected.connected)
        connected.publish(TOPIC, b"{}", properties={"id": "a", "seq": "1"})
        connected.publish("monitor/v1/site/yard/state", b"{}", retain=True, expiry_s=60)
        until(lambda: len(witness.messages) == 3)
    online, alert, state = witness.messages[:3]
    assert (online.topic, online.payload) == (STATUS, b"online")
    assert alert.qos == 1
    assert alert.properties is not None
    assert alert.properties.ContentType == "application/json"  # type: ignore[attr-defined]
    assert user_words(alert) == {"id": "a", "seq": "1"}
    assert not hasattr(alert.properties, "MessageExpiryInterval"), "alerts do not expire"
    assert state.properties.MessageExpiryInterval <= 60  # type: ignore[union-attr]


@pytest.mark.broker
def test_a_site_is_online_while_we_are_there_and_offline_after(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        for _ in range(2):
            with publisher(broker.port) as connected:
                until(lambda: connected.connected)
                assert retained(broker.port) == [b"online"]
            assert retained(broker.port) == [b"offline"]


def retained(port: int) -> list[bytes]:
    """The retained status that a new subscriber receives."""
    with Witness(port, STATUS) as late:
        until(lambda: late.messages)
        return late.payloads(STATUS)


@pytest.mark.broker
def test_a_restarted_broker_is_told_again_that_we_are_online(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, publisher(broker.port) as connected:
        until(lambda: connected.connected)
        broker.restart()
        until(lambda: connected.connections == 2 and connected.connected)
        assert retained(broker.port) == [b"online"]


@pytest.mark.broker
def test_a_wrong_password_is_named_and_kept_secret_until_the_broker_knows_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    password = tmp_path / "password"
    password.write_text("hunter2\n")
    broker = Mosquitto(tmp_path)
    broker.require({"box": "another"})
    with (
        broker,
        publisher(broker.port, username="box", password_file=password) as refused,
    ):
        until(lambda: "refused" in caplog.text)
        assert "refused: Not authorized" in caplog.text
        assert "check username and password_file" in caplog.text
        assert not refused.connected
        broker.require({"box": "hunter2"})
        broker.restart()
        until(lambda: refused.connected)
        refused.publish(TOPIC, b"{}")
    assert "hunter2" not in caplog.text
    assert "hunter2" not in repr(vars(refused))


@pytest.mark.parametrize("setting", ["password_file", "ca_file", "certificate_file"])
def test_a_missing_file_is_a_mistake_in_the_configuration(tmp_path: Path, setting: str) -> None:
    missing = tmp_path / "missing"
    files = {setting: missing}
    settings = {"username": "box"} | (files if setting == "password_file" else {"tls": files})
    with pytest.raises(ConfigError, match=f"{missing}: No such file") as caught:
        MqttPublisher(Mqtt.model_validate(settings), "site")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"password_file": "password"}, "set both"),
        ({"tls": {"key_file": "key"}}, "set both"),
    ],
)
def test_half_of_a_pair_of_settings_is_a_mistake(settings: object, remedy: str) -> None:
    with pytest.raises(ConfigError, match=remedy):
        MqttPublisher(Mqtt.model_validate(settings), "site")


def test_a_password_file_that_is_no_text_is_not_quoted(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_bytes(b"hunter2\xff")
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        MqttPublisher(Mqtt(username="box", password_file=password), "site")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.broker
def test_a_message_we_may_not_publish_is_not_taken_for_delivered(tmp_path: Path) -> None:
    """Mosquitto acknowledges what its rights forbid; only the reason in it says so."""
    broker = Mosquitto(tmp_path)
    broker.allow("topic write monitor/v1/site/status", "topic read #")
    with broker, publisher(broker.port) as limited:
        until(lambda: limited.connected)
        with pytest.raises(PublishError, match=f"{TOPIC} refused: Not authorized") as caught:
            limited.publish(TOPIC, b"{}")
        assert not caught.value.retryable
        assert limited.connected, "the other topics still work"


@pytest.mark.broker
def test_alerts_flow_even_where_we_may_not_say_that_we_are_online(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Mosquitto(tmp_path)
    broker.allow(f"topic write {TOPIC}")
    with broker, publisher(broker.port) as limited:
        until(lambda: limited.connected)
        limited.publish(TOPIC, b"{}")
    assert "subscribers cannot see that this site is online" in caplog.text


@pytest.mark.broker
def test_a_picture_too_large_for_the_broker_does_not_cost_the_connection(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path, settings=["max_packet_size 20000"]) as broker,
        publisher(broker.port) as connected,
    ):
        until(lambda: connected.connected)
        with pytest.raises(PublishError, match="raise its limit of 20000"):
            connected.publish("monitor/v1/site/yard/snapshot", b"\xff" * 30_000)
        connected.publish(TOPIC, b"{}")
        assert connected.connections == 1


@pytest.mark.broker
def test_a_broker_that_does_not_acknowledge_is_given_up_and_tried_anew(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, publisher(broker.port, ack_timeout_s=0.3) as connected:
        until(lambda: connected.connected)
        with broker.frozen(), pytest.raises(BrokerUnavailableError, match="no acknowledgement"):
            connected.publish(TOPIC, b"{}")
        until(lambda: connected.connections == 2 and connected.connected)
        connected.publish(TOPIC, b"{}")


@pytest.mark.broker
def test_nothing_is_sent_behind_the_senders_back(tmp_path: Path) -> None:
    """A message reported as failed is not sent once more by the library after a reconnect."""
    with (
        Mosquitto(tmp_path) as broker,
        publisher(broker.port, ack_timeout_s=0.3) as connected,
    ):
        until(lambda: connected.connected)
        with broker.frozen():
            with pytest.raises(BrokerUnavailableError):
                connected.publish(TOPIC, b'{"id": "given up", "seq": 1}')
            broker.kill()
        broker.start()
        with Witness(broker.port) as witness:
            until(lambda: connected.connected)
            connected.publish(TOPIC, b'{"id": "new", "seq": 1}')
            until(witness.keys)
        assert witness.keys() == [("new", 1)]


@pytest.mark.broker
@pytest.mark.parametrize("polite", [True, False])
def test_a_broker_that_knows_only_mqtt_3_1_1_is_served_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, polite: bool
) -> None:
    caplog.set_level(logging.INFO)
    with (
        Mosquitto(tmp_path) as broker,
        Witness(broker.port) as witness,
        Mqtt311Proxy(broker.port, polite=polite) as proxy,
        publisher(proxy.port) as old,
    ):
        until(lambda: old.connected)
        old.publish(TOPIC, json.dumps({"id": "a", "seq": 1}).encode(), properties={"id": "a"})
        until(lambda: witness.keys() == [("a", 1)])
        assert witness.payloads(STATUS) == [b"online"]
        assert "connected, MQTT 3.1.1" in caplog.text


def test_a_port_that_accepts_and_says_nothing_does_not_delay_the_end() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        with publisher(port) as waiting:
            peer, _ = silent.accept()
            started = time.monotonic()
        assert time.monotonic() - started < 4
        peer.close()
    assert not waiting.connected


@pytest.mark.broker
def test_two_programs_with_one_name_are_told_so_and_do_not_storm_the_broker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Mosquitto(tmp_path) as broker, publisher(broker.port) as first:
        until(lambda: first.connected)
        with publisher(broker.port) as second:
            until(lambda: first.connections >= 3)
            assert second.connections <= first.connections + 1
    assert "give each program a client_id of its own" in caplog.text
    said = Counter(record.getMessage() for record in caplog.records)
    assert max(said.values()) <= 2, "each says it once"
