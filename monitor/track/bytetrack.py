"""Following people with ByteTrack. The only module that imports ``trackers``."""

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import supervision
from trackers import ByteTrackTracker

from monitor.config.schema import Tracking
from monitor.domain import CameraId, Detection, Frame, Moment, Subject, SubjectId
from monitor.geometry import Box
from monitor.track.appearance import Histogram, compare, describe
from monitor.track.bodies import Body, assemble_bodies

_BUFFER_RATE: Final = 30.0  # ByteTrack counts its memory in frames of 1/30 s, whatever the rate
_SURE: Final = 0.5  # ByteTrack gets confidence 1 for sure bodies, and 0 for the rest
_HEAD_MEMORY_S: Final = 1.0  # a head is carried along with its person this long
_DESCRIBE_EVERY_S: Final = 1.0
_MAX_DISTANCE: Final = 1.0  # from where somebody was lost, in heights of the lost person
_MAX_GROWTH: Final = 1.7  # of the height, either way
_MIN_ALIKE: Final = 0.6  # of two appearances, 0..1


@dataclass(slots=True)
class _Known:
    """What is remembered of one subject."""

    id: SubjectId
    first_seen: Moment
    outline: Box
    seconds: float  # when it was last seen
    appearance: Histogram
    described: float  # when that was measured
    head_seconds: float = float("-inf")
    head_in_person: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)  # parts of its box


class BodyTracker:
    """A Tracker that follows whole people and knows where their heads are. Not thread-safe.

    Doubtful detections make no new subject, but continue one that nothing surer matches. Who
    comes back near where they were lost, of about that size and looking alike, keeps the id.
    Ages are in seconds, so the camera's rate may change. Ids are this tracker's own, so two
    cameras never share one.

    Source:
        Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box",
        2022, in the implementation of the ``trackers`` library.
    """

    def __init__(self, camera: CameraId, settings: Tracking) -> None:
        self._camera = camera
        self._remember_s = settings.remember_s
        self._keep_s = max(settings.remember_s, settings.lost_after_s + 1.0)  # ByteTrack does too
        self._times: deque[float] = deque(maxlen=settings.confirm_after)  # of the last frames
        self._tracker = ByteTrackTracker(
            lost_track_buffer=round(settings.lost_after_s * _BUFFER_RATE),
            track_activation_threshold=_SURE,  # the detector's thresholds have decided already
            minimum_consecutive_frames=settings.confirm_after,
            minimum_iou_threshold=0.1,
            high_conf_det_threshold=_SURE,
        )
        self._ids = itertools.count(1)
        self._known: dict[int, _Known] = {}  # by ByteTrack's id

    def update(self, frame: Frame, detections: Sequence[Detection]) -> list[Subject]:
        """See Tracker."""
        if not self._times or frame.moment.seconds > self._times[-1]:
            self._times.append(frame.moment.seconds)
        bodies = assemble_bodies(detections, frame.width, frame.height)
        matches = self._associate(bodies, frame.moment.seconds)
        current = {track for _, track in matches}
        subjects = [self._subject(frame, track, bodies[index], current) for index, track in matches]
        self._forget(frame.moment.seconds)
        return subjects

    def place_head(self, subject: SubjectId, head: Box, seconds: float) -> None:
        """See Tracker."""
        for known in self._known.values():
            if known.id == subject:
                known.head_seconds = seconds
                known.head_in_person = _relative(head, known.outline)

    def _associate(self, bodies: Sequence[Body], seconds: float) -> list[tuple[int, int]]:
        """Index of the body and id of the track it belongs to, confirmed tracks only."""
        boxes = supervision.Detections(
            xyxy=np.array([b.outline.edges for b in bodies], np.float32).reshape(-1, 4),
            confidence=np.array([float(b.sure) for b in bodies], dtype=np.float32),  # (N,)
            data={"index": np.arange(len(bodies))},
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

    def _subject(self, frame: Frame, track: int, body: Body, current: set[int]) -> Subject:
        now = frame.moment.seconds
        known = self._known.get(track)
        if known is None:
            known = self._recognise(frame, track, body, current)
        elif now - known.described >= _DESCRIBE_EVERY_S:
            known.appearance, known.described = describe(frame, body.outline), now
        known.outline, known.seconds = body.outline, now
        head = self._locate_head(known, body, now)
        return Subject(
            id=known.id,
            camera=self._camera,
            person=body.person,
            head=head.clip(frame.width, frame.height) if head is not None else None,
            score=body.score,
            first_seen=known.first_seen,
            last_seen=frame.moment,
        )

    def _recognise(self, frame: Frame, track: int, body: Body, current: set[int]) -> _Known:
        """Somebody who was lost here, or a new subject.

        Who was still seen while this track was being confirmed is another person.
        """
        now, appearance = frame.moment.seconds, describe(frame, body.outline)
        alike = {
            t: compare(appearance, known.appearance)
            for t, known in self._known.items()
            if t not in current
            and now - self._remember_s <= known.seconds < self._times[0]
            and _is_near(body.outline, known.outline)
        }
        best = max(alike, key=lambda t: alike[t], default=None)
        if best is not None and alike[best] >= _MIN_ALIKE:
            known = self._known.pop(best)
            known.head_seconds = float("-inf")
        else:
            known = _Known(
                SubjectId(next(self._ids)), frame.moment, body.outline, now, appearance, now
            )
        self._known[track] = known
        return known

    def _locate_head(self, known: _Known, body: Body, seconds: float) -> Box | None:
        """The head that was found, or where it was on this person a moment ago."""
        if body.head is not None:
            known.head_seconds = seconds
            known.head_in_person = _relative(body.head, body.outline)
            return body.head
        if seconds - known.head_seconds <= _HEAD_MEMORY_S:
            return _absolute(known.head_in_person, body.outline)
        return None

    def _forget(self, seconds: float) -> None:
        limit = seconds - self._keep_s
        self._known = {t: known for t, known in self._known.items() if known.seconds >= limit}


def _is_near(outline: Box, lost: Box) -> bool:
    """Whether a person may be one who was lost, by place and size."""
    (x, y), (x0, y0) = outline.centre, lost.centre
    reach = _MAX_DISTANCE * max(lost.height, 1.0)
    growth = outline.height / max(lost.height, 1.0)
    near = abs(x - x0) <= reach and abs(y - y0) <= reach
    return near and 1 / _MAX_GROWTH <= growth <= _MAX_GROWTH


def _relative(inner: Box, outer: Box) -> tuple[float, float, float, float]:
    wide, tall = max(outer.width, 1.0), max(outer.height, 1.0)
    return (
        (inner.left - outer.left) / wide,
        (inner.top - outer.top) / tall,
        (inner.right - outer.left) / wide,
        (inner.bottom - outer.top) / tall,
    )


def _absolute(part: tuple[float, float, float, float], outer: Box) -> Box:
    left, top, right, bottom = part
    return Box(
        outer.left + left * outer.width,
        outer.top + top * outer.height,
        outer.left + right * outer.width,
        outer.top + bottom * outer.height,
    )
