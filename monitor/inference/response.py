"""From judged faces to the HTTP contract's JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from monitor.domain import Covering, HeadCrop, JudgeName
from monitor.geometry import Box
from monitor.judge.quality import HIDING, Flaw

MODEL_ID: Final = "face_occlusion_detection"
MODEL_NAME: Final = "Face Occlusion Detection"
OCCLUDED_FROM: Final = 0.5  # probability from which the answer is yes
_MAIN = 0.5  # of the largest head's longer side: smaller heads are passers-by


@dataclass(frozen=True, slots=True)
class FaceResult:
    """What was found about one head."""

    head: Box  # pixels of the picture
    covering: Covering
    probability: float  # of being occluded, 0..1
    evaluable: bool
    flaws: tuple[Flaw, ...]
    crop: HeadCrop = field(repr=False)
    main: bool = True  # false: somebody in the background

    def occluded(self, *, quality_is_occlusion: bool) -> bool:
        """Whether it counts as occluded; a head too poor to judge does if told so.

        A passer-by far behind, blurred or cut off, does not make the answer yes, and neither does
        a face that nobody can judge because it is small.
        """
        if self.evaluable and self.probability >= OCCLUDED_FROM:
            return True
        if not quality_is_occlusion or not self.main:
            return False
        small = Flaw.TOO_SMALL in self.flaws
        unusable = not self.evaluable and self.covering is not Covering.AWAY and not small
        return unusable or not HIDING.isdisjoint(self.flaws)

    def badness(self, *, quality_is_occlusion: bool) -> tuple[bool, bool, float]:
        """What faces are ranked by: the greatest decides."""
        occluded = self.occluded(quality_is_occlusion=quality_is_occlusion)
        return occluded, self.evaluable, self.probability


def ranked(faces: Sequence[FaceResult], *, quality_is_occlusion: bool) -> list[FaceResult]:
    """The faces, the worst first.

    Who is much smaller than the largest is a passer-by, and so is who stands out of focus
    behind a larger face that can be judged.
    """
    largest = max((face.head.longer_side for face in faces), default=0.0)
    judged = max((face.head.longer_side for face in faces if face.evaluable), default=0.0)

    def is_main(face: FaceResult) -> bool:
        """Whether the picture is of them."""
        side = face.head.longer_side
        return side >= _MAIN * largest and (face.evaluable or side >= judged)

    sized = [_sized(face, main=is_main(face)) for face in faces]

    def badness(face: FaceResult) -> tuple[bool, bool, float]:
        """How bad one is."""
        return face.badness(quality_is_occlusion=quality_is_occlusion)

    return sorted(sized, key=badness, reverse=True)


def answer(
    kind: str,
    told: Sequence[tuple[FaceResult, str]],
    judge: JudgeName,
    *,
    quality_is_occlusion: bool,
    facts: Mapping[str, object],
) -> dict[str, object]:
    """The contract's JSON.

    Args:
        kind: ``image`` or ``video``.
        told: The faces, the worst first, each with what the judge says of it.
        judge: Who judged.
        quality_is_occlusion: Whether a head too poor to judge counts as occluded.
        facts: More to stand beside ``occluded``.
    """
    worst, thinking = told[0] if told else (None, "")
    response = {
        "occluded": bool(worst and worst.occluded(quality_is_occlusion=quality_is_occlusion)),
        "covering": worst.covering if worst else None,
        "probability": round(worst.probability, 4) if worst else None,
        "evaluable": bool(worst and worst.evaluable),
        "quality": list(worst.flaws) if worst else [],
        **facts,
        "faces": [_listed(face, sentence) for face, sentence in told],
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


def _sized(face: FaceResult, *, main: bool) -> FaceResult:
    return FaceResult(
        face.head, face.covering, face.probability, face.evaluable, face.flaws, face.crop, main
    )


def _listed(face: FaceResult, thinking: str) -> dict[str, object]:
    return {
        "box": [round(edge, 1) for edge in face.head.edges],
        "covering": face.covering,
        "probability": round(face.probability, 4),
        "evaluable": face.evaluable,
        "quality": list(face.flaws),
        "thinking": thinking,
    }
