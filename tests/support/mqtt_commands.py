"""Commands over MQTT: a program that sends them, and a camera that carries them out."""

import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from uuid import uuid4

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from monitor.config.schema import Mqtt
from monitor.domain import CameraId
from monitor.errors import CommandError
from monitor.publish.contract.homeassistant import birth_topic
from monitor.publish.contract.payload import command_topic
from monitor.publish.mqtt.command_queue import CommandQueue
from monitor.publish.mqtt.publisher import MqttPublisher
from monitor.publish.outbox.outbox import Outbox
from monitor.publish.outbox.saved_state import SavedState
from monitor.publish.retained.announcements import RetainedAnnouncements
from monitor.publish.retained.commands import CommandHandler
from monitor.runtime.clock import SystemClock
from monitor.runtime.stop import StopSwitch
from monitor.runtime.worker import Worker
from tests.support.fakes import YARD
from tests.support.ports import HOST
from tests.support.waiting import until


class FakeCamera:
    """Controls of one camera that write down each command."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def execute(self, command: str, camera: CameraId) -> None:
        if camera != YARD:
            raise CommandError("there is no such camera here")
        self.told.append(command)


@contextmanager
def command_handler(
    folder: Path, port: int, camera: FakeCamera, shown: dict[str, bytes] | None = None
) -> Iterator[MqttPublisher]:
    """Carry out the commands for a camera within the block."""
    stop = StopSwitch()
    commands = CommandQueue([command_topic("site", "+"), birth_topic("homeassistant")])
    with (
        Outbox(folder / "outbox") as outbox,
        MqttPublisher(Mqtt(port=port), "site", commands) as publisher,
    ):
        announcements = RetainedAnnouncements(
            publisher, SavedState(outbox.file), shown or {}, ["monitor/v1/site/yard/state"]
        )
        serving = CommandHandler(
            commands, publisher, camera, announcements, site="site", clock=SystemClock()
        )
        worker = Worker("commands", serving.run, stop)
        worker.start()
        until(lambda: publisher.connected)
        yield publisher
        stop.request()
        assert worker.join(5)
        assert worker.failure is None


class CommandClient:
    """Another program, which commands cameras."""

    def __init__(
        self, port: int, version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5
    ) -> None:
        self._answers: queue.SimpleQueue[MQTTMessage] = queue.SimpleQueue()
        self._client = Client(CallbackAPIVersion.VERSION2, f"asker-{uuid4()}", protocol=version)
        self._client.on_message = lambda _client, _data, message: self._answers.put(message)
        self._client.connect(HOST, port)
        self._client.subscribe([("answers/#", 1), ("monitor/v1/site/+/command/response", 1)])

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def ask(self, payload: bytes, *, camera: str = "yard", answer_to: str | None = None) -> None:
        properties = None
        if answer_to is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ResponseTopic = answer_to
            properties.CorrelationData = b"\x00mine"
        topic = command_topic("site", camera)
        self._client.publish(topic, payload, qos=1, properties=properties)

    def answer(self) -> tuple[MQTTMessage, dict[str, object]]:
        message = self._answers.get(timeout=10)
        body = json.loads(message.payload)
        assert isinstance(body, dict)
        return message, body

    @property
    def answered(self) -> bool:
        return not self._answers.empty()
