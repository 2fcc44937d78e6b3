"""The files in configs/mqtt work: the broker's is started, the others are read and held to it."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
import yaml
from paho.mqtt.client import topic_matches_sub

from monitor.config.schema import Mqtt
from monitor.domain import CameraId
from monitor.errors import BrokerUnavailableError, PublishError
from monitor.publish.contract.asyncapi import CHANNELS
from monitor.publish.contract.homeassistant import discovery_topic
from monitor.publish.mqtt.connection import MqttConnection, connect_broker
from monitor.publish.mqtt.credentials import MqttCredentials
from monitor.publish.mqtt.probe import probe_broker
from monitor.publish.mqtt.publisher import MqttPublisher
from tests.support.broker import program
from tests.support.certificates import certificate
from tests.support.ports import HOST, free_port, reachable
from tests.support.waiting import until

FOLDER = Path(__file__).parents[3] / "configs" / "mqtt"
USERS = ("monitor-branch-12", "homeassistant", "panel")
OURS = [
    channel.address.format(
        site="branch-12", camera="entrance", prefix="homeassistant", device="monitor_branch-12"
    )
    for channel in CHANNELS
]


@contextmanager
def example_broker(folder: Path) -> Iterator[tuple[int, Path]]:
    """The broker as configured, with other places for its files. Its port, and whom to trust."""
    port = free_port()
    made, key = certificate(folder, "broker")
    passwords, rights = folder / "passwords", folder / "monitor.acl"
    passwords.write_text("".join(f"{user}:secret of {user}\n" for user in USERS))
    subprocess.run([program("mosquitto_passwd"), "-U", passwords], check=True)  # noqa: S603
    rights.write_text((FOLDER / "monitor.acl").read_text())
    for file in (made, key, passwords, rights):
        file.chmod(0o644)
    text = (FOLDER / "mosquitto.conf").read_text()
    for old, new in (
        ("listener 8883", f"listener {port} {HOST}\nuser {Path(folder).owner()}"),
        ("/etc/mosquitto/certs/ca.pem", str(made)),
        ("/etc/mosquitto/certs/broker.pem", str(made)),
        ("/etc/mosquitto/certs/broker.key", str(key)),
        ("password_file /etc/mosquitto/passwords", f"password_file {passwords}"),
        ("acl_file /etc/mosquitto/monitor.acl", f"acl_file {rights}"),
        ("/var/lib/mosquitto/", f"{folder}/"),
    ):
        assert old in text, f"{old} is not in the example any more"
        text = text.replace(old, new)
    config = folder / "mosquitto.conf"
    config.write_text(text)
    with subprocess.Popen(  # noqa: S603  (our own arguments)
        [program("mosquitto"), "-c", config], stderr=subprocess.DEVNULL
    ) as process:
        until(lambda: reachable(port), "the example's broker")
        yield port, made
        process.terminate()


def connect_as(user: Mqtt, client_id: str) -> MqttConnection:
    return connect_broker(MqttCredentials.from_settings(user), client_id)


def settings(folder: Path, port: int, trusted: Path, user: str) -> Mqtt:
    password = folder / f"{user}.password"
    password.write_text(f"secret of {user}")
    tls = {"ca_file": trusted}
    return Mqtt.model_validate(
        {"port": port, "username": user, "password_file": password, "tls": tls}
    )


@pytest.mark.broker
def test_the_brokers_example_lets_everybody_do_their_own_work_only(tmp_path: Path) -> None:
    alert = "monitor/v1/branch-12/entrance/alert"
    with example_broker(tmp_path) as (port, trusted):
        ours = settings(tmp_path, port, trusted, USERS[0])
        with MqttPublisher(ours, "branch-12") as publisher:
            until(lambda: publisher.connected)
            for topic in (alert, discovery_topic("homeassistant", "branch-12", CameraId("a"))):
                publisher.publish(topic, b"{}")
            with pytest.raises(PublishError, match="Not authorized"):
                publisher.publish("monitor/v1/branch-13/entrance/alert", b"{}")
        home = connect_as(settings(tmp_path, port, trusted, USERS[1]), "home")
        home.subscribe(["monitor/v1/#"])
        home.publish("monitor/v1/branch-12/entrance/command", b"pause")
        with pytest.raises(PublishError, match="Not authorized"):
            home.publish(alert, b"{}")
        home.close()
        panel = connect_as(settings(tmp_path, port, trusted, USERS[2]), "panel")
        panel.subscribe(["monitor/v1/+/+/alert"])
        with pytest.raises(PublishError, match="Not authorized"):
            panel.publish("monitor/v1/branch-12/entrance/command", b"pause")
        panel.close()
        with pytest.raises(BrokerUnavailableError, match="Not authorized"):
            probe_broker(Mqtt.model_validate({"port": port, "tls": {"ca_file": trusted}}))


def automations() -> list[dict[str, object]]:
    loaded = yaml.safe_load((FOLDER / "home-assistant.yaml").read_text())
    assert isinstance(loaded, list)
    return loaded


def flow() -> list[dict[str, object]]:
    loaded = json.loads((FOLDER / "node-red.json").read_text())
    assert isinstance(loaded, list)
    return loaded


def test_every_automation_is_complete() -> None:
    assert len(automations()) >= 3
    for each in automations():
        assert {"alias", "mode", "triggers", "actions"} <= each.keys()
        assert each["triggers"]
        assert each["actions"]


def test_the_automations_use_topics_and_fields_that_there_are() -> None:
    text = (FOLDER / "home-assistant.yaml").read_text()
    topics = re.findall(r"(?m)topic: (\S+)", text)
    assert len(topics) >= 4
    assert_ours(topics)
    known = {
        field
        for channel in CHANNELS
        if not isinstance(channel.payload, str)
        for field in channel.payload.model_fields
    }
    assert set(re.findall(r"payload_json\.(\w+)", text)) <= known


def assert_ours(topics: list[str]) -> None:
    """Each topic, or filter, is one that we publish on or take commands from."""
    for topic in topics:
        assert any(topic_matches_sub(topic, each) for each in OURS), topic


def test_the_flow_hangs_together() -> None:
    nodes = {str(node["id"]): node for node in flow()}
    assert len(nodes) == len(flow()), "an id is used twice"
    for node in flow():
        for targets in cast("list[list[str]]", node.get("wires", [])):
            assert set(targets) <= nodes.keys()
        if "broker" in node and node["type"] != "mqtt-broker":
            assert nodes[str(node["broker"])]["type"] == "mqtt-broker"
        if "z" in node:
            assert nodes[str(node["z"])]["type"] == "tab"
        if "outputs" in node:
            assert len(cast("list[object]", node["wires"])) == node["outputs"]


def test_the_flow_uses_topics_that_there_are_with_qos_1() -> None:
    talking = [node for node in flow() if str(node["type"]).startswith("mqtt ")]
    assert len(talking) >= 3
    assert_ours([str(node["topic"]) for node in talking])
    assert {node["qos"] for node in talking} == {"1"}
