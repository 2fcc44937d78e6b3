"""One picture or one recording in, one answer out: the HTTP contract's JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from monitor.alert.fusion import Evidence
from monitor.build import Models
from monitor.config.policy import Policy
from monitor.config.schema import Tracking
from monitor.domain import (
    LOOK_MARGIN,
    CameraId,
    Covering,
    Frame,
    Look,
    Moment,
    Picture,
    Subject,
    SubjectId,
    Verdict,
)
from monitor.geometry import Box, square_around
from monitor.track.bodies import heads
from monitor.track.bytetrack import BodyTracker

MODEL_ID = "face_occlusion_detection"
_OCCLUDED = 0.5  # probability from which the answer is yes
REQUEST = CameraId("request")
"""The camera of a single picture or recording."""


@dataclass(frozen=True, slots=True)
class Face:
    """What was found about one head."""

    head: Box  # pixels of the picture
    covering: Covering
    probability: float  # of being occluded, 0..1
    evaluable: bool
    thinking: str

    def occluded(self, *, quality_is_occlusion: bool) -> bool:
        """Whether it counts as occluded; a head too poor to judge does if told so."""
        if not self.evaluable:
            return quality_is_occlusion and self.covering is not Covering.AWAY
        return self.probability >= _OCCLUDED


@dataclass(slots=True)
class Inference:
    """Answers single pictures and recordings. Not thread-safe, as its models are not.

    All faces are judged and listed; the worst decides. Where no face is found the whole
    picture is judged, and the answer says so.
    """

    models: Models
    quality_is_occlusion: bool = True
    tracking: Tracking = field(default_factory=Tracking)

    def picture(self, picture: Picture) -> dict[str, object]:
        """The answer for one picture.

        Raises:
            JudgeError: The model cannot answer.
        """
        moment = Moment(0.0, datetime.fromtimestamp(0, UTC))
        frame = Frame(REQUEST, 0, moment, picture, 0.0)
        (detections,) = self.models.detector.detect([frame])
        found = heads(detections, frame.width, frame.height)
        looks = [_look(frame, SubjectId(n), head) for n, head in enumerate(found)]
        whole = Box(0, 0, frame.width, frame.height)
        if not looks:
            looks = [Look(REQUEST, SubjectId(0), moment, frame.cut(whole), float(frame.height))]
        verdicts = self._judged(looks)
        faces = [
            self._face(head, verdict, look)
            for head, verdict, look in zip(found or [whole], verdicts, looks, strict=True)
        ]
        return self._answer("image", faces, face_found=bool(found))

    def video(self, frames: Iterable[Frame]) -> dict[str, object]:
        """The answer for a recording: each person's looks are fused over time.

        Raises:
            JudgeError: The model cannot answer.
        """
        tracker = BodyTracker(REQUEST, self.tracking)
        people: dict[SubjectId, _Person] = {}
        for frame in frames:
            (detections,) = self.models.detector.detect([frame])
            subjects = tracker.update(frame, detections)
            looks = [_look(frame, subject.id, subject.head) for subject in subjects]
            for subject, verdict, look in zip(subjects, self._judged(looks), looks, strict=True):
                people.setdefault(subject.id, _Person()).add(subject, verdict, look)
        faces = [self._fused(person) for person in people.values()]
        return self._answer("video", faces, face_found=bool(faces))

    def _occluded(self, face: Face) -> bool:
        return face.occluded(quality_is_occlusion=self.quality_is_occlusion)

    def _judged(self, looks: Sequence[Look]) -> list[Verdict]:
        return self.models.judge.judge(looks) if looks else []

    def _face(self, head: Box, verdict: Verdict, look: Look) -> Face:
        suspicious = verdict.evaluable and verdict.occluded >= _OCCLUDED
        thinking = self.models.judge.explain(look) if suspicious else ""
        return Face(head, verdict.named, verdict.occluded, verdict.evaluable, thinking)

    def _fused(self, person: "_Person") -> Face:
        subject, verdict, look = person.worst
        opinion = person.opinion
        if opinion is None:
            return self._face(subject.head, verdict, look)
        covering, probability = opinion
        thinking = self.models.judge.explain(look) if probability >= _OCCLUDED else ""
        return Face(subject.head, covering, probability, evaluable=True, thinking=thinking)

    def _answer(self, kind: str, faces: Sequence[Face], *, face_found: bool) -> dict[str, object]:
        def badness(face: Face) -> tuple[bool, bool, float]:
            """What the faces are ranked by."""
            return self._occluded(face), face.evaluable, face.probability

        ranked = sorted(faces, key=badness, reverse=True)
        worst = ranked[0] if ranked else None
        occluded = worst is not None and self._occluded(worst)
        response = {
            "occluded": occluded,
            "covering": worst.covering if worst else None,
            "probability": round(worst.probability, 4) if worst else None,
            "evaluable": worst.evaluable if worst else False,
            "face_found": face_found,
            "faces": [_listed(face) for face in ranked],
        }
        return {
            "inference_id": str(uuid4()),
            "model_id": MODEL_ID,
            "model_name": self.models.judge.name.name,
            "moderation_type": kind,
            "status": "completed",
            "result": {"response": response, "thinking": worst.thinking if worst else ""},
        }


@dataclass(slots=True)
class _Person:
    """One person of a recording: what their looks add up to, and the most telling one."""

    evidence: Evidence = field(default_factory=lambda: Evidence(Policy()))
    looks: list[tuple[Subject, Verdict, Look]] = field(default_factory=list)
    opinion: tuple[Covering, float] | None = None  # when they looked most covered

    def add(self, subject: Subject, verdict: Verdict, look: Look) -> None:
        """Take in what was seen of them in one frame."""
        if verdict.evaluable:
            self.evidence.add(verdict)
            now = self.evidence.opinion
            enough = self.evidence.agreeing >= Policy().min_looks
            if now and (self.opinion is None or (enough and now[1] > self.opinion[1])):
                self.opinion = now
        self.looks = [max([*self.looks, (subject, verdict, look)], key=_telling)]

    @property
    def worst(self) -> tuple[Subject, Verdict, Look]:
        """The most telling look at them."""
        return self.looks[0]


def _telling(entry: tuple[Subject, Verdict, Look]) -> tuple[bool, float]:
    return entry[1].evaluable, entry[1].occluded


def _look(frame: Frame, subject: SubjectId, head: Box) -> Look:
    size = max(head.right - head.left, head.bottom - head.top, 1.0)
    pixels = frame.cut(square_around(head, LOOK_MARGIN * size))
    return Look(REQUEST, subject, frame.moment, pixels, size)


def _listed(face: Face) -> dict[str, object]:
    head = face.head
    return {
        "box": [round(edge, 1) for edge in (head.left, head.top, head.right, head.bottom)],
        "covering": face.covering,
        "probability": round(face.probability, 4),
        "evaluable": face.evaluable,
        "thinking": face.thinking,
    }
