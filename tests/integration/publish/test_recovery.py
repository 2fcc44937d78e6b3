"""Problems at the broker or in a file that are solved without a restart."""

from pathlib import Path

import pytest
from paho.mqtt.client import MQTTMessage

from monitor.config.schema import Mqtt
from monitor.domain import CameraId
from monitor.publish.contract.homeassistant import build_discovery
from monitor.publish.contract.models import COMMAND_BYTES
from monitor.publish.mqtt.command_queue import MAX_WAITING, CommandQueue
from monitor.publish.mqtt.publisher import MqttPublisher
from monitor.publish.mqtt.subscriber import Received, Subscriber
from monitor.publish.retained.retained_topics import RetainedPublisher
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from tests.support.broker import Mosquitto, Witness
from tests.support.mqtt_commands import CommandClient, FakeCamera, command_handler
from tests.support.waiting import until

HEALTH = "monitor/v1/site/health"


@pytest.mark.broker
def test_a_password_file_that_is_mended_is_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator had corrected the file, but the daemon kept using its old content."""
    password = tmp_path / "password"
    password.write_text("wrong")
    broker = Mosquitto(tmp_path)
    broker.require({"box": "right"})
    settings = Mqtt(port=broker.port, username="box", password_file=password)
    with broker, MqttPublisher(settings, "site") as publisher:
        until(lambda: "refused: Not authorized" in caplog.text)
        password.unlink()
        until(lambda: f"mqtt.password_file {password}: No such file" in caplog.text)
        password.write_text("right")
        until(lambda: publisher.connected)
        heard: list[Received] = []
        with Subscriber(settings, heard.append) as subscriber:
            until(lambda: subscriber.connected)
    assert "right" not in caplog.text


@pytest.mark.broker
def test_what_was_refused_is_kept_as_soon_as_the_broker_allows_it(tmp_path: Path) -> None:
    """The health message is sent when it changes: refused once, it was never seen."""
    broker = Mosquitto(tmp_path)
    broker.allow("topic read monitor/#")
    stop = StopSwitch()
    with (
        broker,
        Witness(broker.port) as witness,
        MqttPublisher(Mqtt(port=broker.port), "site") as publisher,
    ):
        retained = RetainedPublisher(publisher, "site", refusal_pause_s=0.3)
        worker = Worker("retained", retained.run, stop)
        worker.start()
        retained.put(HEALTH, b"well")
        until(lambda: publisher.connected)
        broker.allow("topic readwrite monitor/#")
        broker.reload()
        until(lambda: witness.payloads(HEALTH) == [b"well"], "the message that was refused")
        stop.request()
        assert worker.join(5)


@pytest.mark.broker
def test_one_device_that_may_not_be_announced_does_not_keep_back_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shown = build_discovery("homeassistant", "site", {CameraId("a"): None, CameraId("b"): None})
    refused, announced = shown
    broker = Mosquitto(tmp_path)
    broker.allow("topic read #", "topic readwrite monitor/#", f"topic readwrite {announced}")
    with (
        broker,
        Witness(broker.port, "homeassistant/#") as witness,
        command_handler(tmp_path, broker.port, FakeCamera(), shown),
    ):
        until(lambda: witness.payloads(announced), "the other one")
        assert not witness.payloads(refused)
    assert f"{refused}: not announced" in caplog.text


@pytest.mark.broker
def test_nobody_makes_us_publish_under_another_prefix_of_home_assistant_either(
    tmp_path: Path,
) -> None:
    shown = build_discovery("house", "site", {CameraId("yard"): None})
    (topic,) = shown
    with (
        Mosquitto(tmp_path) as broker,
        command_handler(tmp_path, broker.port, FakeCamera(), shown),
        Witness(broker.port, "house/#") as witness,
        CommandClient(broker.port) as asker,
    ):
        asker.ask(b"pause", answer_to=topic)
        asker.ask(b"resume", answer_to="answers/here")
        assert asker.answer()[1]["command"] == "resume"
        assert set(witness.payloads(topic)) <= set(shown.values())


def test_a_flood_of_commands_fills_neither_memory_nor_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    commands = CommandQueue([])
    message = MQTTMessage(topic=b"monitor/v1/site/yard/command")
    message.payload = b"x" * 1_000_000
    for _ in range(1000):
        commands.receive(message)
    taken = [request for _ in range(MAX_WAITING) if (request := commands.take(0)) is not None]
    assert len(taken) == MAX_WAITING
    assert {len(request.payload) for request in taken} == {COMMAND_BYTES + 1}
    assert commands.take(0) is None
    assert 0 < len(caplog.records) < 15
