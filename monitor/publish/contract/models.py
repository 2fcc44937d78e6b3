"""Every payload as a model: what is published is made with these, and so is its schema.

Subscribers must ignore fields they do not know: more may be added within version 1.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from monitor.domain import AlertState, Covering, Severity, StreamState, TamperingReason

Time = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$")]
"""ISO 8601 in UTC with milliseconds."""
Milliseconds = Annotated[float, Field(ge=0)]
Id = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
]
Order = Literal["pause", "resume", "snapshot"]
COMMAND_BYTES = 1024  # a longer command is refused unread


class Payload(BaseModel):
    """What all payloads have in common. Enumerations travel as their words."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, use_enum_values=True)


class EvidenceV1(Payload):
    """Where an alert's pictures lie, relative to the evidence folder."""

    snapshot: str
    clip: str | None
    sha256: str
    """Of the snapshot's bytes."""


class JudgeV1(Payload):
    """Which model answered."""

    name: str
    version: str


class TimingsV1(Payload):
    """What each step of the alert's way cost, in milliseconds."""

    decode: Milliseconds
    detect: Milliseconds
    track: Milliseconds
    queue: Milliseconds
    judge: Milliseconds
    decide: Milliseconds
    publish: Milliseconds


class AlertV1(Payload):
    """One state of something a person should know about."""

    id: Id
    """Stays the same over all states of one alert."""
    seq: Annotated[int, Field(ge=0)]
    """Grows with each state: (id, seq) tells repetitions."""
    state: AlertState
    severity: Severity
    site: str
    camera: str
    subject: int
    covering: Covering
    probability: Annotated[float, Field(ge=0, le=1)]
    """That the face is occluded, fused over crops."""
    occluded: bool
    thinking: str
    """The model's own words: show them, never act on them."""
    zone: str | None
    first_seen: Time
    raised_at: Time
    late: bool
    """Whether it was delivered long after it was decided, as after an outage."""
    evidence: EvidenceV1 | None
    judge: JudgeV1
    timings_ms: TimingsV1


class StateV1(Payload):
    """How a camera is doing."""

    camera: str
    state: StreamState
    streaming: bool
    stalled: bool
    tampered: bool
    fps: Annotated[float, Field(ge=0)]
    subjects: Annotated[int, Field(ge=0)]
    last_frame: Time | None
    tampering: TamperingReason | None
    """Why, while the camera counts as tampered with."""
    analysis_fps: Annotated[float, Field(ge=0)] | None
    """Pictures a second that are looked at now: fewer than are set while overloaded."""
    skipped: Annotated[int, Field(ge=0)]
    """Pictures that were not looked at because of overload, since the start."""


class TamperingV1(Payload):
    """One state, raised or ended, of an alert about a camera that shows nothing of use."""

    id: Id
    """Stays the same over both states."""
    seq: Annotated[int, Field(ge=0)]
    state: AlertState
    severity: Severity
    site: str
    camera: str
    reason: TamperingReason
    zone: str | None
    raised_at: Time
    at: Time
    """Of this state; of the one before if this program was killed in between."""
    late: bool
    """Whether it was delivered long after it was decided, as after an outage."""


class CoveredV1(Payload):
    """Whether somebody with a covered face is in view of a camera: an alert is open."""

    camera: str
    covered: bool
    alerts: Annotated[int, Field(ge=0)]
    """Open alerts."""
    covering: Covering | None
    """Of the latest open alert."""
    severity: Severity | None
    """The highest of the open alerts."""
    last_covering: Covering | None
    """Of the latest alert, also when it is over; unknown after a restart."""


class ProblemV1(Payload):
    """Something about this program that somebody should look at."""

    kind: Literal["outbox_damaged", "outbox_refuses", "judge_fails", "verifier_fails"]
    detail: str
    since: Time


class HealthV1(Payload):
    """How the program itself is doing."""

    site: str
    ok: bool
    at: Time
    problems: list[ProblemV1]


class CommandV1(Payload):
    """What to do with one camera. The bare word of ``command`` is a command too."""

    model_config = ConfigDict(extra="forbid")

    command: Order
    id: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Comes back in the answer."""


class AnswerV1(Payload):
    """What became of a command."""

    camera: str
    command: str | None
    """None if it was not understood."""
    id: str | None
    ok: bool
    error: str | None
    at: Time
