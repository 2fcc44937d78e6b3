"""The judge's thread: take crops from the scheduler, answer them, explain the suspicious ones."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cachetools import LRUCache

from monitor.domain import OCCLUDED_FROM, CameraId, HeadCrop, SubjectId, Verdict
from monitor.errors import JudgeError
from monitor.judge import Judge
from monitor.judge.schedule.crop_scheduler import CropScheduler
from monitor.judge.schedule.verification_queue import VerificationQueue
from monitor.runtime.backoff import Backoff
from monitor.runtime.stop import Stop

log = logging.getLogger(__name__)

POLL_S = 0.5  # how late a stop request may be noticed while no crop waits
PACE_S = 0.02  # how long to wait for the budget while crops are waiting
_MAX_REMEMBERED = 512  # subjects whose sentence is kept


@dataclass(slots=True)
class JudgeWorker:
    """Empties the scheduler in batches. Owned by one thread; only the scheduler is shared.

    A sentence is generated once per suspicious subject, after its verdict went out, and
    travels with that subject's next verdict: generating is slow, so between two batches
    there is time for one sentence and no more.
    """

    scheduler: CropScheduler
    judge: Judge
    batch: int
    backoff: Backoff
    verifier: VerificationQueue | None = None  # receives every suspicious crop
    trouble: str | None = field(init=False, default=None)  # why it fails now; any thread may read
    _sentences: LRUCache[tuple[CameraId, SubjectId], str] = field(
        init=False, default_factory=lambda: LRUCache(_MAX_REMEMBERED)
    )
    _unexplained: LRUCache[tuple[CameraId, SubjectId], HeadCrop] = field(
        init=False, default_factory=lambda: LRUCache(_MAX_REMEMBERED)
    )

    def run(self, stop: Stop) -> None:
        """Judge until stop is requested; a judge that fails is tried again."""
        while not stop.requested:
            crops = self.scheduler.take(self.batch, 0.0 if self._unexplained else POLL_S)
            if not crops:
                if not self._explain_one():
                    stop.wait(PACE_S)
                continue
            try:
                self.judge_crops(crops)
            except JudgeError as error:
                self.scheduler.give_up(crops)
                self.trouble = str(error)
                pause_s = self.backoff.next_delay_s()
                log.warning(
                    "judge %s: %s; retrying in %.1f s", self.judge.name.name, error, pause_s
                )
                stop.wait(pause_s)
            else:
                self.backoff.reset()
                self.trouble = None
                self._explain_one()

    def answer_waiting(self) -> int:
        """Judge and explain all waiting crops that the budget allows, on the caller's thread.

        Returns:
            How many crops were answered.

        Raises:
            JudgeError: The judge gave no verdicts.
        """
        answered = 0
        while crops := self.scheduler.take(self.batch):
            self.judge_crops(crops)
            answered += len(crops)
        while self._explain_one():
            pass
        return answered

    def judge_crops(self, crops: Sequence[HeadCrop]) -> None:
        """Judge one batch and bring the verdicts back.

        Raises:
            JudgeError: The judge gave no verdicts; the crops are still out.
        """
        verdicts = [self._add_sentence(verdict) for verdict in self.judge.judge(crops)]
        if self.verifier is not None:  # first: the scheduler's answer may raise an alert at once
            for crop, verdict in zip(crops, verdicts, strict=True):
                self.verifier.record_verdict(crop, verdict)
        self.scheduler.put_verdicts(verdicts)
        for crop, verdict in zip(crops, verdicts, strict=True):
            key = crop.camera, crop.subject
            suspicious = verdict.occluded >= OCCLUDED_FROM and verdict.evaluable
            if suspicious and not verdict.thinking and key not in self._sentences:
                self._unexplained[key] = crop

    def _explain_one(self) -> bool:
        """Ask for one subject's sentence; False if none is wanted.

        It is not worth failing for: the subject's verdict is out.
        """
        if not self._unexplained:
            return False
        key, crop = self._unexplained.popitem()  # the oldest
        try:
            self._sentences[key] = self.judge.explain(crop)
        except JudgeError as error:
            log.warning("judge %s: no sentence: %s", self.judge.name.name, error)
        return True

    def _add_sentence(self, verdict: Verdict) -> Verdict:
        if verdict.thinking:
            return verdict
        return replace(verdict, thinking=self._sentences.get((verdict.camera, verdict.subject), ""))
