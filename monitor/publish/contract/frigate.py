"""Alerts in the format of Frigate NVR, for automations that were written for it.

Fields that are not known here are zero, empty or null: boxes, thumbnails, clips. Frigate's HTTP
API is not served, so automations that fetch pictures from it show none; the picture is on
``<prefix>/<camera>/person/snapshot``.

Source:
    Frigate, documentation of its MQTT integration (docs/docs/integrations/mqtt.md), topics
    ``frigate/events``, ``frigate/reviews`` and ``frigate/<camera>/<object>/snapshot``.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID, uuid5

from monitor.domain import Alert, AlertState, CameraId, Severity
from monitor.publish.contract.payload import to_printable
from monitor.publish.outbox.outbox import OutboxMessage


class FrigateFormat:
    """Turns each state of an alert into an event and a review item. Owned by one thread.

    Args:
        prefix: The first level of the topics; Frigate's default is ``frigate``.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._previous: dict[UUID, Alert] = {}  # open alerts in their last state

    def snapshot_topic(self, camera: CameraId) -> str:
        """Topic of the picture of a camera's latest alert (retained)."""
        return f"{self._prefix}/{camera}/person/snapshot"

    def build_messages(self, alert: Alert, now: datetime) -> Iterator[OutboxMessage]:
        """Yield the messages for one state of an alert. They may be dropped for real alerts."""
        previous = self._previous.pop(alert.id, None)
        is_final = alert.state.is_final
        if not is_final:
            self._previous[alert.id] = alert
        kind = "end" if is_final else "new" if previous is None else "update"
        for topic, build in (("events", _build_event), ("reviews", _build_review)):
            body = {
                "type": kind,
                "before": build(previous or alert, None),
                "after": build(alert, now if is_final else None),
            }
            yield OutboxMessage(
                id=uuid5(alert.id, topic),
                seq=alert.seq,
                topic=f"{self._prefix}/{topic}",
                payload=json.dumps(body).encode(),
                created_at=now,
                expendable=True,
            )


def _build_id(alert: Alert) -> str:
    """An id like Frigate's: the start time and a few characters."""
    return f"{alert.first_seen.taken_at.timestamp():.6f}-{alert.id.hex[-6:]}"


def _list_zones(alert: Alert) -> list[str]:
    return [] if alert.zone is None else [alert.zone]


def _build_event(alert: Alert, ended: datetime | None) -> Mapping[str, object]:
    """Build the event: the tracked person of an alert."""
    raised_at, probability = alert.raised_at.taken_at.timestamp(), round(alert.probability, 4)
    return {
        "id": _build_id(alert),
        "camera": alert.camera,
        "frame_time": raised_at,
        "snapshot_time": raised_at,
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
        "current_zones": [] if ended is not None else _list_zones(alert),
        "entered_zones": _list_zones(alert),
        "thumbnail": None,
        "has_snapshot": False,
        "has_clip": False,
        "active": ended is None,
        "stationary": ended is not None,
        "motionless_count": 0,
        "position_changes": 0,
        "attributes": {},
        "current_attributes": [],
        "description": to_printable(alert.thinking),
    }


def _build_review(alert: Alert, ended: datetime | None) -> Mapping[str, object]:
    """Build the review item of an alert."""
    return {
        "id": _build_id(alert),
        "camera": alert.camera,
        "start_time": alert.first_seen.taken_at.timestamp(),
        "end_time": None if ended is None else ended.timestamp(),
        "severity": "detection" if alert.severity is Severity.NOTE else "alert",
        "thumb_path": "",
        "data": {
            "detections": [_build_id(alert)],
            "objects": ["person"],
            "sub_labels": [alert.covering],
            "zones": _list_zones(alert),
            "audio": [],
        },
    }
