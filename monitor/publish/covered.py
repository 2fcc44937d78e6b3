"""Whether somebody with a covered face is in view: each camera's open alerts in one message."""

from collections.abc import Iterable
from uuid import UUID

from monitor.domain import Alert, AlertState, CameraId, Covering, Severity
from monitor.publish.models import CoveredV1
from monitor.publish.payload import covered_topic, encoded
from monitor.publish.states import StateBoard

OVER = (AlertState.ENDED, AlertState.REJECTED)
"""The states that no other follows."""
_ORDER = tuple(Severity)


class CoveredBoard:
    """Keeps count of open alerts and tells the board. Owned by one thread.

    Args:
        board: Keeps the newest message of each camera at the broker.
        site: The name in the topics.
        cameras: None of them has an open alert yet, and that is said.
    """

    def __init__(self, board: StateBoard, site: str, cameras: Iterable[CameraId]) -> None:
        self._board = board
        self._site = site
        self._open: dict[CameraId, dict[UUID, Alert]] = {camera: {} for camera in cameras}
        for camera in self._open:
            self._tell(camera, None)

    def note(self, alert: Alert) -> None:
        """Take in one alert's new state."""
        standing = self._open.setdefault(alert.camera, {})
        standing.pop(alert.id, None)
        if alert.state not in OVER:
            standing[alert.id] = alert
        self._tell(alert.camera, alert.covering)

    def _tell(self, camera: CameraId, last: Covering | None) -> None:
        standing = list(self._open[camera].values())
        body = CoveredV1(
            camera=camera,
            covered=bool(standing),
            alerts=len(standing),
            covering=standing[-1].covering if standing else None,
            severity=max((a.severity for a in standing), key=_ORDER.index, default=None),
            last_covering=last,
        )
        self._board.keep(covered_topic(self._site, camera), encoded(body))
