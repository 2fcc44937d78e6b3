"""Putting faces on people: what one person looks like to the tracker, frame by frame.

A detector gives loose boxes: persons, and faces. A *body* is one person made of them: a
face with its person, a person whose face cannot be seen, or a face whose person was missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.domain import Detection, Kind
from monitor.geometry import Box

_UPPER = 0.6  # a face's middle lies within this part of its person's height, from the top
_HEAD_OF_WIDTH = 0.42  # head size against the width of a person, seen from the front
_HEAD_OF_HEIGHT = (
    0.12,
    0.3,
)  # bounds against the height: standing in profile; cut off at the waist
_BODY_OF_FACE = (
    3.0,
    0.4,
    7.0,
)  # of a missed person, in faces: width, above the face, below its top
_DUPLICATE = 0.6  # overlap, of the smaller box, at which two boxes of one kind are one thing


@dataclass(frozen=True, slots=True)
class Body:
    """One person in one frame."""

    outline: Box  # what is tracked: the person box, or one guessed from the face
    person: Box | None
    face: Box | None
    score: float  # the more confident of the two detections


def bodies(detections: Sequence[Detection], width: int, height: int) -> list[Body]:
    """One body per person in a frame of the given size in pixels.

    Each face goes to the person whose upper part holds it best, one face to a person.
    """
    people = [d for d in detections if d.kind is Kind.PERSON]
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
            outline = guessed_outline(face.box).clipped(width, height)
            found.append(Body(outline, None, face.box, face.score))
    return found


def heads(detections: Sequence[Detection], width: int, height: int) -> list[Box]:
    """Where the heads of everybody in a frame are: found faces, else guesses from persons."""
    return [body.face or guessed_head(body.outline) for body in bodies(detections, width, height)]


def guessed_outline(face: Box) -> Box:
    """Where the person of a face would be, not clipped to any frame."""
    across, above, below = _BODY_OF_FACE
    middle = (face.left + face.right) / 2
    half = across * (face.right - face.left) / 2
    tall = face.bottom - face.top
    return Box(middle - half, face.top - above * tall, middle + half, face.top + below * tall)


def guessed_head(person: Box) -> Box:
    """Where the face of a person would be: in the middle of the top, sized by the shoulders."""
    wide, tall = person.right - person.left, person.bottom - person.top
    least, most = _HEAD_OF_HEIGHT
    size = min(max(_HEAD_OF_WIDTH * wide, least * tall), most * tall, wide)
    middle = (person.left + person.right) / 2
    top = person.top + 0.15 * size  # hair
    return Box(middle - 0.4 * size, top, middle + 0.4 * size, min(top + size, person.bottom))


def _pairs(people: Sequence[Detection], faces: Sequence[Detection]) -> dict[int, Detection]:
    """Faces by their person's index: the best fitting pairs first."""
    fits = sorted(
        (
            (fit, p, f)
            for p, person in enumerate(people)
            for f, face in enumerate(faces)
            if (fit := _fit(person.box, face.box)) is not None
        ),
        key=lambda entry: entry[0],
    )
    pairs: dict[int, Detection] = {}
    taken: set[int] = set()
    for _, p, f in fits:
        if p not in pairs and f not in taken:
            pairs[p] = faces[f]
            taken.add(f)
    return pairs


def _fit(person: Box, face: Box) -> float | None:
    """How far a face is from where this person's should be, in heads; None if it is not theirs."""
    x, y = (face.left + face.right) / 2, (face.top + face.bottom) / 2
    tall = person.bottom - person.top
    if not person.left <= x <= person.right:
        return None
    if not person.top <= y <= person.top + _UPPER * tall:
        return None
    head = guessed_head(person)
    size = max(head.right - head.left, head.bottom - head.top, 1.0)
    apart = abs(x - (head.left + head.right) / 2) + abs(y - (head.top + head.bottom) / 2)
    return apart / size


def _without_duplicates(found: Sequence[Detection]) -> list[Detection]:
    """The most confident of boxes that lie on one another."""
    kept: list[Detection] = []
    for candidate in sorted(found, key=lambda d: d.score, reverse=True):
        if all(_nested(candidate.box, other.box) < _DUPLICATE for other in kept):
            kept.append(candidate)
    return kept


def _nested(first: Box, second: Box) -> float:
    """Shared area as a part of the smaller box, 0..1."""
    wide = min(first.right, second.right) - max(first.left, second.left)
    tall = min(first.bottom, second.bottom) - max(first.top, second.top)
    smaller = min(first.area, second.area)
    return wide * tall / smaller if wide > 0 and tall > 0 and smaller > 0 else 0.0
