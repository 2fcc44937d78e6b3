"""Alerts once more in the words of Frigate NVR, for automations that were written for it.

What Frigate knows and we do not is zero, empty or null: boxes, thumbnails, clips. Its HTTP
interface is not ours, so automations that fetch pictures from there show none; the picture is
on ``<prefix>/<camera>/person/snapshot``.

Source:
    Frigate, documentation of its MQTT integration (docs/docs/integrations/mqtt.md), topics
    ``frigate/events``, ``frigate/reviews`` and ``frigate/<camera>/<object>/snapshot``.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID, uuid5

from monitor.domain import Alert, AlertState, CameraId, Severity
from monitor.publish.contract.payload import printable
from monitor.publish.outbox.outbox import OutboxMessage


class FrigateFormat:
    """Says each state of an alert as an event and as a review item. Owned by one thread.

    Args:
        prefix: The first word of the topics, ``frigate`` by default there.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._before: dict[UUID, Alert] = {}  # open alerts, as they were said last

    def snapshot_topic(self, camera: CameraId) -> str:
        """Where the picture of a camera's latest alert is kept (retained)."""
        return f"{self._prefix}/{camera}/person/snapshot"

    def messages(self, alert: Alert, now: datetime) -> Iterator[OutboxMessage]:
        """What one state of an alert is in these words. They may make room for alerts proper."""
        before = self._before.pop(alert.id, None)
        over = alert.state.is_final
        if not over:
            self._before[alert.id] = alert
        kind = "end" if over else "new" if before is None else "update"
        for topic, said in (("events", _event), ("reviews", _review)):
            body = {
                "type": kind,
                "before": said(before or alert, None),
                "after": said(alert, now if over else None),
            }
            yield OutboxMessage(
                id=uuid5(alert.id, topic),
                seq=alert.seq,
                topic=f"{self._prefix}/{topic}",
                payload=json.dumps(body).encode(),
                created_at=now,
                expendable=True,
            )


def _name(alert: Alert) -> str:
    """As Frigate makes its ids: when it began, and a few characters."""
    return f"{alert.first_seen.taken_at.timestamp():.6f}-{alert.id.hex[-6:]}"


def _zones(alert: Alert) -> list[str]:
    return [] if alert.zone is None else [alert.zone]


def _event(alert: Alert, ended: datetime | None) -> Mapping[str, object]:
    """The tracked person of an alert."""
    seen, probability = alert.raised_at.taken_at.timestamp(), round(alert.probability, 4)
    return {
        "id": _name(alert),
        "camera": alert.camera,
        "frame_time": seen,
        "snapshot_time": seen,
        "label": "person",
        "sub_label": [alert.covering, probability],
        "top_score": probability,
        "false_positive": alert.state is AlertState.REJECTED,
        "start_time": alert.first_seen.taken_at.timestamp(),
        "end_time": None if ended is None else ended.timestamp(),
        "score": probability,
        "box": [0, 0, 0, 0],
        "area": 0,
        "ratio": 0.0,
        "region": [0, 0, 0, 0],
        "current_zones": [] if ended is not None else _zones(alert),
        "entered_zones": _zones(alert),
        "thumbnail": None,
        "has_snapshot": False,
        "has_clip": False,
        "active": ended is None,
        "stationary": ended is not None,
        "motionless_count": 0,
        "position_changes": 0,
        "attributes": {},
        "current_attributes": [],
        "description": printable(alert.thinking),
    }


def _review(alert: Alert, ended: datetime | None) -> Mapping[str, object]:
    """The review item of an alert."""
    return {
        "id": _name(alert),
        "camera": alert.camera,
        "start_time": alert.first_seen.taken_at.timestamp(),
        "end_time": None if ended is None else ended.timestamp(),
        "severity": "detection" if alert.severity is Severity.NOTE else "alert",
        "thumb_path": "",
        "data": {
            "detections": [_name(alert)],
            "objects": ["person"],
            "sub_labels": [alert.covering],
            "zones": _zones(alert),
            "audio": [],
        },
    }
