"""Which of several heads decides about a picture."""

import numpy as np

from monitor.domain import Covering, HeadCrop, Moment, SubjectId
from monitor.geometry import Box
from monitor.inference.inference import REQUEST
from monitor.inference.response import FaceResult, rank_faces
from monitor.ingest.frames.picture import ArrayPicture
from monitor.judge.quality import Flaw
from tests.support.fakes import frame, textured


def head(side: float, *flaws: Flaw, covering: Covering = Covering.NONE) -> FaceResult:
    """A head that cannot be judged if it has flaws."""
    moment: Moment = frame(0, ArrayPicture(textured(32, 32))).moment
    crop = HeadCrop(REQUEST, SubjectId(0), moment, np.zeros((8, 8, 3), np.uint8), side)
    probability = 0.1 if covering is Covering.NONE else 0.9
    return FaceResult(Box(0, 0, side, side), covering, probability, not flaws, flaws, crop)


def occluded(*faces: FaceResult) -> bool:
    worst = rank_faces(faces, quality_is_occlusion=True)[0]
    return worst.counts_as_occluded(quality_is_occlusion=True)


def test_who_stands_out_of_focus_behind_a_larger_clear_face_does_not_decide() -> None:
    assert not occluded(head(100), head(90, Flaw.BLURRED))


def test_the_largest_head_decides_however_poor_it_is() -> None:
    assert occluded(head(100, Flaw.BLURRED), head(90))
    assert occluded(head(100, Flaw.BLURRED))


def test_a_covered_face_in_the_background_decides() -> None:
    assert occluded(head(100), head(60, covering=Covering.BALACLAVA))


def test_a_face_that_cannot_be_judged_because_it_is_small_is_not_called_covered() -> None:
    assert not occluded(head(20, Flaw.TOO_SMALL))
    assert occluded(head(20, Flaw.TOO_SMALL, Flaw.DARK))
