"""The judge's thread: take looks from the desk, answer them, explain the suspicious ones."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from monitor.domain import CameraId, Look, SubjectId, Verdict
from monitor.errors import JudgeError
from monitor.judge import Judge
from monitor.judge.desk import JudgeDesk
from monitor.runtime.backoff import Backoff
from monitor.runtime.stop import Stop

log = logging.getLogger(__name__)

POLL_S = 0.5  # how late a stop request may be noticed while nobody is in view
PACE_S = 0.02  # how long to wait for the budget while looks are waiting
_SUSPICIOUS = 0.5  # probability of a covering from which a sentence may be wanted
_REMEMBERED = 512  # subjects whose sentence is kept


@dataclass(slots=True)
class JudgeLoop:
    """Empties the desk in batches. Owned by one thread; only the desk is shared.

    A sentence is generated once per suspicious subject, after its verdict went out, and
    travels with that subject's next verdict: generating is slow and must delay nothing.
    """

    desk: JudgeDesk
    judge: Judge
    batch: int
    backoff: Backoff
    trouble: str | None = field(init=False, default=None)  # why it fails now; any thread may read
    _sentences: dict[tuple[CameraId, SubjectId], str] = field(init=False, default_factory=dict)

    def run(self, stop: Stop) -> None:
        """Answer until stop is requested; a judge that fails is waited out, never given up."""
        while not stop.requested:
            looks = self.desk.take(self.batch, POLL_S)
            if not looks:
                stop.wait(PACE_S)
                continue
            try:
                self.answer(looks)
            except JudgeError as error:
                self.desk.give_up(looks)
                self.trouble = str(error)
                pause_s = self.backoff.delay()
                log.warning(
                    "judge %s: %s; retrying in %.1f s", self.judge.name.name, error, pause_s
                )
                stop.wait(pause_s)
            else:
                self.backoff.reset()
                self.trouble = None

    def answer_all(self) -> int:
        """Answer what waits and the budget allows, on the caller's thread; how many looks.

        Raises:
            JudgeError: The judge gave no verdicts.
        """
        answered = 0
        while looks := self.desk.take(self.batch):
            self.answer(looks)
            answered += len(looks)
        return answered

    def answer(self, looks: Sequence[Look]) -> None:
        """Judge one batch and bring the verdicts back.

        Raises:
            JudgeError: The judge gave no verdicts; the looks are still out.
        """
        verdicts = [self._with_sentence(verdict) for verdict in self.judge.judge(looks)]
        self.desk.answer(verdicts)
        for look, verdict in zip(looks, verdicts, strict=True):
            if verdict.occluded >= _SUSPICIOUS and verdict.evaluable and not verdict.thinking:
                self._explain(look)
        while len(self._sentences) > _REMEMBERED:
            del self._sentences[next(iter(self._sentences))]

    def _explain(self, look: Look) -> None:
        """Ask for a subject's sentence, once. It is not worth failing for: its verdict is out."""
        if (look.camera, look.subject) in self._sentences:
            return
        try:
            self._sentences[look.camera, look.subject] = self.judge.explain(look)
        except JudgeError as error:
            log.warning("judge %s: no sentence: %s", self.judge.name.name, error)

    def _with_sentence(self, verdict: Verdict) -> Verdict:
        if verdict.thinking:
            return verdict
        return replace(verdict, thinking=self._sentences.get((verdict.camera, verdict.subject), ""))
