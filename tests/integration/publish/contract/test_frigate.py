"""Alerts in Frigate's words: the keys that it documents, in a whole daemon's messages."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.build import Models
from monitor.daemon.run import run
from monitor.domain import AlertState, Severity
from monitor.publish.contract.frigate import FrigateFormat
from tests.support.broker import Mosquitto, Witness
from tests.support.clips import write_clip
from tests.support.daemon import site_config
from tests.support.fakes import ALERT, START, BlueJudge, ScriptedDetector
from tests.support.scenes import BOTH, draw_scene
from tests.support.waiting import until

# From Frigate's documentation of its MQTT messages.
EVENT = {
    "id",
    "camera",
    "frame_time",
    "snapshot_time",
    "label",
    "sub_label",
    "top_score",
    "false_positive",
    "start_time",
    "end_time",
    "score",
    "box",
    "area",
    "ratio",
    "region",
    "current_zones",
    "entered_zones",
    "thumbnail",
    "has_snapshot",
    "has_clip",
    "active",
    "stationary",
    "motionless_count",
    "position_changes",
    "attributes",
    "current_attributes",
}
REVIEW = {"id", "camera", "start_time", "end_time", "severity", "thumb_path", "data"}
DATA = {"detections", "objects", "sub_labels", "zones", "audio"}


def test_a_life_of_an_alert_is_new_updates_and_an_end() -> None:
    frigate, later = FrigateFormat("frigate"), START + timedelta(seconds=30)
    grown = replace(ALERT, seq=ALERT.seq + 1, probability=0.999)
    over = replace(grown, seq=ALERT.seq + 2, state=AlertState.ENDED)
    said = [m for alert in (ALERT, grown, over) for m in frigate.build_messages(alert, later)]
    bodies = [json.loads(m.payload) for m in said]
    assert [m.topic for m in said] == ["frigate/events", "frigate/reviews"] * 3
    assert [b["type"] for b in bodies] == ["new", "new", "update", "update", "end", "end"]
    assert len({m.key for m in said} | {ALERT.id}) == 7, "told apart, and from the alert's own"
    first, update, end = bodies[::2]
    assert len({b["after"]["id"] for b in bodies}) == 1
    assert update["before"] == first["after"]
    assert end["before"]["end_time"] is None
    assert end["after"]["end_time"] == later.timestamp()
    assert end["before"]["score"] == 0.999


@pytest.mark.parametrize(
    ("severity", "expected"),
    [(Severity.NOTE, "detection"), (Severity.ALERT, "alert"), (Severity.CRITICAL, "alert")],
)
def test_notes_are_detections_and_alerts_are_alerts(severity: Severity, expected: str) -> None:
    _, review = FrigateFormat("f").build_messages(replace(ALERT, severity=severity), START)
    assert json.loads(review.payload)["after"]["severity"] == expected


def test_a_rejected_alert_is_a_false_positive() -> None:
    event, _ = FrigateFormat("f").build_messages(replace(ALERT, state=AlertState.REJECTED), START)
    body = json.loads(event.payload)
    assert body["type"] == "end"
    assert body["after"]["false_positive"] is True


@pytest.mark.slow
@pytest.mark.broker
def test_a_daemon_publishes_what_frigate_documents_beside_its_own(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [draw_scene()] * 40)
    with Mosquitto(tmp_path) as broker, Witness(broker.port, "#") as witness:
        settings = site_config(tmp_path, broker.port, {"kind": "file", "path": clip})
        mqtt = settings.mqtt.model_copy(update={"frigate_prefix": "frigate"})
        seen = ScriptedDetector(dict.fromkeys(range(999), BOTH))
        assert run(settings.model_copy(update={"mqtt": mqtt}), Models(seen, BlueJudge(), 4))
        until(lambda: len(witness.payloads("frigate/reviews")) > 1, "a review and its end")
        until(lambda: witness.payloads("frigate/yard/person/snapshot"), "its picture")
        until(lambda: witness.payloads("monitor/v1/site/yard/alert"), "our own")
        for topic, keys in (("frigate/events", EVENT), ("frigate/reviews", REVIEW)):
            body = json.loads(witness.payloads(topic)[0])
            assert body.keys() == {"type", "before", "after"}
            for part in ("before", "after"):
                assert keys <= body[part].keys()
        assert body["after"]["data"].keys() == DATA
        assert body["after"]["data"]["objects"] == ["person"]
        assert body["after"]["data"]["sub_labels"] == ["balaclava"]
