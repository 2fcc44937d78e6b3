"""The records that are published: alerts, and the state of cameras."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from monitor.domain.observations import Verdict
from monitor.domain.words import CameraId, Covering, JudgeName, Moment, SubjectId, Timings


class AlertState(StrEnum):
    """The life of one alert. ``confirmed``, ``rejected`` and ``unverified`` need a verifier."""

    RAISED = "raised"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    UNVERIFIED = "unverified"
    ENDED = "ended"

    @property
    def is_final(self) -> bool:
        """Whether no other state follows this one."""
        return self in (AlertState.REJECTED, AlertState.ENDED)


class Severity(StrEnum):
    """How much an alert matters; ``ignore`` is never published."""

    IGNORE = "ignore"
    NOTE = "note"
    ALERT = "alert"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The paths of an alert's pictures, relative to the evidence folder."""

    snapshot: str
    clip: str | None
    sha256: str  # of the snapshot's bytes


@dataclass(frozen=True, slots=True)
class Alert:
    """One state of an alert, identified by (id, seq)."""

    id: UUID
    seq: int
    state: AlertState
    severity: Severity
    camera: CameraId
    subject: SubjectId
    covering: Covering
    probability: float  # that the face is occluded, fused over crops, 0..1
    thinking: str
    zone: str | None
    first_seen: Moment
    raised_at: Moment
    judge: JudgeName
    timings: Timings
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class VerifierAnswer:
    """The verifier's answer about one state of an alert."""

    alert: UUID
    seq: int  # of the state it was asked about
    verdict: Verdict | None  # None: no answer, or not evaluable


class TamperingReason(StrEnum):
    """Why a camera that sends pictures shows nothing of use, the most severe first."""

    LENS_COVERED = "lens_covered"
    IMAGE_TOO_DARK = "image_too_dark"
    IMAGE_FROZEN = "image_frozen"  # the same picture again and again
    IMAGE_TOO_BLURRY = "image_too_blurry"
    GLOBAL_SCENE_CHANGE = "global_scene_change"  # another view than usual


@dataclass(frozen=True, slots=True)
class TamperingAlert:
    """One state, raised or ended, of tampering with a camera, identified by (id, seq)."""

    id: UUID
    seq: int
    state: AlertState
    severity: Severity
    camera: CameraId
    reason: TamperingReason
    zone: str | None
    raised_at: datetime
    at: datetime  # of this state


class StreamState(StrEnum):
    """The state of a camera."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    STALLED = "stalled"  # was streaming; no frame, or no connection, at the moment
    REJECTED = "rejected"  # refused by the camera: wrong password, no such stream
    TAMPERED = "tampered"
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
    tampering: TamperingReason | None = None  # set while it is tampered with
    analysis_fps: float | None = None  # current frames per second
    skipped: int = 0  # frames skipped because of overload, since the start
