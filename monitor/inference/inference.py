"""Judges the faces in one picture or recording; answers with the HTTP contract's JSON."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from monitor.alert.fusion import LogOddsFusion
from monitor.build import Models
from monitor.config.policy import Policy
from monitor.config.schema import Tracking
from monitor.detect.padded_retry import PaddedRetryDetector
from monitor.detect.second_look import SecondLook
from monitor.domain import (
    OCCLUDED_FROM,
    CameraId,
    Covering,
    Detection,
    Frame,
    HeadCrop,
    Moment,
    Picture,
    Subject,
    SubjectId,
    Verdict,
)
from monitor.domain.framing import crop_window
from monitor.errors import JudgeError
from monitor.geometry import Box
from monitor.inference.response import FaceResult, build_response, rank_faces
from monitor.judge.quality import find_flaws
from monitor.judge.scoring import to_one_line
from monitor.track.bodies import assemble_bodies
from monitor.track.bytetrack import BodyTracker

REQUEST = CameraId("request")
"""The camera name of single pictures and recordings."""

_MAX_SENTENCES = 4  # faces with a sentence of their own; writing is slow


def _never_late() -> bool:
    return False


@dataclass(slots=True)
class Inference:
    """Judges single pictures and recordings. Not thread-safe, because its models are not.

    All faces are judged and listed; the worst decides. A picture without a face is searched again
    at a smaller size. If that finds none either, the whole picture is judged and ``head_found`` is
    false. When ``is_late`` becomes true, judging stops and ``complete`` is false.
    """

    models: Models
    quality_is_occlusion: bool = True
    tracking: Tracking = field(default_factory=Tracking)
    is_late: Callable[[], bool] = _never_late

    def judge_picture(self, picture: Picture) -> dict[str, object]:
        """The response for one picture.

        Raises:
            JudgeError: The model cannot answer.
        """
        return self.judge_pictures([picture])

    def judge_pictures(self, pictures: Iterable[Picture]) -> dict[str, object]:
        """The response for one picture, or for the worst picture of an animation.

        Raises:
            JudgeError: The model cannot answer.
            ValueError: There are no pictures.
        """
        worst: tuple[bool, bool, float] | None = None
        order: list[FaceResult] = []
        head_found = False
        complete = True
        for number, picture in enumerate(pictures):
            if number and self.is_late():
                complete = False
                break
            faces, found, all_judged = self._judge_faces(picture)
            complete = complete and all_judged
            ranked = rank_faces(faces, quality_is_occlusion=self.quality_is_occlusion)
            rank = ranked[0].rank(quality_is_occlusion=self.quality_is_occlusion)
            if worst is None or rank > worst:
                worst, order, head_found = rank, ranked, found
        if worst is None:
            raise ValueError("there is no picture to judge")
        return self._build_response("image", order, head_found=head_found, complete=complete)

    def judge_video(self, frames: Iterable[Frame]) -> dict[str, object]:
        """The response for a recording: each person's crops are fused over time.

        Raises:
            JudgeError: The model cannot answer.
        """
        tracker = BodyTracker(REQUEST, self.tracking)
        people: dict[SubjectId, _Person] = {}
        complete = True
        for frame in frames:
            (detections,) = self.models.detector.detect([frame])
            subjects = tracker.update(frame, detections)
            heads = [(s, s.head) for s in subjects if s.head is not None]
            crops = [_cut_head(frame, subject.id, head) for subject, head in heads]
            verdicts = self._judge_crops(crops)
            for (subject, head), verdict, crop in zip(heads, verdicts, crops, strict=False):
                people.setdefault(subject.id, _Person()).add(head, verdict, crop, frame)
            if self.is_late():
                complete = False
                break
        faces = [person.to_result() for person in people.values()]
        order = rank_faces(faces, quality_is_occlusion=self.quality_is_occlusion)
        return self._build_response("video", order, head_found=bool(faces), complete=complete)

    def _judge_faces(self, picture: Picture) -> tuple[list[FaceResult], bool, bool]:
        """The faces of one picture, whether any was found, and whether all were judged."""
        moment = Moment(0.0, datetime.fromtimestamp(0, UTC))
        frame = Frame(REQUEST, 0, moment, picture, 0.0)
        (detections,) = PaddedRetryDetector(self.models.detector).detect([frame])
        found_heads = sorted(self._find_heads(frame, detections), key=lambda head: -head.area)
        whole = Box(0, 0, frame.width, frame.height)
        if found_heads:
            crops = [_cut_head(frame, SubjectId(n), head) for n, head in enumerate(found_heads)]
        else:
            size = float(max(frame.width, frame.height))
            crops = [HeadCrop(REQUEST, SubjectId(0), moment, frame.cut(whole), size)]
        verdicts = self._judge_crops(crops)
        faces = [
            _build_result(frame, head, verdict, crop)
            for head, verdict, crop in zip(found_heads or [whole], verdicts, crops, strict=False)
        ]
        return faces, bool(found_heads), len(faces) == len(crops)

    def _find_heads(self, frame: Frame, detections: Sequence[Detection]) -> list[Box]:
        """The heads of everybody in one picture; who has none is looked at more closely."""
        sure = [detection for detection in detections if detection.sure]
        bodies = assemble_bodies(sure, frame.width, frame.height)
        found = [body.head for body in bodies if body.head is not None]
        missing = [
            Subject(
                SubjectId(n), REQUEST, body.person, None, body.score, frame.moment, frame.moment
            )
            for n, body in enumerate(bodies)
            if body.head is None
        ]
        closer = SecondLook(self.models.detector, max_parts=len(bodies))
        return found + list(closer.find_heads(frame, missing).values())

    def _judge_crops(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        """Verdicts of the first crops: of all of them, unless time runs out."""
        verdicts: list[Verdict] = []
        for start in range(0, len(crops), self.models.batch):
            if start and self.is_late():
                break
            verdicts += self.models.judge.judge(crops[start : start + self.models.batch])
        return verdicts

    def _build_response(
        self,
        kind: str,
        order: Sequence[FaceResult],
        *,
        head_found: bool,
        complete: bool,
    ) -> dict[str, object]:
        sentences = [self._write_sentence(face) for face in order[:_MAX_SENTENCES]]
        return build_response(
            kind,
            list(zip(order, [*sentences, *[""] * len(order)], strict=False)),
            self.models.judge.name,
            quality_is_occlusion=self.quality_is_occlusion,
            facts={"head_found": head_found, "complete": complete},
        )

    def _write_sentence(self, face: FaceResult) -> str:
        """The judge's sentence about a covered face; empty if there is none."""
        if face.evaluable and face.probability >= OCCLUDED_FROM and not self.is_late():
            with suppress(JudgeError):
                return to_one_line(self.models.judge.explain(face.crop))
        return ""


@dataclass(slots=True)
class _Person:
    """One person of a recording: the fused evidence, and the clearest crop."""

    evidence: LogOddsFusion = field(default_factory=lambda: LogOddsFusion(Policy()))
    clearest: tuple[Box, Verdict, HeadCrop, Frame] | None = None
    belief: tuple[Covering, float] | None = None  # the one with the highest probability

    def add(self, head: Box, verdict: Verdict, crop: HeadCrop, frame: Frame) -> None:
        """Add the verdict about them in one frame."""
        if verdict.evaluable:
            self.evidence.add(verdict)
            now = self.evidence.belief
            enough = self.evidence.agreeing >= Policy().min_crops
            if now and (self.belief is None or (enough and now[1] > self.belief[1])):
                self.belief = now
        if self.clearest is None or _rank_verdict(verdict) > _rank_verdict(self.clearest[1]):
            self.clearest = head, verdict, crop, frame

    def to_result(self) -> FaceResult:
        """The face entry for this person. Flaws are reported only if no crop was evaluable."""
        assert self.clearest is not None, "made with the first verdict"  # noqa: S101
        head, verdict, crop, frame = self.clearest
        if self.belief is None:
            return _build_result(frame, head, verdict, crop)
        covering, probability = self.belief
        return FaceResult(head, covering, probability, evaluable=True, flaws=(), crop=crop)


def _rank_verdict(verdict: Verdict) -> tuple[bool, float]:
    return verdict.evaluable, verdict.occluded


def _cut_head(frame: Frame, subject: SubjectId, head: Box) -> HeadCrop:
    size = max(head.longer_side, 1.0)
    return HeadCrop(REQUEST, subject, frame.moment, frame.cut(crop_window(head)), size)


def _build_result(frame: Frame, head: Box, verdict: Verdict, crop: HeadCrop) -> FaceResult:
    crop_flaws = find_flaws(crop.pixels, frame.cut(head), head, (frame.width, frame.height))
    return FaceResult(head, verdict.named, verdict.occluded, verdict.evaluable, crop_flaws, crop)
