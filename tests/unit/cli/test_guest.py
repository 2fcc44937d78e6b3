"""What the demo's subscriber prints, and that no message can stop it."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from monitor.cli.demo import DemoSubscriber
from monitor.publish.mqtt.subscriber import Received

NOW = datetime(2024, 5, 1, 12, 0, 3, tzinfo=UTC)
GOLDEN = Path(__file__).parents[2] / "golden" / "alert_v1.json"
SENTENCE = "a [bold]hood[/x] :smile:"


def shown(message: Received, folder: Path) -> str:
    text = io.StringIO()
    DemoSubscriber(Console(file=text, width=60), folder / "evidence").receive(message)
    return text.getvalue()


def received(kind: str, payload: bytes) -> Received:
    return Received(f"monitor/v1/demo/entrance/{kind}", payload, retained=False, arrived_at=NOW)


@pytest.mark.parametrize("kind", ["alert", "state"])
def test_a_sentence_is_shown_as_it_is(tmp_path: Path, kind: str) -> None:
    body = json.loads(GOLDEN.read_text(encoding="utf-8")) | {"thinking": SENTENCE}
    printed = shown(received(kind, json.dumps(body).encode()), tmp_path)
    assert f'"thinking": "{SENTENCE}"' in printed
    assert ("RAISED critical on yard: balaclava" in printed) == (kind == "alert")


def test_a_picture_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    assert "4 bytes -> " in shown(received("snapshot", b"jpeg"), tmp_path)
    assert (tmp_path / "snapshot.jpg").read_bytes() == b"jpeg"
    printed = shown(received("snapshot", b"jpeg"), tmp_path / "[/gone]")
    assert "[/gone]/snapshot.jpg: No such file or directory" in printed
