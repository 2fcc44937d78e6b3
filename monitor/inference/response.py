"""Builds the HTTP contract's JSON from judged faces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import uuid4

from monitor.domain import OCCLUDED_FROM, Covering, HeadCrop, JudgeName
from monitor.geometry import Box
from monitor.judge.quality import HIDING, Flaw

MODEL_ID: Final = "face_occlusion_detection"
MODEL_NAME: Final = "Face Occlusion Detection"
_MAIN = 0.5  # of the longest head; shorter heads are passers-by


@dataclass(frozen=True, slots=True)
class FaceResult:
    """The result for one head."""

    head: Box  # pixels of the picture
    covering: Covering
    probability: float  # of being occluded, 0..1
    evaluable: bool
    flaws: tuple[Flaw, ...]
    crop: HeadCrop = field(repr=False)
    main: bool = True  # false: a person in the background

    def counts_as_occluded(self, *, quality_is_occlusion: bool) -> bool:
        """Whether this face counts as occluded. Unusable heads count if ``quality_is_occlusion``.

        Exceptions: a passer-by who is blurred or cut off, and a face that is too small to judge,
        do not count.
        """
        if self.evaluable and self.probability >= OCCLUDED_FROM:
            return True
        if not quality_is_occlusion or not self.main:
            return False
        small = Flaw.TOO_SMALL in self.flaws
        unusable = not self.evaluable and self.covering is not Covering.AWAY and not small
        return unusable or not HIDING.isdisjoint(self.flaws)

    def rank(self, *, quality_is_occlusion: bool) -> tuple[bool, bool, float]:
        """The sort key of faces: the greatest decides."""
        counts = self.counts_as_occluded(quality_is_occlusion=quality_is_occlusion)
        return counts, self.evaluable, self.probability


def rank_faces(faces: Sequence[FaceResult], *, quality_is_occlusion: bool) -> list[FaceResult]:
    """The faces, the worst first, with passers-by marked.

    A passer-by is much smaller than the largest face, or is out of focus and smaller than a face
    that can be judged.
    """
    largest = max((face.head.longer_side for face in faces), default=0.0)
    judged = max((face.head.longer_side for face in faces if face.evaluable), default=0.0)

    def is_main(face: FaceResult) -> bool:
        """Whether this is not a passer-by."""
        side = face.head.longer_side
        return side >= _MAIN * largest and (face.evaluable or side >= judged)

    marked = [replace(face, main=is_main(face)) for face in faces]
    return sorted(
        marked, key=lambda f: f.rank(quality_is_occlusion=quality_is_occlusion), reverse=True
    )


def build_response(
    kind: str,
    faces: Sequence[tuple[FaceResult, str]],
    judge: JudgeName,
    *,
    quality_is_occlusion: bool,
    facts: Mapping[str, object],
) -> dict[str, object]:
    """The contract's JSON.

    Args:
        kind: ``image`` or ``video``.
        faces: The faces, the worst first, each with the judge's sentence.
        judge: The judge that answered.
        quality_is_occlusion: Whether an unusable head counts as occluded.
        facts: More fields beside ``occluded``.
    """
    worst, thinking = faces[0] if faces else (None, "")
    response = {
        "occluded": bool(
            worst and worst.counts_as_occluded(quality_is_occlusion=quality_is_occlusion)
        ),
        "covering": worst.covering if worst else None,
        "probability": round(worst.probability, 4) if worst else None,
        "evaluable": bool(worst and worst.evaluable),
        "quality": list(worst.flaws) if worst else [],
        **facts,
        "faces": [_format_face(face, sentence) for face, sentence in faces],
        "judge": {"name": judge.name, "version": judge.version},
    }
    return {
        "inference_id": f"inf_{uuid4().hex}",
        "model_id": MODEL_ID,
        "model_name": MODEL_NAME,
        "moderation_type": kind,
        "status": "completed",
        "result": {"response": response, "thinking": thinking},
    }


def _format_face(face: FaceResult, thinking: str) -> dict[str, object]:
    return {
        "box": [round(edge, 1) for edge in face.head.edges],
        "covering": face.covering,
        "probability": round(face.probability, 4),
        "evaluable": face.evaluable,
        "quality": list(face.flaws),
        "thinking": thinking,
    }
