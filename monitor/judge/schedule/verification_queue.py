"""Requests to a second judge about alerts and doubtful crops. Nothing blocks on its answer."""

import threading
from collections import Counter
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from cachetools import LRUCache

from monitor.config.judges import Verifier as Settings
from monitor.domain import Alert, CameraId, HeadCrop, Severity, SubjectId, Verdict, VerifierAnswer
from monitor.runtime.clock import Clock

WEIGHT: Final = 3.0  # how many crops of the first judge one of the verifier's counts for
_DOUBT_RANGE: Final = (0.2, 0.9)  # of a covering: above clear, below certain
_DOUBT_EVERY_S: Final = 2.0  # the same subject's doubts are not asked about more often
_MAX_REMEMBERED: Final = 128  # subjects whose best crop is kept for an alert
_MIN_GAIN: Final = 1.15  # a newer crop replaces the kept one unless that was this much larger
_FRESH_S: Final = 5.0  # ... or is older than this
_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}

Key = tuple[CameraId, SubjectId]


@dataclass(frozen=True, slots=True, eq=False)
class VerificationRequest:
    """One crop to be looked at again."""

    crop: HeadCrop
    alert: Alert | None  # None: only a doubt
    until: float  # seconds on the clock of the queue; later answers are not used

    @property
    def urgency(self) -> tuple[int, float]:
        """The sort key: severe alerts first, then the request that expires first."""
        return (-_RANK[self.alert.severity] if self.alert else 0), self.until


@dataclass(frozen=True, slots=True)
class VerificationCounts:
    """Counts of requests since the start, by what happened to them."""

    asked: int
    answered: int
    expired: int  # not answered in time
    refused: int  # too many were waiting
    replaced: int  # a newer crop of the same subject took their place


class VerificationQueue:
    """Crops that wait for the verifier, the most urgent first. Thread-safe, never blocks.

    It keeps each suspicious subject's best crop, so that there is one to ask about when an
    alert is raised. Both are bounded in number.

    Args:
        settings: How long and how many requests may wait.
        clock: Of the pipeline.
        bell: Rung whenever there is an answer.
    """

    def __init__(
        self, settings: Settings, clock: Clock, bell: threading.Event | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._bell = bell or threading.Event()
        self._changed = threading.Condition()  # guards everything below
        self._best: LRUCache[Key, HeadCrop] = LRUCache(_MAX_REMEMBERED)
        self._doubted: LRUCache[Key, float] = LRUCache(_MAX_REMEMBERED)  # seconds, when last asked
        self._waiting: dict[UUID | Key, VerificationRequest] = {}
        self._alert_answers: dict[CameraId, list[VerifierAnswer]] = {}
        self._verdicts: dict[CameraId, list[Verdict]] = {}
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> VerificationCounts:
        """Requests asked, answered and dropped since the start."""
        with self._changed:
            names = VerificationCounts.__slots__
            return VerificationCounts(**{name: self._counts[name] for name in names})

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        with self._changed:
            return len(self._waiting)

    def record_verdict(self, crop: HeadCrop, verdict: Verdict) -> None:
        """Keep a suspicious crop, and request a second verdict if the first one is doubtful."""
        low, high = _DOUBT_RANGE
        if not verdict.evaluable or verdict.occluded < low:
            return
        key = crop.camera, crop.subject
        now = self._clock.seconds()
        with self._changed:
            before = self._best.pop(key, None)
            self._best[key] = crop if before is None or _is_better(crop, before) else before
            due = now - self._doubted.get(key, float("-inf")) >= _DOUBT_EVERY_S
            if verdict.occluded < high and due:
                self._doubted[key] = now
                self._enqueue(
                    key, VerificationRequest(crop, None, now + self._settings.verify_within_s)
                )

    def ask(self, alert: Alert) -> None:
        """Request a second verdict about an alert that has just been raised."""
        now = self._clock.seconds()
        with self._changed:
            crop = self._best.get((alert.camera, alert.subject))
            if crop is None:  # so long ago that it was forgotten
                self._store_answer(alert, None)
                return
            self._waiting.pop((alert.camera, alert.subject), None)  # the doubt is settled with it
            self._enqueue(
                alert.id, VerificationRequest(crop, alert, now + self._settings.verify_within_s)
            )

    def take(self, timeout_s: float) -> VerificationRequest | None:
        """The most urgent request, waiting for one for at most this long."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, timeout_s)
            self._drop_expired()
            if not self._waiting:
                return None
            name = min(self._waiting, key=lambda name: self._waiting[name].urgency)
            return self._waiting.pop(name)

    def put_answer(self, request: VerificationRequest, verdict: Verdict | None) -> None:
        """Accept the verifier's verdict; None if it gave no usable one."""
        if verdict is not None:
            verdict = replace(verdict, weight=WEIGHT)
        with self._changed:
            self._counts["answered"] += verdict is not None
            if request.alert is not None:
                self._store_answer(request.alert, verdict)
            elif verdict is not None:
                self._verdicts.setdefault(verdict.camera, []).append(verdict)
        self._bell.set()

    def give_back(self, request: VerificationRequest) -> None:
        """Queue a request again that could not be answered now."""
        name = request.alert.id if request.alert else (request.crop.camera, request.crop.subject)
        with self._changed:
            if name not in self._waiting:
                self._enqueue(name, request, again=True)

    def seconds_left(self, request: VerificationRequest) -> float:
        """The time until a request expires, in seconds."""
        return request.until - self._clock.seconds()

    @property
    def answered_cameras(self) -> set[CameraId]:
        """The cameras that have answers or verdicts to collect."""
        with self._changed:
            return {*self._alert_answers, *self._verdicts}

    def collect_answers(self, camera: CameraId) -> list[VerifierAnswer]:
        """Remove and return the answers about one camera's alerts."""
        with self._changed:
            return self._alert_answers.pop(camera, [])

    def collect_verdicts(self, camera: CameraId) -> list[Verdict]:
        """Remove and return the verdicts about one camera's doubtful crops."""
        with self._changed:
            return self._verdicts.pop(camera, [])

    def _enqueue(
        self, name: UUID | Key, request: VerificationRequest, *, again: bool = False
    ) -> None:
        self._counts["asked"] += not again
        self._counts["replaced"] += self._waiting.pop(name, None) is not None
        self._drop_expired()
        if len(self._waiting) >= self._settings.waiting:
            self._counts["refused"] += 1
            last = max(self._waiting, key=lambda name: self._waiting[name].urgency)
            if self._waiting[last].urgency <= request.urgency:
                self._give_up(request)
                return
            self._give_up(self._waiting.pop(last))
        self._waiting[name] = request
        self._changed.notify()

    def _drop_expired(self) -> None:
        now = self._clock.seconds()
        for name in [name for name, q in self._waiting.items() if q.until <= now]:
            self._give_up(self._waiting.pop(name))
            self._counts["expired"] += 1

    def _give_up(self, request: VerificationRequest) -> None:
        if request.alert is not None:
            self._store_answer(request.alert, None)

    def _store_answer(self, alert: Alert, verdict: Verdict | None) -> None:
        answer = VerifierAnswer(alert.id, alert.seq, verdict)
        self._alert_answers.setdefault(alert.camera, []).append(answer)
        self._bell.set()


def _is_better(crop: HeadCrop, before: HeadCrop) -> bool:
    """Whether a newer crop replaces an older one."""
    old = crop.moment.seconds - before.moment.seconds > _FRESH_S
    return old or before.head_px <= _MIN_GAIN * crop.head_px
