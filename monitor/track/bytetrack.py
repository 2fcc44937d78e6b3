"""Following people with ByteTrack. The only module that imports ``trackers``."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import supervision
from trackers import ByteTrackTracker

from monitor.config.schema import Tracking
from monitor.domain import CameraId, Detection, Frame, Moment, Subject, SubjectId
from monitor.geometry import Box
from monitor.track.bodies import Body, bodies, guessed_head

_BUFFER_RATE = 30.0  # ByteTrack counts its memory in frames of 1/30 s, whatever the camera's rate
_SURE = 0.5  # ByteTrack is told 1 of what the detector is sure of, and 0 of the rest
_HEAD_MEMORY_S = 2.0  # where a face was on its person is worth this long


@dataclass(slots=True)
class _Known:
    """What is remembered of one subject."""

    id: SubjectId
    first_seen: Moment
    face_seconds: float = float("-inf")
    face_in_person: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)  # parts of its box


class BodyTracker:
    """A Tracker that follows whole people and knows where their heads are. Not thread-safe.

    What the detector is not sure of makes nobody new, but goes on with somebody whom nothing
    surer matches. Ages are in seconds, so the camera's rate may change. Ids are this tracker's
    own, so two cameras never share one, and none is ever given twice.

    Source:
        Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box",
        2022, in the implementation of the ``trackers`` library.
    """

    def __init__(self, camera: CameraId, settings: Tracking) -> None:
        self._camera = camera
        self._lost_after_s = settings.lost_after_s
        self._tracker = ByteTrackTracker(
            lost_track_buffer=round(settings.lost_after_s * _BUFFER_RATE),
            track_activation_threshold=_SURE,  # the detector's thresholds have decided already
            minimum_consecutive_frames=settings.confirm_after,
            minimum_iou_threshold=0.1,
            high_conf_det_threshold=_SURE,
        )
        self._ids = itertools.count(1)
        self._known: dict[int, _Known] = {}  # by ByteTrack's id
        self._last_seen: dict[int, float] = {}

    def update(self, frame: Frame, detections: Sequence[Detection]) -> list[Subject]:
        """See Tracker."""
        found = bodies(detections, frame.width, frame.height)
        subjects = [
            self._subject(frame, track, found[index])
            for index, track in self._associated(found, frame.moment.seconds)
        ]
        self._forget(frame.moment.seconds)
        return subjects

    def _associated(self, found: Sequence[Body], seconds: float) -> list[tuple[int, int]]:
        """Index of the body and id of the track it belongs to, confirmed tracks only."""
        outlines = [b.outline.edges for b in found]
        boxes = supervision.Detections(
            xyxy=np.array(outlines, dtype=np.float32).reshape(-1, 4),  # (N, 4)
            confidence=np.array([float(b.sure) for b in found], dtype=np.float32),  # (N,)
            data={"index": np.arange(len(found))},
        )
        tracked = self._tracker.update(boxes, timestamp=seconds)
        if tracked.tracker_id is None or len(tracked) == 0:
            return []
        indices = tracked.data["index"]
        return [
            (int(index), int(track))
            for index, track in zip(indices, tracked.tracker_id, strict=True)
            if track >= 0
        ]

    def _subject(self, frame: Frame, track: int, body: Body) -> Subject:
        known = self._known.get(track)
        if known is None:
            known = _Known(SubjectId(next(self._ids)), frame.moment)
            self._known[track] = known
        self._last_seen[track] = frame.moment.seconds
        return Subject(
            id=known.id,
            camera=self._camera,
            person=body.person,
            head=self._head(known, body, frame.moment.seconds).clip(frame.width, frame.height),
            face_found=body.face is not None,
            score=body.score,
            first_seen=known.first_seen,
            last_seen=frame.moment,
        )

    def _head(self, known: _Known, body: Body, seconds: float) -> Box:
        """The face, or where it was on this person lately, or where faces are on people."""
        if body.face is not None:
            known.face_seconds = seconds
            known.face_in_person = _relative(body.face, body.outline)
            return body.face
        if seconds - known.face_seconds <= _HEAD_MEMORY_S:
            return _absolute(known.face_in_person, body.outline)
        return guessed_head(body.outline)

    def _forget(self, seconds: float) -> None:
        limit = seconds - self._lost_after_s - 1.0
        gone = [track for track, last in self._last_seen.items() if last < limit]
        for track in gone:
            del self._last_seen[track]
            del self._known[track]


def _relative(inner: Box, outer: Box) -> tuple[float, float, float, float]:
    wide, tall = max(outer.width, 1.0), max(outer.height, 1.0)
    return (
        (inner.left - outer.left) / wide,
        (inner.top - outer.top) / tall,
        (inner.right - outer.left) / wide,
        (inner.bottom - outer.top) / tall,
    )


def _absolute(part: tuple[float, float, float, float], outer: Box) -> Box:
    wide, tall = outer.width, outer.height
    left, top, right, bottom = part
    return Box(
        outer.left + left * wide,
        outer.top + top * tall,
        outer.left + right * wide,
        outer.top + bottom * tall,
    )
