"""From what several teachers find in a picture, in several views of it, to one set of labels.

What the views agree on is labelled as sure. What only some of them half find is labelled as
doubtful: training asks for nothing there and punishes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from monitor.domain import Kind
from monitor.domain.framing import head_around_face
from monitor.geometry import Box
from monitor.train.detector.labelled_boxes import FACE, LabelledBox

Boxes: TypeAlias = NDArray[np.float32]
"""(N, 4): left, top, right, bottom in pixels."""
Scores: TypeAlias = NDArray[np.float32]
"""(N,) in 0..1."""
PosesToHeads: TypeAlias = Callable[[NDArray[np.float32]], Boxes]
"""Keypoints (N, 17, 3) to heads (N, 4), such as ``PoseHeads.predict``."""

_SAME_IOU: Final = 0.5  # boxes of two views that overlap this much are one object
_PEOPLE_WEIGHT: Final = 2.0  # a view of the people model counts this much, one of the poses 1
_PERSON_SURE: Final = 0.2  # fused score from which a person is labelled as sure
_PERSON_DOUBTFUL: Final = 0.05  # fused score from which a person is labelled as doubtful
_DRAWN_IOU: Final = 0.4  # a found person that overlaps a drawn one this much is that person
_CONFIRMING_IOU: Final = 0.3  # found people that overlap a drawn one this much can confirm it
_CONFIRMING_SCORE: Final = 0.03  # with this fused score; drawn people without any are doubtful
_SMALL_PX: Final = 60.0  # drawn people lower than this need no confirming: teachers miss them
_HEAD_VISIBLE: Final = 0.3  # a pose shows a head if a keypoint of it is this sure
_SHOULDERS_COUNT: Final = 0.5  # both shoulders stand for a head with this part of their surety
_HEAD_SURE: Final = 0.22  # fused score from which a head is labelled as sure
_HEAD_DOUBTFUL: Final = 0.04  # fused score from which a head is labelled as doubtful
_DRAWN_HEAD: Final = 0.3  # a found head that lies in a drawn one by this part is that head
_FACE_FOUND: Final = 0.25  # fused score from which a face is used at all
_FACE_SURE: Final = 0.4  # fused score from which a face is labelled
_FACE_IN_HEAD: Final = 0.6  # a face that lies in a pose's head by this part belongs to it
_FACE_MOVES: Final = 0.5  # a face this sure moves its head's box half the way to its own
_FACE_MOVES_IOU: Final = 0.3  # if the head around the face overlaps the pose's head this much
_FACE_TO_HEAD: Final = 0.8  # a head's score per score of its face
_FACE_CLEAR: Final = 0.75  # a face this sure makes a head by itself with the factor above,
_FACE_ALONE: Final = 0.5  # one less sure with this factor
_WITH_HEAD: Final = 0.5  # a head that lies in a person by this part is that person's
_UPPER_HEIGHT: Final = 0.45  # of a standing person without a head, the height that is doubtful,
_UPPER_WIDTH: Final = 0.9  # but no more than this part of the width
_UPPER_ABOVE: Final = 0.1  # and this part of that height above the person's box
_BODY: Final = (1.0, 0.2, 1.0, 4.0)  # of a head without a person: widths and heights about it
_MIN_SIDE_PX: Final = 3.0  # smaller boxes are not labelled


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What one teacher finds in one view of a picture, in the picture's own pixels."""

    boxes: Boxes
    scores: Scores
    keypoints: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 17, 3), np.float32))
    """(N, 17, 3) x, y, confidence, in COCO's order; none of a teacher for boxes."""


@dataclass(frozen=True, slots=True, eq=False)
class TeacherAnswers:
    """What all teachers find in all views of a picture."""

    size: tuple[int, int]
    """Width and height of the picture, in pixels."""
    people: Sequence[Candidates] = ()
    poses: Sequence[Candidates] = ()
    faces: Sequence[Candidates] = ()


@dataclass(frozen=True, slots=True)
class _FusedBoxes:
    """Boxes with the scores that decide whether they are sure."""

    boxes: Boxes
    scores: Scores


def fuse_views(
    views: Sequence[tuple[Boxes, Scores]], weights: Sequence[float] | None = None
) -> tuple[Boxes, Scores]:
    """One box for each object that any view shows; the order of the views does not matter.

    Args:
        views: Boxes (N, 4) and scores (N,) of each.
        weights: How much each view counts; equal by default.

    Returns:
        Boxes (M, 4), each the mean of its views' boxes by their scores, and scores (M,): the
        weighted mean over all views, a view without the object counting 0.

    Source:
        Solovyev, Wang and Gabruseva, "Weighted boxes fusion: Ensembling boxes from different
        object detection models", 2021.
    """
    weight = np.ones(len(views)) if weights is None else np.asarray(weights, np.float64)
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(found for found, _ in views)])
    scores = np.concatenate([np.zeros(0, np.float32), *(found for _, found in views)])
    owner = np.repeat(np.arange(len(views)), [len(found) for _, found in views])
    order = np.lexsort((*boxes.T[::-1], -scores))
    boxes, scores, owner = boxes[order], scores[order], owner[order]
    alike = compute_iou(boxes, boxes) >= _SAME_IOU
    left = np.ones(len(boxes), np.bool_)
    fused: list[NDArray[np.float64]] = []
    total: list[float] = []
    for first in range(len(boxes)):
        if not left[first]:
            continue
        group = np.flatnonzero(left & alike[first])
        left[group] = False
        _, best = np.unique(owner[group], return_index=True)  # one box of each view
        group = group[np.sort(best)]
        by_score = scores[group].astype(np.float64)
        fused.append((boxes[group] * by_score[:, None]).sum(0) / max(by_score.sum(), 1e-9))
        total.append(float((weight[owner[group]] * by_score).sum() / weight.sum()))
    return np.array(fused, np.float32).reshape(-1, 4), np.array(total, np.float32)


def label_picture(
    answers: TeacherAnswers,
    poses_to_heads: PosesToHeads,
    drawn: Mapping[str, Sequence[Sequence[float]]],
) -> list[LabelledBox]:
    """The labels of one picture.

    Args:
        answers: Of the teachers.
        poses_to_heads: Says where the head of a pose is.
        drawn: Boxes that humans drew, by kind. They win over what the teachers find; of kinds
            that they did not draw, the teachers decide alone.

    Returns:
        People, heads and faces, clipped to the picture, tiny ones left out.
    """
    people = _label_people(answers, _to_array(drawn.get(Kind.PERSON, ())))
    faces = _FusedBoxes(*fuse_views([(found.boxes, found.scores) for found in answers.faces]))
    faces = _select(faces, faces.scores > _FACE_FOUND)
    heads = _find_heads(answers.poses, poses_to_heads, faces)
    heads_labels = _label_heads(heads, _to_array(drawn.get(Kind.HEAD, ())))
    bodies = _doubt_bodies(heads_labels, people)
    upper = _doubt_upper_parts(people, heads_labels)
    clear = faces.boxes[faces.scores > _FACE_SURE]
    face_labels = [_label(FACE, box, sure=True) for box in clear]
    labels = [*people, *heads_labels, *upper, *bodies, *face_labels]
    clipped = (_clip(label, *answers.size) for label in labels)
    return [label for label in clipped if label is not None]


def compute_iou(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """(N, M) intersection over union of boxes (N, 4) and others (M, 4)."""
    shared = _intersect(boxes, others)
    union = _area(boxes)[:, None] + _area(others)[None] - shared
    ratio: NDArray[np.float32] = shared / (union + 1e-9)
    return ratio


def _label_people(answers: TeacherAnswers, drawn: Boxes) -> list[LabelledBox]:
    views = [(found.boxes, found.scores) for found in (*answers.people, *answers.poses)]
    weights = [_PEOPLE_WEIGHT] * len(answers.people) + [1.0] * len(answers.poses)
    boxes, scores = fuse_views(views, weights)
    overlap = compute_iou(drawn, boxes)
    labels = []
    for box, row in zip(drawn, overlap, strict=True):
        support = scores[row > _CONFIRMING_IOU].max(initial=0)
        sure = bool(support >= _CONFIRMING_SCORE or box[3] - box[1] < _SMALL_PX)
        labels.append(_label(Kind.PERSON, box, sure=sure))
    new = overlap.max(axis=0, initial=0) < _DRAWN_IOU
    labels += [
        _label(Kind.PERSON, box, sure=bool(score >= _PERSON_SURE))
        for box, score in zip(boxes[new], scores[new], strict=True)
        if score >= _PERSON_DOUBTFUL
    ]
    return labels


def _find_heads(
    poses: Sequence[Candidates], poses_to_heads: PosesToHeads, faces: _FusedBoxes
) -> _FusedBoxes:
    """The heads of poses, moved towards their faces, and heads around faces without a pose."""
    views = []
    for found in poses:
        points = found.keypoints
        shoulders = _SHOULDERS_COUNT * np.minimum(points[:, 5, 2], points[:, 6, 2])
        visible = np.maximum(points[:, :5, 2].max(axis=1, initial=0), shoulders)
        shown = visible > _HEAD_VISIBLE
        views.append((poses_to_heads(points[shown]), (found.scores * visible)[shown]))
    of_poses, pose_scores = fuse_views(views)
    around = _surround_faces(faces.boxes)
    overlap, within = compute_iou(around, of_poses), _share_inside(faces.boxes, of_poses)
    boxes, scores = list(of_poses), [float(score) for score in pose_scores]
    for index, score in enumerate(faces.scores.tolist()):
        owner = int(within[index].argmax()) if len(of_poses) else -1
        if owner < 0 or within[index, owner] <= _FACE_IN_HEAD:
            boxes.append(around[index])
            scores.append(score * (_FACE_ALONE if score < _FACE_CLEAR else _FACE_TO_HEAD))
            continue
        if score > _FACE_MOVES and overlap[index, owner] > _FACE_MOVES_IOU:
            boxes[owner] = (boxes[owner] + around[index]) / 2
        scores[owner] = max(scores[owner], min(1.0, score * _FACE_TO_HEAD))
    return _FusedBoxes(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))


def _label_heads(heads: _FusedBoxes, drawn: Boxes) -> list[LabelledBox]:
    new = _share_inside(heads.boxes, drawn).max(axis=1, initial=0) < _DRAWN_HEAD
    labels = [_label(Kind.HEAD, box, sure=True) for box in drawn]
    labels += [
        _label(Kind.HEAD, box, sure=bool(score >= _HEAD_SURE))
        for box, score in zip(heads.boxes[new], heads.scores[new], strict=True)
        if score >= _HEAD_DOUBTFUL
    ]
    return labels


def _doubt_upper_parts(
    people: Sequence[LabelledBox], heads: Sequence[LabelledBox]
) -> list[LabelledBox]:
    """Where the heads of people are that have no sure one: a head may be there."""
    sure = _to_array([head.edges for head in heads if head.sure])
    share = _share_inside(sure, _to_array([person.edges for person in people]))
    labels = []
    for person, inside in zip(people, share.max(axis=0, initial=0), strict=True):
        if inside >= _WITH_HEAD:
            continue
        left, top, right, bottom = person.edges
        width, height = right - left, bottom - top
        upper = min(_UPPER_HEIGHT * height, _UPPER_WIDTH * width) if height > width else height
        edges = (left, top - _UPPER_ABOVE * upper, right, top + upper)
        labels.append(LabelledBox(Kind.HEAD, sure=False, edges=edges))
    return labels


def _doubt_bodies(heads: Sequence[LabelledBox], people: Sequence[LabelledBox]) -> list[LabelledBox]:
    """Where the bodies of heads are that lie in no person: a person may be there."""
    share = _share_inside(
        _to_array([head.edges for head in heads]), _to_array([person.edges for person in people])
    )
    labels = []
    for head, inside in zip(heads, share.max(axis=1, initial=0), strict=True):
        if inside >= _WITH_HEAD:
            continue
        left, top, right, bottom = head.edges
        width, height = right - left, bottom - top
        a, b, c, d = _BODY
        edges = (left - a * width, top - b * height, right + c * width, bottom + d * height)
        labels.append(LabelledBox(Kind.PERSON, sure=False, edges=edges))
    return labels


def _surround_faces(faces: Boxes) -> Boxes:
    """The heads (N, 4) around faces (N, 4)."""
    return _to_array([head_around_face(Box(*face)).edges for face in faces.tolist()])


def _label(kind: str, box: NDArray[np.float32], *, sure: bool) -> LabelledBox:
    left, top, right, bottom = box.tolist()
    return LabelledBox(kind, sure, (left, top, right, bottom))


def _clip(label: LabelledBox, width: float, height: float) -> LabelledBox | None:
    left, top, right, bottom = label.edges
    edges = (max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height))
    if min(edges[2] - edges[0], edges[3] - edges[1]) < _MIN_SIDE_PX:
        return None
    return LabelledBox(label.kind, label.sure, edges)


def _select(found: _FusedBoxes, wanted: NDArray[np.bool_]) -> _FusedBoxes:
    return _FusedBoxes(found.boxes[wanted], found.scores[wanted])


def _to_array(boxes: Sequence[Sequence[float]]) -> Boxes:
    return np.array(boxes, np.float32).reshape(-1, 4)


def _area(boxes: Boxes) -> NDArray[np.float32]:
    sides: NDArray[np.float32] = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return sides


def _intersect(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """(N, M) areas that boxes (N, 4) and others (M, 4) share."""
    corner = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sides = np.clip(corner - np.maximum(boxes[:, None, :2], others[None, :, :2]), 0, None)
    shared: NDArray[np.float32] = sides.prod(axis=2)
    return shared


def _share_inside(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """(N, M) which part of boxes (N, 4) lies inside of others (M, 4)."""
    share: NDArray[np.float32] = _intersect(boxes, others) / _area(boxes)[:, None].clip(1e-6)
    return share
