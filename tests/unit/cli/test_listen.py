"""What ``monitor listen`` makes of one message."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from monitor.cli.listen import Printer, listen
from monitor.domain import Severity
from monitor.errors import BrokerUnavailableError, ConfigError
from monitor.publish.mqtt.subscriber import Received
from tests.support.ports import free_port

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def received(kind: str, payload: bytes) -> Received:
    return Received(f"monitor/v1/site/yard/{kind}", payload, retained=False, arrived_at=NOON)


def shown(message: Received, at_least: Severity = Severity.IGNORE) -> tuple[bool, str]:
    """Whether a message counts, and its line."""
    screen = io.StringIO()
    printer = Printer(
        Console(file=screen, width=200), as_json=False, at_least=at_least, folder=None
    )
    return printer.show(message), screen.getvalue()


@pytest.mark.parametrize(
    ("severity", "at_least", "counts"),
    [
        ("note", Severity.NOTE, True),
        ("note", Severity.ALERT, False),
        ("critical", Severity.ALERT, True),
        ("catastrophic", Severity.CRITICAL, True),  # of a later version: better shown
    ],
)
def test_only_alerts_that_are_severe_enough_count(
    severity: str, at_least: Severity, *, counts: bool
) -> None:
    said, line = shown(received("alert", json.dumps({"severity": severity}).encode()), at_least)
    assert said is counts
    assert (severity in line) is counts


def test_an_alert_that_was_held_up_says_so() -> None:
    _, line = shown(received("alert", b'{"late": true, "probability": 0.5}'))
    assert "0.50, late" in line


def test_a_state_is_shown_and_does_not_count() -> None:
    said, line = shown(received("state", b'{"camera": "yard", "state": "stalled", "fps": 0.0}'))
    assert said is False
    assert "yard: stalled, 0.0 frames/s" in line


@pytest.mark.parametrize("payload", [b"", b"[]", b"\xff", b"[" * 100_000])
def test_a_strangers_message_is_named_and_does_not_count(payload: bytes) -> None:
    said, line = shown(received("alert", payload))
    assert said is False
    assert line == "monitor/v1/site/yard/alert: not a message of ours\n"


def test_a_picture_that_cannot_be_saved_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    printer = Printer(
        Console(file=io.StringIO()),
        as_json=False,
        at_least=Severity.IGNORE,
        folder=tmp_path / "file",
    )
    with pytest.raises(ConfigError, match=r"--save .*file"):
        printer.show(received("snapshot", b"jpeg"))


def test_a_picture_keeps_to_its_folder(tmp_path: Path) -> None:
    """The topic is the publisher's word: it must not choose a place."""
    printer = Printer(
        Console(file=io.StringIO()), as_json=True, at_least=Severity.IGNORE, folder=tmp_path
    )
    printer.show(Received("monitor/v1/../..\\x\x00/snapshot", b"jpeg", False, NOON))  # noqa: FBT003
    (picture,) = tmp_path.iterdir()
    assert picture.name == "__-___x_-20240501T120000000000.jpg"


@pytest.mark.parametrize("name", ["a/b", "+", "#", ""])
def test_a_name_that_is_a_pattern_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="--camera"):
        listen(camera=[name])


def test_an_absent_broker_ends_it() -> None:
    with pytest.raises(BrokerUnavailableError, match="Connection refused"):
        listen(port=free_port(), count=1)
