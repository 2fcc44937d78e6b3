"""``monitor outbox`` and ``monitor check --probe``, as an operator uses them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from monitor.publish.outbox.outbox import Outbox, OutboxMessage
from tests.support.broker import Mosquitto, Mqtt311Proxy, Witness
from tests.support.clips import panning, write_clip
from tests.support.commands import monitor
from tests.support.outboxes import broken_in_the_middle
from tests.support.ports import free_port
from tests.support.waiting import until

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def configured(folder: Path, port: int = 1, **mqtt: object) -> Path:
    path = folder / "monitor.yaml"
    clip = folder / "a.mp4"
    if not clip.exists():
        write_clip(clip, panning(3))
    settings = {
        "cameras": {"yard": {"source": {"kind": "file", "path": str(clip)}}},
        "mqtt": {"port": port, **mqtt},
        "outbox": str(folder / "outbox"),
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def fill(folder: Path, count: int = 3) -> list[tuple[str, int]]:
    with Outbox(folder / "outbox") as outbox:
        for n in range(count):
            body = {"id": str(UUID(int=n)), "seq": 0, "camera": "yard", "state": "raised"}
            payload = json.dumps(body | {"severity": "critical"}).encode()
            outbox.add(OutboxMessage(UUID(int=n), 0, "monitor/v1/site/yard/alert", payload, NOON))
    return [(str(UUID(int=n)), 0) for n in range(count)]


def test_what_waits_is_listed(tmp_path: Path) -> None:
    fill(tmp_path)
    done = monitor("outbox", "list", configured(tmp_path))
    assert done.exit_code == 0
    for word in (str(UUID(int=2)), "yard", "raised", "critical", "3 messages wait"):
        assert word in done.stdout
    lines = monitor("outbox", "list", configured(tmp_path), "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [str(UUID(int=n)) for n in range(3)]


def test_what_waits_is_exported_whole_and_stays(tmp_path: Path) -> None:
    fill(tmp_path)
    out = tmp_path / "out.jsonl"
    assert monitor("outbox", "export", configured(tmp_path), "--out", out).exit_code == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert lines == [
        json.loads(line)
        for line in monitor("outbox", "export", configured(tmp_path)).stdout.splitlines()
    ]
    assert lines[0]["payload"]["severity"] == "critical"
    assert lines[0]["topic"] == "monitor/v1/site/yard/alert"
    with Outbox(tmp_path / "outbox") as outbox:
        assert len(outbox) == 3


@pytest.mark.broker
def test_what_waits_is_sent_by_hand_and_forgotten(tmp_path: Path) -> None:
    expected = fill(tmp_path)
    with Mosquitto(tmp_path) as broker, Witness(broker.port) as witness:
        done = monitor("outbox", "resend", configured(tmp_path, broker.port))
        assert done.exit_code == 0, done.output
        assert "3 messages sent" in done.stdout
        until(lambda: len(witness.messages) == 3)
        assert witness.keys() == expected
        assert not witness.payloads("monitor/v1/site/status"), "the daemon's business"
    with Outbox(tmp_path / "outbox") as outbox:
        assert len(outbox) == 0


def test_what_cannot_be_sent_stays(tmp_path: Path) -> None:
    fill(tmp_path)
    done = monitor("outbox", "resend", configured(tmp_path, free_port()))
    assert done.exit_code == 1
    assert "Connection refused" in done.stderr
    with Outbox(tmp_path / "outbox") as outbox:
        assert len(outbox) == 3


@pytest.mark.broker
def test_a_file_that_was_set_aside_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    broken_in_the_middle(tmp_path / "broken")
    with Mosquitto(tmp_path) as broker, Witness(broker.port) as witness:
        config = configured(tmp_path, broker.port)
        listed = monitor("outbox", "list", config, "--from", tmp_path / "broken", "--json")
        count = len(listed.stdout.splitlines())
        assert 30 < count < 60
        sent = monitor("outbox", "resend", config, "--from", tmp_path / "broken")
        assert f"{count} messages sent" in sent.stdout
        until(lambda: len(witness.messages) == count)


def test_an_outbox_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = monitor("outbox", "list", configured(tmp_path))
    assert done.exit_code == 1
    assert f"{tmp_path / 'outbox'}: no such file" in done.stderr
    assert not (tmp_path / "outbox").exists()


@pytest.mark.broker
def test_a_probe_says_which_version_was_accepted(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Mqtt311Proxy(broker.port, polite=True) as proxy:
        done = monitor("check", configured(tmp_path, broker.port), "--probe")
        assert done.exit_code == 0, done.output
        assert "broker: accepted us, MQTT 5" in done.stdout
        done = monitor("check", configured(tmp_path, proxy.port), "--probe")
        assert "broker: accepted us, MQTT 3.1.1" in done.stdout


@pytest.mark.broker
def test_a_probe_names_the_reason_of_a_refusal(tmp_path: Path) -> None:
    password = tmp_path / "word"
    password.write_text("hunter2")
    broker = Mosquitto(tmp_path)
    broker.require({"box": "another"})
    settings = {"username": "box", "password_file": str(password)}
    with broker:
        done = monitor("check", configured(tmp_path, broker.port, **settings), "--probe")
    assert done.exit_code == 1
    assert "refused: Not authorized; check username and password_file" in done.stdout
    assert "hunter2" not in done.output


def test_a_probe_names_a_broker_that_is_not_there(tmp_path: Path) -> None:
    done = monitor("check", configured(tmp_path, free_port()), "--probe")
    assert done.exit_code == 1
    assert "broker: 127.0.0.1:" in done.stdout
    assert "Connection refused" in done.stdout


def test_without_a_probe_nobody_is_asked(tmp_path: Path) -> None:
    assert monitor("check", configured(tmp_path, free_port())).exit_code == 0
