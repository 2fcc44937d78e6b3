"""Looking closer for the head of a person who is followed without one.

At the detector's size a head far away is a few pixels. The upper part of that person at the
picture's own resolution, or at that of the camera's larger stream, shows more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from monitor.detect import Detector
from monitor.detect.picture_part import PicturePart
from monitor.domain import Detection, Frame, Kind, Subject, SubjectId
from monitor.geometry import Box

_BESIDE: Final = 0.2  # of the person's width that is searched on either side
_ABOVE: Final = 0.15  # of the searched height that is searched above the person
_DOWN: Final = (0.6, 1.6)  # how far down: of the person's height, and at most of its width
_MIN_SIDE_PX: Final = 24  # a smaller part shows no head worth judging
_FIRST_PAUSE_S: Final = 1.0  # between two looks at one person; doubles while nothing is found
_MAX_PAUSE_S: Final = 8.0
_FORGET_S: Final = 30.0


@dataclass(slots=True)
class _Attempts:
    """When a person may be looked at again."""

    due: float
    pause_s: float = _FIRST_PAUSE_S


class SecondLook:
    """Finds heads that the first look at the whole picture missed. Owned by one thread.

    Args:
        detector: Who is asked about the parts, in one batch a frame.
        max_parts: At most this many people of a frame are looked at, those longest due first.
    """

    def __init__(self, detector: Detector, max_parts: int = 2) -> None:
        self._detector = detector
        self._max_parts = max_parts
        self._attempts: dict[SubjectId, _Attempts] = {}

    def find_heads(self, frame: Frame, subjects: Sequence[Subject]) -> dict[SubjectId, Box]:
        """The heads, in the frame's pixels, of those among these subjects who are due for a look.

        Args:
            frame: Where they are.
            subjects: People without a head, with a ``person``.
        """
        now = frame.moment.seconds
        self._attempts = {s: a for s, a in self._attempts.items() if now < a.due + _FORGET_S}
        picture, factor = frame.get_closest_picture()
        parts = []
        for subject in sorted(subjects, key=lambda s: self._due(s.id)):
            if subject.person is None or self._due(subject.id) > now:
                continue
            place = _search_area(subject.person.scale(factor), picture.width, picture.height)
            if min(place.width, place.height) >= _MIN_SIDE_PX:
                parts.append((subject, PicturePart(picture, place)))
        parts = parts[: self._max_parts]
        if not parts:
            return {}
        found = self._detector.detect([replace(frame, picture=part) for _, part in parts])
        heads = {}
        for (subject, part), detections in zip(parts, found, strict=True):
            head = _choose(detections)
            self._remember(subject.id, now, found=head is not None)
            if head is not None:
                moved = head.box.move(part.place.left, part.place.top)
                heads[subject.id] = moved.scale(1 / factor)
        return heads

    def _due(self, subject: SubjectId) -> float:
        attempts = self._attempts.get(subject)
        return attempts.due if attempts else float("-inf")

    def _remember(self, subject: SubjectId, now: float, *, found: bool) -> None:
        before = self._attempts.get(subject)
        pause_s = _FIRST_PAUSE_S
        if before is not None and not found:
            pause_s = min(2 * before.pause_s, _MAX_PAUSE_S)
        self._attempts[subject] = _Attempts(now + pause_s, pause_s)


def _search_area(person: Box, width: int, height: int) -> Box:
    """Where the head of a person may be, in whole pixels of the picture."""
    of_height, of_width = _DOWN
    tall = min(of_height * person.height, of_width * person.width)
    aside = _BESIDE * person.width
    area = Box(
        person.left - aside, person.top - _ABOVE * tall, person.right + aside, person.top + tall
    ).clip(width, height)
    left, top, right, bottom = area.edges
    return Box(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))


def _choose(detections: Sequence[Detection]) -> Detection | None:
    """The surest head of a part, if one is sure."""
    heads = [d for d in detections if d.kind is Kind.HEAD and d.sure]
    return max(heads, key=lambda head: head.score, default=None)
