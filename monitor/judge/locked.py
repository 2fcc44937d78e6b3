"""A judge shared by cameras and HTTP requests, one forward pass at a time."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.domain import HeadCrop, JudgeName, Verdict
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

    def judge(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        """See Judge."""
        with self.lock:
            return self.judge_.judge(crops)

    def explain(self, crop: HeadCrop) -> str:
        """See Judge."""
        with self.lock:
            return self.judge_.explain(crop)
