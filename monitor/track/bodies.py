"""Putting faces on people: what one person looks like to the tracker, frame by frame.

A detector gives loose boxes: persons, and faces. A *body* is one person made of them: a
face with its person, a person whose face cannot be seen, or a face whose person was missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from monitor.domain import Detection, Kind
from monitor.geometry import Box

_SHAPES: Final = (0.7, 0.9, 1.1, 1.35, 1.65, 2.45, 3.0, 3.8)
"""Height of a person's box against its width, from head and shoulders to head and feet."""
_FACES: Final = (0.37, 0.43, 0.43, 0.39, 0.36, 0.33, 0.35, 0.42)
"""Height of the face against that width: medians of 3,800 people in photographs."""
_LOW: Final = 0.95  # a face's middle is so many times its own height below its person's top
_NARROW: Final = 1 / 1.17  # a face's width against its height
_OF_TALL: Final = (0.1, 0.6)  # bounds of a face's height against its person's
_UPPER: Final = 0.67  # a face's middle lies within this part of its person's height, from the top
_SPREAD: Final = (0.5, 0.45, 0.3)
"""How far faces lie from their guess, in its heights: across, down, and by the log of size."""
_FARTHEST: Final = 4.0  # so many spreads away, a face is somebody else's
_BODY_OF_FACE = (
    3.0,
    0.4,
    7.0,
)  # of a missed person, in faces: width, above the face, below its top
_SAME: Final = 0.4  # overlap (IoU) above which a doubtful person is one who was found
_DUPLICATE = 0.6  # overlap, of the smaller box, at which two boxes of one kind are one thing


@dataclass(frozen=True, slots=True)
class Body:
    """One person in one frame."""

    outline: Box  # what is tracked: the person box, or one guessed from the face
    person: Box | None
    face: Box | None
    score: float  # the more confident of the two detections
    sure: bool = True  # false: made of a person only whom the detector doubts


def bodies(detections: Sequence[Detection], width: int, height: int) -> list[Body]:
    """One body per person in a frame of the given size in pixels.

    Each face goes to one person at most, and each person to one face, so that as many as can
    be are together, and all in all as near as can be to where faces are on people. What the
    detector doubts gets no face, and counts only where nobody else was found.
    """
    people = [d for d in detections if d.kind is Kind.PERSON and d.sure]
    faces = _without_duplicates([d for d in detections if d.kind is Kind.FACE])
    pairs = _pairs(people, faces)
    found = []
    for index, person in enumerate(people):
        face = pairs.get(index)
        score = max(person.score, face.score if face else 0.0)
        found.append(Body(person.box, person.box, face.box if face else None, score))
    bound = {id(face) for face in pairs.values()}
    for face in faces:
        if id(face) not in bound:
            outline = guessed_outline(face.box).clip(width, height)
            found.append(Body(outline, None, face.box, face.score))
    doubtful = [d for d in detections if d.kind is Kind.PERSON and not d.sure]
    return found + [
        Body(person.box, person.box, None, person.score, sure=False)
        for person in doubtful
        if not any(_about(person.box, body) for body in found)
    ]


def heads(detections: Sequence[Detection], width: int, height: int) -> list[Box]:
    """Where the heads of everybody in a frame are: found faces, else guesses from persons."""
    return [body.face or guessed_head(body.outline) for body in bodies(detections, width, height)]


def guessed_outline(face: Box) -> Box:
    """Where the person of a face would be, not clipped to any frame."""
    across, above, below = _BODY_OF_FACE
    (middle, _), half, tall = face.centre, across * face.width / 2, face.height
    return Box(middle - half, face.top - above * tall, middle + half, face.top + below * tall)


def guessed_head(person: Box) -> Box:
    """Where the face of a person would be: in the middle of the top, as large as on most.

    How much of a person is in the box shows in its proportions, and with that how much of it
    is the face.
    """
    wide, tall = person.width, person.height
    least, most = _OF_TALL
    shape = tall / wide if wide > 0 else 0.0
    usual = float(np.interp(shape, _SHAPES, _FACES)) * wide
    size = min(max(usual, least * tall), most * tall, wide / _NARROW)
    x, y = person.centre[0], person.top + _LOW * size
    half = _NARROW * size / 2
    return Box(x - half, y - size / 2, x + half, y + size / 2)


def _pairs(people: Sequence[Detection], faces: Sequence[Detection]) -> dict[int, Detection]:
    """Faces by their person's index."""
    if not people or not faces:
        return {}
    apart = np.array([[_apart(person.box, face.box) for face in faces] for person in people])
    # More than any number of pairs can save, so that none is given up for a nearer one:
    never = _FARTHEST * (min(apart.shape) + 1)
    rows, columns = linear_sum_assignment(np.where(apart <= _FARTHEST, apart, never))
    return {
        int(person): faces[face]
        for person, face in zip(rows, columns, strict=True)
        if apart[person, face] <= _FARTHEST
    }


def _apart(person: Box, face: Box) -> float:
    """How far a face is from this person's, in place and size, in spreads; inf is not theirs."""
    x, y = face.centre
    lowest = person.top + _UPPER * person.height
    if not (person.left <= x <= person.right and person.top <= y <= lowest):
        return np.inf
    head = guessed_head(person)
    (head_x, head_y), size = head.centre, max(head.height, 1.0)
    across = (x - head_x) / size
    down = (y - head_y) / size
    larger = np.log(max(face.height, 1.0) / size)
    return float(np.linalg.norm(np.array((across, down, larger)) / _SPREAD))


def _about(doubtful: Box, body: Body) -> bool:
    """Whether a box shows, though not well, somebody who was found."""
    if body.face is not None and _apart(doubtful, body.face) <= _FARTHEST:
        return True
    return doubtful.iou(body.outline) > _SAME


def _without_duplicates(found: Sequence[Detection]) -> list[Detection]:
    """The most confident of boxes that lie on one another."""
    kept: list[Detection] = []
    for candidate in sorted(found, key=lambda d: d.score, reverse=True):
        if all(candidate.box.overlap(other.box) < _DUPLICATE for other in kept):
            kept.append(candidate)
    return kept
