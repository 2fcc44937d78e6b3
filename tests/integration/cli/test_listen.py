"""``monitor listen`` as somebody uses it: a process, its output and its exit status."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest

from monitor.config.schema import Mqtt
from monitor.domain import Alert, CameraId, CameraState, Severity, StreamState
from monitor.publish.contract.payload import (
    alert_topic,
    encode_alert,
    encode_state,
    snapshot_topic,
    state_topic,
)
from monitor.publish.mqtt.publisher import MqttPublisher
from tests.support.broker import Mosquitto
from tests.support.commands import monitor
from tests.support.fakes import ALERT, moment
from tests.support.ports import free_port
from tests.support.waiting import until

START_S = 60  # a process that has said nothing by then has failed


def alert(
    n: int, *, camera: str = "yard", severity: Severity = Severity.CRITICAL, thinking: str = ""
) -> Alert:
    return replace(
        ALERT,
        id=UUID(int=n),
        camera=CameraId(camera),
        severity=severity,
        probability=0.976,
        thinking=thinking,
        zone="door",
        first_seen=moment(0),
        raised_at=moment(1),
    )


@dataclass(frozen=True)
class Stand:
    """A broker and somebody who publishes on it."""

    broker: Mosquitto
    publisher: MqttPublisher

    def alert(self, raised: Alert, site: str = "site") -> None:
        self.publisher.publish(alert_topic(site, raised.camera), encode_alert(site, raised))


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with (
        Mosquitto(tmp_path) as broker,
        MqttPublisher(Mqtt(port=broker.port), "site") as publisher,
    ):
        until(lambda: publisher.connected)
        publisher.publish(
            state_topic("site", CameraId("yard")),
            encode_state(
                CameraState(CameraId("yard"), StreamState.STREAMING, 24.9, 2, moment(0).taken_at)
            ),
            retain=True,
        )
        yield Stand(broker, publisher)


@contextmanager
def listening(port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A listener that has subscribed: it asks for states too, and one is there already."""
    command = [sys.executable, "-m", "monitor", "listen", "--port", str(port), "--states"]
    with subprocess.Popen(  # noqa: S603  (our own code)
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "yard" in process.stdout.readline()
        yield process
        process.kill()


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Exit status and the lines that were not read yet."""
    out, err = process.communicate(timeout=START_S)
    assert err == ""
    return process.returncode, out.splitlines()


def refused(*options: str) -> str:
    """What a listener that cannot listen says; it says one line and exits with 1."""
    done = monitor("listen", *options)
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.broker
def test_an_alert_is_one_readable_line(stand: Stand) -> None:
    with listening(stand.broker.port, "--count", "1") as listener:
        stand.alert(alert(1, thinking="black fabric, eyes only"))
        status, lines = ended(listener)
    assert status == 0
    (line,) = lines
    for word in ("critical", "raised", "site/yard (door)", "balaclava 0.98", "eyes only"):
        assert word in line


@pytest.mark.broker
def test_with_json_each_line_is_a_payload(stand: Stand) -> None:
    with listening(stand.broker.port, "--count", "2", "--json") as listener:
        stand.alert(alert(1))
        stand.alert(alert(2))
        status, lines = ended(listener)
    assert status == 0
    assert [json.loads(line) for line in lines] == [
        json.loads(encode_alert("site", alert(n))) for n in (1, 2)
    ]


@pytest.mark.broker
def test_an_alert_delivered_twice_is_shown_once(stand: Stand) -> None:
    with listening(stand.broker.port, "--count", "2", "--json") as listener:
        for n in (1, 1, 2):
            stand.alert(alert(n))
        _, lines = ended(listener)
    assert [json.loads(line)["id"] for line in lines] == [str(UUID(int=n)) for n in (1, 2)]


@pytest.mark.broker
def test_cameras_and_severities_can_be_chosen(stand: Stand) -> None:
    options = ("--count", "2", "--json", "--severity", "alert", "--camera", "yard")
    with listening(stand.broker.port, *options, "--camera", "gate") as listener:
        stand.alert(alert(1, camera="hall"))
        stand.alert(alert(2, severity=Severity.NOTE))
        stand.alert(alert(3, camera="gate", severity=Severity.ALERT))
        stand.alert(alert(4))
        _, lines = ended(listener)
    assert [json.loads(line)["camera"] for line in lines] == ["gate", "yard"]


@pytest.mark.broker
def test_sites_can_be_chosen(stand: Stand) -> None:
    options = ("--count", "1", "--json", "--site", "site")
    with listening(stand.broker.port, *options) as listener:
        stand.alert(alert(1), site="another")
        stand.alert(alert(2))
        _, lines = ended(listener)
    assert [json.loads(line)["site"] for line in lines] == ["site"]


@pytest.mark.broker
def test_pictures_are_saved_when_asked_for(stand: Stand, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    with listening(stand.broker.port, "--count", "1", "--save", str(folder)) as listener:
        stand.publisher.publish(snapshot_topic("site", CameraId("yard")), b"\xff\xd8 a picture")
        stand.alert(alert(1))
        status, _ = ended(listener)
    assert status == 0
    (picture,) = folder.iterdir()
    assert picture.read_bytes() == b"\xff\xd8 a picture"
    assert picture.name.startswith("site-yard-")


NOT_OURS = [
    b"\x1b]0;not json\x07",
    b"[1, 2]",
    b"[" * 100_000,
    b'{"probability": 1' + b"0" * 400 + b"}",
    b'{"raised_at": "0001-01-01T00:00:00", "id": [], "seq": {}, "zone": 7, "severity": {}}',
    b'{"thinking": "\\ud800 \\u009b2J"}',
]


@pytest.mark.broker
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_others_publish_neither_ends_it_nor_commands_the_terminal(
    stand: Stand, options: tuple[str, ...]
) -> None:
    with listening(stand.broker.port, *options, "--severity", "critical") as listener:
        for payload in NOT_OURS:
            stand.publisher.publish("monitor/v1/site/yard/alert", payload)
        stand.alert(alert(1, thinking="\x1b[2Jgone\r\nand [bold]this[/bold]"))
        lines = []
        assert listener.stdout is not None
        for line in listener.stdout:
            lines.append(line.removesuffix("\n"))
            if "this" in line:
                break
        listener.send_signal(signal.SIGINT)
        assert ended(listener) == (0, [])
    assert all(line.isprintable() for line in lines)
    assert "[bold]this[/bold]" in lines[-1], "words are words, not markup"


@pytest.mark.broker
def test_it_listens_on_after_the_broker_was_away(stand: Stand) -> None:
    with listening(stand.broker.port, "--count", "1") as listener:
        assert listener.stdout is not None
        stand.broker.restart()
        until(lambda: stand.publisher.connections == 2 and stand.publisher.connected)
        stand.publisher.publish(
            state_topic("site", CameraId("yard")), b'{"camera": "yard"}', retain=True
        )
        assert "yard" in listener.stdout.readline(), "it has subscribed again"
        stand.alert(alert(1))
        out, err = listener.communicate(timeout=START_S)
    assert listener.returncode == 0
    assert "balaclava" in out
    assert "connection lost" in err


@pytest.mark.broker
def test_ctrl_c_is_the_way_to_end_it(stand: Stand) -> None:
    with listening(stand.broker.port) as listener:
        listener.send_signal(signal.SIGINT)
        status, lines = ended(listener)
    assert (status, lines) == (0, [])


@pytest.mark.broker
def test_a_wrong_password_is_said_in_one_line(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("hunter2")
    broker = Mosquitto(tmp_path)
    broker.require({"ear": "another"})
    with broker:
        options = ("--username", "ear", "--password-file", str(password))
        line = refused("--port", str(broker.port), *options)
    assert f"127.0.0.1:{broker.port}: refused: Not authorized" in line
    assert "check username and password_file" in line
    assert "hunter2" not in line


def test_a_broker_that_is_not_there_is_said_in_one_line() -> None:
    port = free_port()
    assert f"127.0.0.1:{port}: Connection refused" in refused("--port", str(port))


def test_a_host_that_does_not_exist_is_said_in_one_line() -> None:
    assert "no..host:1883" in refused("--host", "no..host")
