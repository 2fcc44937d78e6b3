"""A judge that cameras and HTTP requests use at once, one forward pass at a time."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.domain import JudgeName, Look, Verdict
from monitor.judge import Judge


@dataclass(slots=True)
class SharedJudge:
    """A Judge that several threads may use: one at a time. See Judge."""

    judge_: Judge
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> JudgeName:
        """See Judge."""
        return self.judge_.name

    def judge(self, looks: Sequence[Look]) -> list[Verdict]:
        """See Judge."""
        with self.lock:
            return self.judge_.judge(looks)

    def explain(self, look: Look) -> str:
        """See Judge."""
        with self.lock:
            return self.judge_.explain(look)
