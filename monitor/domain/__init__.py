"""The records that travel from stage to stage.

    Frame -> Detection -> Subject -> HeadCrop -> Verdict -> Alert

Read this package first: words, observations, alerts. Every record is immutable, so a thread may
keep one without copying it. Times come in two kinds and are never mixed: ``seconds`` only
ever has its differences taken; ``taken_at`` is wall-clock UTC, for people. A ``Moment``
holds both.
"""

from monitor.domain.alerts import (
    Alert,
    AlertState,
    CameraState,
    Evidence,
    Severity,
    StreamState,
    TamperingAlert,
    TamperingReason,
    VerifierAnswer,
)
from monitor.domain.observations import (
    GAP_S,
    Detection,
    Frame,
    HeadCrop,
    Kind,
    Picture,
    Subject,
    Verdict,
)
from monitor.domain.words import (
    ANSWERS,
    OCCLUDED,
    OCCLUDED_FROM,
    UNUSABLE,
    CameraId,
    Covering,
    JudgeName,
    Moment,
    Pixels,
    SubjectId,
    Timings,
)

__all__ = [
    "ANSWERS",
    "GAP_S",
    "OCCLUDED",
    "OCCLUDED_FROM",
    "UNUSABLE",
    "Alert",
    "AlertState",
    "CameraId",
    "CameraState",
    "Covering",
    "Detection",
    "Evidence",
    "Frame",
    "HeadCrop",
    "JudgeName",
    "Kind",
    "Moment",
    "Picture",
    "Pixels",
    "Severity",
    "StreamState",
    "Subject",
    "SubjectId",
    "TamperingAlert",
    "TamperingReason",
    "Timings",
    "Verdict",
    "VerifierAnswer",
]
