"""What leaves the machine: alerts, and how the cameras are."""

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
    """What the verifier said about one state of an alert."""

    alert: UUID
    seq: int  # of the state it was asked about
    verdict: Verdict | None  # None: it gave no answer, or could not see


class TamperingReason(StrEnum):
    """Why a camera that sends pictures shows nothing of use; the worst first."""

    LENS_COVERED = "lens_covered"
    IMAGE_TOO_DARK = "image_too_dark"
    IMAGE_FROZEN = "image_frozen"  # the very same picture while time runs
    IMAGE_TOO_BLURRY = "image_too_blurry"
    GLOBAL_SCENE_CHANGE = "global_scene_change"  # another view than usual


@dataclass(frozen=True, slots=True)
class TamperingAlert:
    """One state, raised or ended, of tampering with a camera; (id, seq) names it for ever."""

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
    """How a camera is doing."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    STALLED = "stalled"  # was streaming; no frame, or no connection, at the moment
    REJECTED = "rejected"  # the camera refuses us: wrong password, no such stream
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
    tampering: TamperingReason | None = None  # why, while it is tampered with
    analysis_fps: float | None = None  # frames per second that are looked at now
    skipped: int = 0  # frames not looked at because of overload, since the start
