"""What the demo shows of each message, and that no message can stop it."""

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from monitor.cli.demo import DemoSubscriber
from monitor.publish.mqtt.subscriber import Received

NOW = datetime(2024, 5, 1, 12, 0, 3, tzinfo=UTC)
ALERT = json.loads(
    (Path(__file__).parents[2] / "golden" / "alert_v1.json").read_text(encoding="utf-8")
)
STATE = {
    "camera": "yard",
    "state": "streaming",
    "streaming": True,
    "stalled": False,
    "tampered": False,
    "fps": 5.0,
    "subjects": 0,
    "last_frame": None,
    "tampering": None,
    "analysis_fps": None,
    "skipped": 0,
}
SENTENCE = "a [bold]hood[/x] :smile:"


def show(folder: Path, *messages: Received, as_json: bool = False) -> str:
    screen = io.StringIO()
    subscriber = DemoSubscriber(Console(file=screen, width=60), folder, as_json)
    for message in messages:
        subscriber.receive(message)
    return screen.getvalue()


def received(kind: str, body: object) -> Received:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Received(f"monitor/v1/demo/entrance/{kind}", payload, retained=False, arrived_at=NOW)


def test_an_alert_is_what_happened_when_and_where_its_picture_lies(tmp_path: Path) -> None:
    first, *more = show(tmp_path, received("alert", ALERT)).splitlines()
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d  RAISED    critical, yard: balaclava on person 7, probability 0.99", first
    )
    assert f"head: {tmp_path}/evidence/{ALERT['id']}/crop.jpg" in "\n".join(more)
    assert "549 ms from the frame to this line, 500 ms of them over MQTT" in more[-1]
    assert "{" not in "".join(more), "JSON is for --json"


def test_the_end_of_an_alert_is_one_line(tmp_path: Path) -> None:
    lines = show(tmp_path, received("alert", ALERT | {"state": "ended"})).splitlines()
    assert len(lines) == 1
    assert "ENDED" in lines[0]
    assert "0 s after it was raised" in lines[0]


def test_a_state_is_shown_when_it_changes(tmp_path: Path) -> None:
    ended = received("state", STATE | {"state": "ended"})
    lines = show(tmp_path, received("state", STATE), received("state", STATE), ended).splitlines()
    assert [line.partition("  ")[2] for line in lines] == ["yard: streaming", "yard: ended"]


def test_a_sentence_is_shown_as_it_is(tmp_path: Path) -> None:
    alert = received("alert", ALERT | {"thinking": SENTENCE})
    assert f"the judge says: {SENTENCE}\n" in show(tmp_path, alert)


def test_json_is_the_payloads_and_nothing_else(tmp_path: Path) -> None:
    bodies = [STATE, ALERT | {"thinking": SENTENCE}]
    messages = [received("state", bodies[0]), received("alert", bodies[1])]
    printed = show(tmp_path, *messages, received("snapshot", b"jpeg"), as_json=True)
    assert [json.loads(line) for line in printed.splitlines()] == bodies


def test_what_is_no_message_of_ours_is_said(tmp_path: Path) -> None:
    for kind in ("alert", "state"):
        for body in (b"\xff[", b"[" * 100_000, {"id": 7}):
            assert "not a message of ours" in show(tmp_path, received(kind, body))


def test_a_picture_that_cannot_be_saved_is_said(tmp_path: Path) -> None:
    assert f"picture: {tmp_path}/snapshot.jpg" in show(tmp_path, received("snapshot", b"jpeg"))
    assert (tmp_path / "snapshot.jpg").read_bytes() == b"jpeg"
    printed = show(tmp_path / "[/gone]", received("snapshot", b"jpeg"))
    assert "picture not saved: " in printed
    assert "[/gone]/snapshot.jpg: No such file or directory" in printed
