"""Alerts about tampering with cameras."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

from monitor.domain import AlertState, CameraId, Severity, TamperingAlert, TamperingReason
from monitor.publish.contract.payload import encode_tampering_alert, tampering_topic
from monitor.publish.outbox.buffered import BufferedOutbox
from monitor.publish.outbox.outbox import OutboxMessage

log = logging.getLogger(__name__)


@dataclass(slots=True)
class TamperAlerts:
    """Open alerts about tampering, at most one per camera. Owned by one thread.

    ``buffered`` takes the messages; with ``severity`` ignore, none are published.
    """

    site: str
    buffered: BufferedOutbox
    zones: Mapping[CameraId, str | None]
    severity: Severity
    new_id: Callable[[], UUID] = uuid4
    _open: dict[CameraId, TamperingAlert] = field(init=False, default_factory=dict)

    def update(self, camera: CameraId, reason: TamperingReason | None, now: datetime) -> None:
        """Publish a change: another reason ends the open alert and raises a new one.

        Args:
            camera: The camera.
            reason: The reason that counts now; None if the camera is well.
            now: The time of day.
        """
        known = self._open.get(camera)
        if (known.reason if known else None) is reason:
            return
        if known is not None:
            del self._open[camera]
            ended = replace(known, seq=known.seq + 1, state=AlertState.ENDED, at=now)
            self._publish_alert(ended)
        if reason is not None:
            raised = TamperingAlert(
                id=self.new_id(),
                seq=0,
                state=AlertState.RAISED,
                severity=self.severity,
                camera=camera,
                reason=reason,
                zone=self.zones.get(camera),
                raised_at=now,
                at=now,
            )
            self._open[camera] = raised
            self._publish_alert(raised)

    def _publish_alert(self, alert: TamperingAlert) -> None:
        is_final = alert.state.is_final
        change = "sees again" if is_final else f"tampering: {alert.reason}"
        log.warning("%s: %s", alert.camera, change)
        if alert.severity is Severity.IGNORE:
            return
        self.buffered.add(
            OutboxMessage(
                alert.id,
                alert.seq,
                tampering_topic(self.site, alert.camera),
                encode_tampering_alert(self.site, alert),
                alert.at,
                expendable=alert.severity is Severity.NOTE,
                unfinished=not is_final,
            )
        )
