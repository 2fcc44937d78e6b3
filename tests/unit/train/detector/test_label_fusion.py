"""From what teachers find in several views to one set of sure and doubtful labels."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.train.detector.label_fusion import (
    Candidates,
    TeacherAnswers,
    compute_iou,
    fuse_views,
    label_picture,
)
from monitor.train.detector.labelled_boxes import LabelledBox

Floats = NDArray[np.float32]
SIZE = (400, 300)
PERSON = (100, 100, 140, 220)
HEAD = (110, 100, 130, 125)  # where `head_of` says it is

coordinates = st.integers(0, 60)
sides = st.integers(4, 40)
scored_boxes = st.tuples(coordinates, coordinates, sides, sides, st.floats(0.0625, 1, width=32))
views = st.lists(st.lists(scored_boxes, max_size=5), min_size=1, max_size=4)


def to_view(rows: Sequence[tuple[float, ...]]) -> tuple[Floats, Floats]:
    """Rows of left, top, width, height, score."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    return np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], 1), table[:, 4]


def found(*rows: tuple[float, ...]) -> Candidates:
    """Rows of left, top, right, bottom, score."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Candidates(table[:, :4], table[:, 4])


def pose(*rows: tuple[float, ...], visible: float = 0.9) -> Candidates:
    """As ``found``, with the nose 12 pixels below the middle of the upper edge."""
    people = found(*rows)
    points = np.zeros((len(rows), 17, 3), np.float32)
    points[:, 0, 0] = people.boxes[:, [0, 2]].mean(axis=1)
    points[:, 0, 1] = people.boxes[:, 1] + 12
    points[:, 0, 2] = visible
    return Candidates(people.boxes, people.scores, points)


def head_of(keypoints: Floats) -> Floats:
    """Heads of 20 by 25 pixels around the nose."""
    nose = keypoints[:, 0, :2]
    return np.concatenate([nose, nose], 1) + np.array([-10, -12, 10, 13], np.float32)


def label(
    people: Sequence[Candidates] = (),
    poses: Sequence[Candidates] = (),
    faces: Sequence[Candidates] = (),
    **drawn: Sequence[Sequence[float]],
) -> set[tuple[str, bool, tuple[int, ...]]]:
    """What a picture's labels are: kind, sure, rounded edges."""
    labels = label_picture(TeacherAnswers(SIZE, people, poses, faces), head_of, drawn)
    return {(box.kind, box.sure, tuple(round(edge) for edge in box.edges)) for box in labels}


@settings(deadline=None)  # the machine is shared
@given(views, st.randoms(use_true_random=False))
def test_the_order_of_the_views_does_not_matter(
    rows: list[list[tuple[float, ...]]], random: Random
) -> None:
    shuffled = rows.copy()
    random.shuffle(shuffled)
    (boxes, scores), (again, scores_again) = (
        fuse_views([to_view(view) for view in order]) for order in (rows, shuffled)
    )
    assert np.allclose(boxes, again, atol=1e-3)
    assert np.allclose(scores, scores_again, atol=1e-5)


@settings(deadline=None)  # the machine is shared
@given(views)
def test_every_fused_box_lies_in_the_hull_of_what_it_is_made_of(
    rows: list[list[tuple[float, ...]]],
) -> None:
    given_views = [to_view(view) for view in rows]
    boxes, scores = fuse_views(given_views)
    inputs = np.concatenate([found for found, _ in given_views])
    assert len(boxes) <= len(inputs)
    for box, score in zip(boxes, scores, strict=True):
        near = inputs[compute_iou(box[None], inputs)[0] > 0.1]
        assert (box[:2] >= near[:, :2].min(axis=0) - 1e-3).all()
        assert (box[2:] <= near[:, 2:].max(axis=0) + 1e-3).all()
        assert 0 < score <= max(view.max(initial=0) for _, view in given_views) + 1e-6


def test_a_view_without_the_object_takes_its_share_of_the_score() -> None:
    there, nothing = to_view([(0, 0, 10, 20, 0.8)]), to_view([])
    _, scores = fuse_views([there, nothing, nothing, there], [3, 1, 2, 2])
    assert scores.tolist() == pytest.approx([0.8 * 5 / 8])


def test_boxes_of_two_views_are_averaged_by_score_and_one_of_each_view_counts() -> None:
    one = to_view([(0, 0, 10, 20, 0.6), (1, 0, 10, 20, 0.3)])
    other = to_view([(2, 0, 10, 20, 0.2)])
    boxes, scores = fuse_views([one, other])
    assert np.allclose(boxes, [[0.5, 0, 10.5, 20]])
    assert np.allclose(scores, [0.4])


def test_people_that_views_agree_on_are_sure_and_half_found_ones_doubtful() -> None:
    labels = label(
        people=[found((*PERSON, 0.3), (200, 50, 240, 170, 0.2)), found((*PERSON, 0.3))],
        poses=[pose((*PERSON, 0.3))],
    )
    assert ("person", True, PERSON) in labels
    assert ("person", False, (200, 50, 240, 170)) in labels
    assert ("head", True, HEAD) in labels


def test_heads_of_poses_are_sure_doubtful_or_nothing_by_what_is_visible() -> None:
    heads = {
        visible: {(sure, edges) for kind, sure, edges in labels if kind == "head"}
        for visible in (0.9, 0.35, 0.2)
        for labels in [label(poses=[pose((*PERSON, 0.4), visible=visible)])]
    }
    assert heads[0.9] == {(True, HEAD)}
    upper = (False, (100, 96, 140, 136))
    assert heads[0.35] == {(False, HEAD), upper}
    assert heads[0.2] == {upper}, "the back of a person, without keypoints of a head"


def test_where_a_person_shows_no_head_the_upper_part_is_doubtful() -> None:
    labels = label(people=[found((*PERSON, 0.9))], poses=[pose()])
    assert labels == {("person", True, PERSON), ("head", False, (100, 96, 140, 136))}


def test_where_a_head_has_no_person_the_body_is_doubtful() -> None:
    labels = label(faces=[found((112, 105, 128, 121, 0.9))])
    (head,) = [edges for kind, sure, edges in labels if (kind, sure) == ("head", True)]
    (body,) = [edges for kind, sure, edges in labels if (kind, sure) == ("person", False)]
    assert ("face", True, (112, 105, 128, 121)) in labels
    assert body[0] < head[0] < head[2] < body[2]
    assert body[1] < head[1]
    assert body[3] - head[3] > 3 * (head[3] - head[1])


def test_a_face_makes_its_head_sure_and_moves_it() -> None:
    faint = [pose((*PERSON, 0.2)), pose()]
    assert ("head", False, HEAD) in label(poses=faint)
    face = (114, 103, 130, 121)
    labels = label(poses=faint, faces=[found((*face, 0.9))])
    (head,) = [edges for kind, sure, edges in labels if (kind, sure) == ("head", True)]
    assert head != HEAD
    assert np.abs(np.subtract(head, HEAD)).max() <= 4
    assert ("face", True, face) in labels


def test_a_faint_face_alone_makes_a_doubtful_head_and_is_no_face() -> None:
    kinds = {(kind, sure) for kind, sure, _ in label(faces=[found((112, 105, 128, 121, 0.35))])}
    assert kinds == {("head", False), ("person", False)}


def test_what_humans_drew_wins_and_the_rest_is_added() -> None:
    near = (102, 102, 142, 222)
    labels = label(
        people=[found((*near, 0.9), (200, 50, 240, 170, 0.9))],
        poses=[pose((*near, 0.9))],
        person=[PERSON],
        head=[(111, 101, 131, 126)],
    )
    people = {(sure, edges) for kind, sure, edges in labels if kind == "person"}
    assert people == {(True, PERSON), (True, (200, 50, 240, 170))}
    heads = {edges for kind, sure, edges in labels if kind == "head" and sure}
    assert heads == {(111, 101, 131, 126)}


def test_a_large_drawn_person_that_no_teacher_finds_is_doubtful_and_a_small_one_is_not() -> None:
    small = (10, 10, 30, 60)
    labels = label(people=[found()], poses=[pose()], person=[PERSON, small])
    people = {(sure, edges) for kind, sure, edges in labels if kind == "person"}
    assert people == {(False, PERSON), (True, small)}


def test_labels_end_at_the_edge_of_the_picture_and_tiny_ones_are_left_out() -> None:
    labels = label(people=[found((380, 100, 430, 320, 0.9), (398, 0, 410, 90, 0.9))])
    assert {edges for kind, _, edges in labels if kind == "person"} == {(380, 100, 400, 300)}


def test_an_empty_picture_has_no_labels() -> None:
    assert label_picture(TeacherAnswers(SIZE, [found()], [pose()], [found()]), head_of, {}) == []
    assert label_picture(TeacherAnswers(SIZE), head_of, {"person": [PERSON]}) == [
        LabelledBox("person", sure=False, edges=PERSON),
        LabelledBox("head", sure=False, edges=(100.0, 96.4, 140.0, 136.0)),
    ]
