"""The verifier's threads: take requests from its queue, answer them, try again while it helps."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from monitor.domain import OCCLUDED_FROM, Verdict
from monitor.errors import JudgeError
from monitor.judge import Judge
from monitor.judge.schedule.verification_queue import VerificationQueue, VerificationRequest
from monitor.runtime.backoff import Backoff
from monitor.runtime.repeat_log import RepeatLog
from monitor.runtime.stop import Stop, StopSwitch

log = logging.getLogger(__name__)

POLL_S: Final = 0.5  # how late a stop request may be noticed while nothing is asked
_TIME_FACTOR: Final = 3.0  # a sentence is wanted only if so many answers' time is left
_REPLAY_TRIES: Final = 4  # in a replay, where a request is not queued again


@dataclass(slots=True)
class VerifierWorker:
    """Answers one request at a time. One thread's own; queue and judge may be shared.

    Several of these share a judge only if that judge is thread-safe.
    """

    queue: VerificationQueue
    judge: Judge
    backoff: Backoff
    trouble: str | None = field(init=False, default=None)  # why it fails now; any thread may read
    _failures: RepeatLog = field(init=False, default_factory=lambda: RepeatLog(log))

    def run(self, stop: Stop) -> None:
        """Answer until stop is requested; a verifier that fails is tried again."""
        while not stop.requested:
            request = self.queue.take(POLL_S)
            if request is None:
                continue
            pause_s = self._try_request(request)
            if pause_s is not None:
                stop.wait(pause_s)

    def answer_waiting(self) -> int:
        """Answer what waits, on the caller's thread, as a replay does.

        Returns:
            How many requests were answered.
        """
        answered = 0
        while (request := self.queue.take(0)) is not None:
            for _ in range(_REPLAY_TRIES):
                try:
                    self.queue.put_answer(request, self._judge_request(request))
                    answered += 1
                    break
                except JudgeError as error:
                    self._log_failure(error)
                    StopSwitch().wait(self.backoff.next_delay_s())
            else:
                self.queue.put_answer(request, None)
            self.backoff.reset()
        return answered

    def _try_request(self, request: VerificationRequest) -> float | None:
        """Answer one request; if that fails, how long to wait, in seconds."""
        try:
            verdict = self._judge_request(request)
        except JudgeError as error:
            self.trouble = str(error)
            self._log_failure(error)
            if error.retryable:
                self.queue.give_back(request)
                return self.backoff.next_delay_s()
            self.queue.put_answer(request, None)
            return None
        self.backoff.reset()
        self.trouble = None
        self.queue.put_answer(request, verdict)
        return None

    def _judge_request(self, request: VerificationRequest) -> Verdict:
        """What the judge says, with a sentence if there is time for one.

        Raises:
            JudgeError: It says nothing.
        """
        started = time.monotonic()
        (verdict,) = self.judge.judge([request.crop])
        took_s = time.monotonic() - started
        wanted = (
            request.alert is not None and verdict.occluded >= OCCLUDED_FROM and verdict.evaluable
        )
        if (
            not wanted
            or verdict.thinking
            or self.queue.seconds_left(request) < _TIME_FACTOR * took_s
        ):
            return verdict
        try:
            return replace(verdict, thinking=self.judge.explain(request.crop))
        except JudgeError as error:
            log.warning("verifier %s: no sentence: %s", self.judge.name.name, error)
            return verdict

    def _log_failure(self, error: JudgeError) -> None:
        self._failures.write(
            logging.WARNING, "verifier %s: %s; asking again", self.judge.name.name, error
        )


def find_trouble(workers: Sequence[VerifierWorker]) -> str | None:
    """Why the verifier fails now, if all of its threads say that it does."""
    troubles = [worker.trouble for worker in workers]
    return troubles[0] if troubles and all(troubles) else None
