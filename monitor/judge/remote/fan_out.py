"""Asking a server about several crops at once."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from monitor.domain import Covering, HeadCrop, JudgeName, Verdict
from monitor.errors import JudgeAnswerError, JudgeError

_GARBLED: Final = 5  # answers in a row that could not be read, after which it is said aloud


@dataclass(slots=True)
class FanOutJudge:
    """Judges crops one request each, all at once. Thread-safe.

    If any was answered, those that were not get a verdict of nothing: not evaluable. One
    crop with a strange answer must not keep the others' verdicts from anybody.

    Args:
        name: Of the judge.
        one: Judges one crop; raises JudgeError.
    """

    name: JudgeName
    one: Callable[[HeadCrop], Verdict]
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _garbled: int = field(init=False, default=0)

    def judge(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        """One verdict per crop, in their order.

        Raises:
            JudgeUnavailableError: None was answered.
            JudgeAnswerError: None of the last answers could be read.
        """
        results: list[Verdict | JudgeError] = [JudgeAnswerError("not asked")] * len(crops)

        def ask(number: int) -> None:
            """Judge one crop, on a thread of its own."""
            try:
                results[number] = self.one(crops[number])
            except JudgeError as error:
                results[number] = error

        # Threads that do not keep the program from ending, whatever the server does.
        threads = [
            threading.Thread(target=ask, args=(number,), name="judge-ask", daemon=True)
            for number in range(1, len(crops))
        ]
        for thread in threads:
            thread.start()
        if crops:
            ask(0)
        for thread in threads:
            thread.join()
        self._check(results)
        return [
            result if isinstance(result, Verdict) else self._nothing(crop)
            for crop, result in zip(crops, results, strict=True)
        ]

    def _check(self, results: Sequence[Verdict | JudgeError]) -> None:
        errors = [result for result in results if isinstance(result, JudgeError)]
        down = [error for error in errors if not isinstance(error, JudgeAnswerError)]
        with self._lock:
            if len(errors) < len(results) or not results:
                self._garbled = 0
                return
            self._garbled += len(errors) - len(down)
            if down:
                raise down[0]
            if self._garbled >= _GARBLED:
                raise errors[0]

    def _nothing(self, crop: HeadCrop) -> Verdict:
        return Verdict(
            camera=crop.camera,
            subject=crop.subject,
            moment=crop.moment,
            probabilities=dict.fromkeys(Covering, 0.0),
            unusable=1.0,
            thinking="",
            judge=self.name,
            timings=crop.timings,
        )
