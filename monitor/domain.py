"""The records that travel from stage to stage.

    Frame -> Detection -> Subject -> Look -> Verdict -> Alert

Read this file first. Every record is immutable, so a thread may keep one without
copying it. Times come in two kinds and are never mixed: ``seconds`` only ever has its
differences taken; ``taken_at`` is wall-clock UTC, for people. A ``Moment`` holds both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from monitor.geometry import Box

CameraId = NewType("CameraId", str)
SubjectId = NewType("SubjectId", int)

Pixels: TypeAlias = NDArray[np.uint8]
"""(height, width, 3), blue-green-red, 0..255, C-contiguous: what OpenCV expects."""


class Covering(StrEnum):
    """What covers a face. The order is the order of every table and every model's answers."""

    NONE = "none"
    MASK = "mask"
    MASK_INCORRECT = "mask_incorrect"  # worn below the nose
    SCARF = "scarf"
    BALACLAVA = "balaclava"
    HARD_MASK = "hard_mask"
    HELMET = "helmet"
    SUNGLASSES = "sunglasses"
    HAND_OBJECT = "hand_object"
    AWAY = "away"  # no face in view: neither clear nor occluded


OCCLUDED = tuple(c for c in Covering if c not in (Covering.NONE, Covering.AWAY))
"""The coverings that count as an occluded face."""
# These may leave nothing of a face to find:
WHOLE_HEAD = (Covering.BALACLAVA, Covering.HARD_MASK, Covering.HELMET)


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks."""

    seconds: float  # monotonic when live, of the recording when replayed
    taken_at: datetime

    def __post_init__(self) -> None:
        if self.taken_at.tzinfo is None:
            raise ValueError("taken_at must carry a time zone")


class Picture(Protocol):
    """A decoded picture that is converted to blue-green-red only when asked, and only in part."""

    @property
    def width(self) -> int:
        """Pixels across."""

    @property
    def height(self) -> int:
        """Pixels down."""

    def scaled(self, width: int, height: int) -> Pixels:
        """The whole picture, resized to (height, width, 3)."""

    def cut(self, box: Box) -> Pixels:
        """The part inside ``box``, clipped to the picture; at least 1 by 1 pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture of one camera, not yet converted."""

    camera: CameraId
    sequence: int  # 0, 1, 2, ... since the source was opened; gaps are dropped frames
    moment: Moment
    picture: Picture = field(repr=False)
    decode_ms: float  # what decoding this picture cost

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.picture.width

    @property
    def height(self) -> int:
        """Pixels down."""
        return self.picture.height

    def scaled(self, width: int, height: int) -> Pixels:
        """The whole frame, resized to (height, width, 3)."""
        return self.picture.scaled(width, height)

    def cut(self, box: Box) -> Pixels:
        """The part inside ``box``, clipped to the frame; at least 1 by 1 pixel."""
        return self.picture.cut(box)


class Kind(StrEnum):
    """What a detector can find."""

    PERSON = "person"
    FACE = "face"  # covered or not


@dataclass(frozen=True, slots=True)
class Detection:
    """One object in one frame, as the detector saw it."""

    kind: Kind
    box: Box
    score: float  # the detector's confidence, 0..1; comparable only within one model


@dataclass(frozen=True, slots=True)
class Subject:
    """One person followed over time. Ids are unique within a camera and never reused.

    Where no face is found the head is the upper part of the person, and ``face_found`` false.
    """

    id: SubjectId
    camera: CameraId
    person: Box | None  # None when only a face was seen
    head: Box  # about the face, without margin
    face_found: bool
    score: float  # of the detection the head came from
    first_seen: Moment
    last_seen: Moment


@dataclass(frozen=True, slots=True)
class Timings:
    """What each step of one alert's way cost, in milliseconds on the pipeline's clock."""

    decode: float = 0.0
    detect: float = 0.0
    track: float = 0.0
    queue: float = 0.0  # from the look's choice to the judge's taking it
    judge: float = 0.0
    decide: float = 0.0
    publish: float = 0.0  # from the decision to the hand-over to the broker


GAP_S = 0.7  # out of sight this long, a subject may be somebody else when it comes back
LOOK_MARGIN = 1.5  # a look is a square of this many times the face, clipped to the picture


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One head crop that the desk chose."""

    camera: CameraId
    subject: SubjectId
    moment: Moment  # of the frame it was cut from
    pixels: Pixels = field(repr=False)
    face_px: float  # the head's longer side in the frame, in pixels
    timings: Timings = field(default=Timings())
    face_found: bool = True  # false: the crop is where the head should be


@dataclass(frozen=True, slots=True)
class JudgeName:
    """Which model answered."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge saw in one look."""

    camera: CameraId
    subject: SubjectId
    moment: Moment  # when the look was taken, not when the judge answered
    probabilities: Mapping[Covering, float]  # with ``unusable`` they sum to 1
    unusable: float  # too small, dark, blurred or cut off to say; 0..1
    thinking: str  # the model's own words: show it, never act on it
    judge: JudgeName
    timings: Timings
    face_found: bool = True  # as in the look

    @property
    def covering(self) -> Covering:
        """The most probable covering, whether or not the look was evaluable."""
        return max(Covering, key=lambda covering: self.probabilities.get(covering, 0.0))

    @property
    def occluded(self) -> float:
        """p(occluded coverings) / (p(occluded coverings) + p(none)), 0..1."""
        covered = sum(self.probabilities.get(covering, 0.0) for covering in OCCLUDED)
        both = covered + self.probabilities.get(Covering.NONE, 0.0)
        return covered / both if both > 0 else 0.0

    @property
    def named(self) -> Covering:
        """The covering that goes with ``occluded``: the likeliest that hides a face if it does.

        Where mask and scarf have 0.3 each and none 0.4, ``none`` would contradict it.
        """
        if not self.evaluable or self.occluded < 0.5:  # noqa: PLR2004  (more likely than not)
            return self.covering
        return max(OCCLUDED, key=lambda covering: self.probabilities.get(covering, 0.0))

    @property
    def credible(self) -> bool:
        """Whether the verdict may count: evaluable, and of something that was there to see.

        Where no face was found the crop is a guess, and a mask in it most likely a collar.
        """
        whole_head = self.named in WHOLE_HEAD or self.named is Covering.NONE
        return self.evaluable and (self.face_found or whole_head)

    @property
    def evaluable(self) -> bool:
        """Whether there was a face to judge: neither ``away`` nor unusable is the likelier."""
        return self.unusable + self.probabilities.get(Covering.AWAY, 0.0) <= 0.5  # noqa: PLR2004


class AlertState(StrEnum):
    """The life of one alert. ``confirmed``, ``rejected`` and ``unverified`` need a verifier."""

    RAISED = "raised"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    UNVERIFIED = "unverified"
    ENDED = "ended"


class Severity(StrEnum):
    """How much an alert matters; what ``ignore`` says is never published."""

    IGNORE = "ignore"
    NOTE = "note"
    ALERT = "alert"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where the pictures of an alert lie, relative to the evidence folder."""

    snapshot: str
    clip: str | None
    sha256: str  # of the snapshot's bytes


@dataclass(frozen=True, slots=True)
class Alert:
    """One state of something a person should know about; (id, seq) names it for ever."""

    id: UUID
    seq: int
    state: AlertState
    severity: Severity
    camera: CameraId
    subject: SubjectId
    covering: Covering
    probability: float  # that the face is occluded, fused over looks, 0..1
    thinking: str
    zone: str | None
    first_seen: Moment
    raised_at: Moment
    judge: JudgeName
    timings: Timings
    evidence: Evidence | None


class StreamState(StrEnum):
    """How a camera is doing."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    STALLED = "stalled"  # was streaming; no frame, or no connection, at the moment
    REJECTED = "rejected"  # the camera refuses us: wrong password, no such stream
    BLIND = "blind"
    PAUSED = "paused"
    ENDED = "ended"  # a recording that has been played


@dataclass(frozen=True, slots=True)
class CameraState:
    """One camera's state as it is published."""

    camera: CameraId
    state: StreamState
    fps: float  # frames received per second, over the last seconds
    subjects: int  # people in view now
    last_frame: datetime | None  # None until the first picture
