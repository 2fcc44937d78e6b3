"""Putting heads on people: what one person looks like to the tracker, frame by frame.

A detector gives loose boxes: persons, and heads. A *body* is one person made of them: a
head with its person, a person whose head was not found, or a head whose person was missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from monitor.domain import Detection, Kind
from monitor.geometry import Box

_MIN_INSIDE: Final = 0.6  # the part of a head that lies in its person's box
_MAX_SIZE: Final = 1.1  # a head's height, at most, in its person's longer sides
_COSTS: Final = (1.0, 0.5, 1.0)
"""What counts against a pair: the head's top below the person's top, its middle beside the
person's, in the person's sides, and the part of the head outside of the person."""
_MAX_COST: Final = 1.6
_BODY_OF_HEAD: Final = (2.2, 0.1, 5.0)
"""Of a missed person, in heads: width, above the head, below its top."""
_SAME: Final = 0.4  # IoU above which a doubtful person is one who was found
_DUPLICATE: Final = 0.6  # overlap, of the smaller box, at which two heads are one
_UPPER_PART: Final = (0.4, 1.0)
"""Where a head must be that was not found: of the person's height, and at most of its width."""


@dataclass(frozen=True, slots=True)
class Body:
    """One person in one frame."""

    outline: Box  # what is tracked: the person box, or one guessed from the head
    person: Box | None
    head: Box | None
    score: float  # the more confident of the two detections
    sure: bool = True  # false: made of a person only whom the detector doubts


def assemble_bodies(detections: Sequence[Detection], width: int, height: int) -> list[Body]:
    """One body per person in a frame of the given size in pixels.

    Each head goes to one person at most, and each person to one head, so that as many as can
    be are together and heads are where heads are on people. Doubtful heads count only on a
    person; doubtful people count only where nobody else was found.
    """
    people = [d for d in detections if d.kind is Kind.PERSON and d.sure]
    heads = _drop_duplicates([d for d in detections if d.kind is Kind.HEAD])
    pairs = _pair(people, heads)
    bodies = []
    for index, person in enumerate(people):
        head = pairs.get(index)
        score = max(person.score, head.score if head else 0.0)
        bodies.append(Body(person.box, person.box, head.box if head else None, score))
    paired = {id(head) for head in pairs.values()}
    for head in heads:
        if head.sure and id(head) not in paired:
            outline = guess_outline(head.box).clip(width, height)
            bodies.append(Body(outline, None, head.box, head.score))
    doubtful = [d for d in detections if d.kind is Kind.PERSON and not d.sure]
    return bodies + [
        Body(person.box, person.box, None, person.score, sure=False)
        for person in doubtful
        if not any(_is_same_person(person.box, body) for body in bodies)
    ]


def find_private_areas(
    detections: Sequence[Detection], width: int, height: int, shown: Box | None = None
) -> list[Box]:
    """All heads of a frame, doubtful ones too, and the upper parts of people with no sure head.

    A head is not a person's for sure where it is not in the upper part, or where it may belong
    to another person who has none.

    Args:
        detections: Of the frame.
        width: Of the frame, in pixels.
        height: Of the frame, in pixels.
        shown: The person box of a subject whose upper part is left out.
    """
    bodies = assemble_bodies(detections, width, height)
    headless = [body.outline for body in bodies if body.head is None]
    missing = [
        upper_part(body.outline)
        for body in bodies
        if (shown is None or body.person != shown) and not _has_own_head(body, headless)
    ]
    return [d.box for d in detections if d.kind is Kind.HEAD] + missing


def upper_part(person: Box) -> Box:
    """The part of a person's box that the head of somebody upright is in."""
    of_height, of_width = _UPPER_PART
    tall = min(of_height * person.height, of_width * person.width)
    return Box(person.left, person.top, person.right, person.top + tall)


def _has_own_head(body: Body, headless: Sequence[Box]) -> bool:
    """Whether a body's head is in its upper part and can be nobody else's."""
    head = body.head
    if head is None or not upper_part(body.outline).contains(*head.centre):
        return False
    return all(_cost(other, head) > _MAX_COST for other in headless)


def guess_outline(head: Box) -> Box:
    """Where the person of a head would be, not clipped to any frame."""
    across, above, below = _BODY_OF_HEAD
    x, half, tall = head.centre[0], across * head.width / 2, head.height
    return Box(x - half, head.top - above * tall, x + half, head.top + below * tall)


def _pair(people: Sequence[Detection], heads: Sequence[Detection]) -> dict[int, Detection]:
    """Heads by their person's index."""
    if not people or not heads:
        return {}
    costs = np.array([[_cost(person.box, head.box) for head in heads] for person in people])
    # More than any number of pairs can save, so that no pair is given up for a cheaper one:
    never = _MAX_COST * (min(costs.shape) + 1)
    rows, columns = linear_sum_assignment(np.where(costs <= _MAX_COST, costs, never))
    return {
        int(person): heads[head]
        for person, head in zip(rows, columns, strict=True)
        if costs[person, head] <= _MAX_COST
    }


def _cost(person: Box, head: Box) -> float:
    """How unlikely a head is this person's, by place and size; inf is not theirs."""
    outside = 1 - person.intersection(head) / head.area if head.area > 0 else 1.0
    if outside > 1 - _MIN_INSIDE or head.height > _MAX_SIZE * person.longer_side:
        return np.inf
    down = abs(head.top - person.top) / max(person.height, 1.0)
    across = abs(head.centre[0] - person.centre[0]) / max(person.width, 1.0)
    return float(np.dot(_COSTS, (down, across, outside)))


def _is_same_person(doubtful: Box, body: Body) -> bool:
    """Whether a box shows, though not well, somebody who was found."""
    if body.person is None and body.head is not None and _cost(doubtful, body.head) <= _MAX_COST:
        return True
    return doubtful.iou(body.outline) > _SAME


def _drop_duplicates(found: Sequence[Detection]) -> list[Detection]:
    """The most confident of boxes that lie on one another."""
    kept: list[Detection] = []
    for candidate in sorted(found, key=lambda d: d.score, reverse=True):
        if all(candidate.box.overlap(other.box) < _DUPLICATE for other in kept):
            kept.append(candidate)
    return kept
