"""Commands over a real broker, and the retained announcements."""

from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from monitor.config.schema import Mqtt
from monitor.domain import CameraId
from monitor.publish.contract.homeassistant import build_discovery
from monitor.publish.mqtt.publisher import MqttPublisher
from monitor.publish.outbox.outbox import Outbox
from monitor.publish.outbox.saved_state import SavedState
from tests.support.broker import Mosquitto, Mqtt311Proxy, Witness
from tests.support.fakes import YARD
from tests.support.mqtt_commands import CommandClient, FakeCamera, command_handler
from tests.support.waiting import until

pytestmark = pytest.mark.broker

V5 = MQTTProtocolVersion.MQTTv5
COMMAND = "monitor/v1/site/yard/command"
RESPONSE = COMMAND + "/response"
GATE = CameraId("gate")


def test_a_command_is_carried_out_and_answered_where_the_asker_wants_it(tmp_path: Path) -> None:
    camera = FakeCamera()
    with (
        Mosquitto(tmp_path) as broker,
        command_handler(tmp_path, broker.port, camera),
        CommandClient(broker.port) as asker,
    ):
        asker.ask(b'{"command": "pause", "id": "7"}', answer_to="answers/here")
        message, body = asker.answer()
        assert message.topic == "answers/here"
        assert message.properties.CorrelationData == b"\x00mine"  # type: ignore[union-attr]
        assert body.pop("at")
        assert body == {
            "camera": "yard",
            "command": "pause",
            "id": "7",
            "ok": True,
            "error": None,
        }
        asker.ask(b"resume", answer_to="answers/here")
        assert asker.answer()[1]["ok"] is True
        asker.ask(b" snapshot\n")
        assert asker.answer()[0].topic == RESPONSE
    assert camera.told == ["pause", "resume", "snapshot"]


def test_an_asker_with_mqtt_3_is_answered_on_the_response_topic(tmp_path: Path) -> None:
    """Also when our own connection had to fall back."""
    camera = FakeCamera()
    with (
        Mosquitto(tmp_path) as broker,
        Mqtt311Proxy(broker.port, polite=True) as proxy,
        command_handler(tmp_path, proxy.port, camera),
        CommandClient(broker.port, MQTTProtocolVersion.MQTTv311) as asker,
    ):
        asker.ask(b"pause")
        message, body = asker.answer()
        assert (message.topic, body["ok"]) == (RESPONSE, True)
    assert camera.told == ["pause"]


@pytest.mark.parametrize(
    ("camera", "payload", "error"),
    [
        ("yard", b"reboot", "unknown command"),
        ("yard", b"", "unknown command"),
        ("yard", b"\xff\x00", "unknown command"),
        ("yard", b'{"command": "pause", "file": "/etc/passwd"}', "unknown command"),
        ("yard", b'{"command": "pause", "id": "' + b"x" * 65 + b'"}', "unknown command"),
        ("yard", b"[" * 900, "unknown command"),
        ("yard", b"{" * 1025, "longer than 1024 bytes"),
        ("cellar", b"pause", "no such camera"),
    ],
)
def test_what_cannot_be_done_is_answered_with_an_error(
    tmp_path: Path, camera: str, payload: bytes, error: str
) -> None:
    executor = FakeCamera()
    with (
        Mosquitto(tmp_path) as broker,
        command_handler(tmp_path, broker.port, executor),
        CommandClient(broker.port) as asker,
    ):
        asker.ask(payload, camera=camera)
        _, body = asker.answer()
        assert body["ok"] is False
        assert error in str(body["error"])
        assert body["camera"] == camera
    assert executor.told == []


def test_a_retained_command_is_ignored(tmp_path: Path) -> None:
    """It would be carried out again after each reconnect, for ever."""
    camera = FakeCamera()
    with Mosquitto(tmp_path) as broker, CommandClient(broker.port) as asker:
        with MqttPublisher(Mqtt(port=broker.port, client_id="careless"), "x") as careless:
            until(lambda: careless.connected)
            careless.publish(COMMAND, b"pause", retain=True)
        with command_handler(tmp_path, broker.port, camera):
            asker.ask(b"resume")
            assert asker.answer()[1]["command"] == "resume"
    assert camera.told == ["resume"]


@pytest.mark.parametrize(
    "topic", ["monitor/v1/site/yard/alert", "homeassistant/device/x/config", "$SYS/x", "a" * 300]
)
def test_nobody_makes_us_publish_where_only_we_have_something_to_say(
    tmp_path: Path, topic: str
) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        Witness(broker.port, "#") as witness,
        command_handler(tmp_path, broker.port, FakeCamera()),
        CommandClient(broker.port) as asker,
    ):
        asker.ask(b"pause", answer_to=topic)
        asker.ask(b"resume", answer_to="answers/here")
        assert asker.answer()[1]["command"] == "resume"
        assert not witness.payloads(topic)


def test_devices_are_announced_again_when_home_assistant_comes_up(tmp_path: Path) -> None:
    shown = build_discovery("homeassistant", "site", {YARD: "door", GATE: None})
    (yard, gate) = shown
    with (
        Mosquitto(tmp_path) as broker,
        Witness(broker.port, "homeassistant/device/#") as witness,
        command_handler(tmp_path, broker.port, FakeCamera(), shown),
    ):
        until(lambda: witness.payloads(gate), "the devices")
        with MqttPublisher(Mqtt(port=broker.port, client_id="ha"), "x") as home_assistant:
            until(lambda: home_assistant.connected)
            home_assistant.publish("homeassistant/status", b"offline")
            home_assistant.publish("homeassistant/status", b"online")
        until(lambda: len(witness.payloads(gate)) == 2, "the devices, again")
        assert witness.payloads(yard) == [shown[yard]] * 2
        broker.restart()
        until(lambda: len(witness.payloads(gate)) >= 3, "the devices, after a reconnect")


def test_a_camera_that_is_no_longer_configured_is_taken_back(tmp_path: Path) -> None:
    both = build_discovery("homeassistant", "site", {YARD: None, GATE: None})
    yard, gate = both
    with Mosquitto(tmp_path) as broker:
        with Witness(broker.port, "homeassistant/#") as witness:
            with command_handler(tmp_path, broker.port, FakeCamera(), both):
                until(lambda: witness.payloads(gate), "the devices")
            with command_handler(tmp_path, broker.port, FakeCamera(), {yard: both[yard]}):
                until(lambda: witness.payloads(gate)[-1:] == [b""], "the farewell")
                until(lambda: len(witness.payloads(yard)) == 2, "the one that stays")
        with Witness(broker.port, "homeassistant/#") as late:
            until(lambda: late.messages, "what is retained")
            assert {m.topic for m in late.messages} == {yard}
    with Outbox(tmp_path / "outbox") as outbox:
        assert SavedState(outbox.file).read_retained_topics() == {
            yard,
            "monitor/v1/site/yard/state",
        }
