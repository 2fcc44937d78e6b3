"""What is written about our messages, held against the messages of a whole run."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import jsonschema
import pytest
from paho.mqtt.client import MQTTMessage

from monitor.build import Models
from monitor.config.schema import Config
from monitor.daemon.run import run
from monitor.publish.contract.asyncapi import (
    CHANNELS,
    Channel,
    build_asyncapi,
    build_documents,
    build_schema,
)
from monitor.publish.contract.models import AlertV1
from tests.support.alert_schema import ALERT_V1
from tests.support.asyncapi_schema import ASYNCAPI
from tests.support.broker import Mosquitto, Witness
from tests.support.clips import write_clip
from tests.support.commands import monitor
from tests.support.fakes import BlueJudge, ScriptedDetector
from tests.support.mqtt_commands import CommandClient
from tests.support.scenes import BOTH, draw_scene
from tests.support.waiting import until


def refs(document: object) -> Iterator[str]:
    """Every reference in a document."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == "$ref":
                yield value
            else:
                yield from refs(value)
    elif isinstance(document, list):
        for each in document:
            yield from refs(each)


def resolved(document: object, ref: str) -> object:
    """What a reference within a document points to."""
    for word in ref.removeprefix("#/").split("/"):
        document = cast("dict[str, object]", document)[word]
    return document


def test_the_asyncapi_document_is_one() -> None:
    document = build_asyncapi()
    jsonschema.validate(document, ASYNCAPI)
    for ref in refs(document):
        assert resolved(document, ref)
    channels = cast("dict[str, dict[str, object]]", document["channels"])
    for channel in channels.values():
        named = set(re.findall(r"{(\w+)}", str(channel["address"])))
        assert named == set(cast("dict[str, object]", channel.get("parameters", {})))


def test_every_operation_uses_messages_of_its_channel() -> None:
    document = build_asyncapi()
    operations = cast("dict[str, dict[str, object]]", document["operations"])
    assert len(operations) == len(CHANNELS)
    for operation in operations.values():
        for part in (operation, operation.get("reply")):
            if isinstance(part, dict):
                channel = str(part["channel"]["$ref"])
                for message in part["messages"]:
                    assert message["$ref"].startswith(f"{channel}/messages/")


@pytest.mark.parametrize("name", sorted(build_documents()))
def test_every_schema_is_a_schema(name: str) -> None:
    document = build_documents()[name]
    schemas = carried(document) if name == "asyncapi.json" else [document]
    assert schemas
    for each in schemas:
        jsonschema.Draft202012Validator.check_schema(each)


def carried(document: dict[str, object]) -> list[dict[str, object]]:
    """The schemas within the AsyncAPI document: those with names, and each message's."""
    components = cast("dict[str, dict[str, dict[str, object]]]", document["components"])
    payloads = [message["payload"] for message in components["messages"].values()]
    return [*components["schemas"].values(), *cast("list[dict[str, object]]", payloads)]


def test_an_alert_has_exactly_the_fields_of_the_contract() -> None:
    """The other schema was written by hand, from the design."""
    assert set(AlertV1.model_fields) == set(cast("list[str]", ALERT_V1["required"]))


def test_the_command_writes_them_all(tmp_path: Path) -> None:
    done = monitor("schema", "--out", tmp_path / "new" / "folder")
    assert done.exit_code == 0
    written = {path.name: json.loads(path.read_text()) for path in tmp_path.rglob("*.json")}
    assert written == build_documents()


def channel_of(topic: str) -> Channel:
    """The one channel whose address fits a topic."""
    fitting = [
        channel
        for channel in CHANNELS
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", channel.address), topic)
    ]
    assert len(fitting) == 1, topic
    return fitting[0]


def check(message: MQTTMessage) -> Channel:
    """Hold one message against the schema of its channel."""
    channel = channel_of(message.topic)
    if channel.values:
        assert message.payload.decode() in channel.values
    elif channel.payload == "jpeg":
        assert message.payload.startswith(b"\xff\xd8")
    else:
        jsonschema.validate(json.loads(message.payload), build_schema(channel))
    assert message.qos == 1
    return channel


@pytest.mark.broker
def test_what_a_whole_run_publishes_is_what_the_contract_says(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [draw_scene()] * 40)
    with Mosquitto(tmp_path) as broker, Witness(broker.port, "#") as witness:
        config = Config.model_validate(
            {
                "site": "site",
                "cameras": {"yard": {"source": {"kind": "file", "path": clip}}},
                "mqtt": {"port": broker.port, "home_assistant": True},
                "tampering": {"image_frozen_after_s": 1},  # as a clip of one picture is
                "outbox": tmp_path / "outbox",
                "evidence": tmp_path / "evidence",
            }
        )

        def ask() -> None:
            until(lambda: any(m.topic.endswith("/snapshot") for m in witness.messages), "an alert")
            with CommandClient(broker.port) as asker:
                for word in (b'{"command": "pause"}', b'"snapshot"'):
                    asker.ask(word)
                    answers.append(asker.answer()[1])

        answers: list[dict[str, object]] = []
        asking = threading.Thread(target=ask)
        asking.start()
        detector = ScriptedDetector(dict.fromkeys(range(60), BOTH))
        assert run(config, Models(detector, BlueJudge(), 4))
        asking.join()
        until(lambda: witness.payloads("monitor/v1/site/status")[-1:] == [b"offline"])
    seen = [check(message) for message in witness.messages]
    assert {channel.name for channel in seen} == {c.name for c in CHANNELS} - {"birth"}
    assert [answer["error"] for answer in answers] == ["a recording cannot be paused", None]
    payloads = witness.payloads("monitor/v1/site/yard/covered")
    covered = [json.loads(payload)["covered"] for payload in payloads]
    assert (covered[0], covered[-1]) == (False, False)
    assert True in covered
    assert len(witness.payloads("monitor/v1/site/yard/snapshot")) >= 2
    tampering = [
        json.loads(payload) for payload in witness.payloads("monitor/v1/site/yard/tampering")
    ]
    assert (tampering[0]["state"], tampering[0]["reason"]) == ("raised", "image_frozen")
