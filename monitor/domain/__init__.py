"""The records that travel from stage to stage.

    Frame -> Detection -> Subject -> Look -> Verdict -> Alert

Read this package first: words, looks, alerts. Every record is immutable, so a thread may
keep one without copying it. Times come in two kinds and are never mixed: ``seconds`` only
ever has its differences taken; ``taken_at`` is wall-clock UTC, for people. A ``Moment``
holds both.
"""

from monitor.domain.alerts import (
    Alert,
    AlertState,
    CameraState,
    Evidence,
    Opinion,
    Severity,
    StreamState,
    TamperingAlert,
    TamperingReason,
)
from monitor.domain.looks import (
    GAP_S,
    LOOK_MARGIN,
    Detection,
    Frame,
    Kind,
    Look,
    Picture,
    Subject,
    Verdict,
)
from monitor.domain.words import (
    OCCLUDED,
    WHOLE_HEAD,
    CameraId,
    Covering,
    JudgeName,
    Moment,
    Pixels,
    SubjectId,
    Timings,
)

__all__ = [
    "GAP_S",
    "LOOK_MARGIN",
    "OCCLUDED",
    "WHOLE_HEAD",
    "Alert",
    "AlertState",
    "CameraId",
    "CameraState",
    "Covering",
    "Detection",
    "Evidence",
    "Frame",
    "JudgeName",
    "Kind",
    "Look",
    "Moment",
    "Opinion",
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
]
