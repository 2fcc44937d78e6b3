"""Asking a server about several looks at once."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from monitor.domain import Covering, JudgeName, Look, Verdict
from monitor.errors import JudgeAnswerError, JudgeError

_GARBLED: Final = 5  # answers in a row that could not be read, after which it is said aloud


@dataclass(slots=True)
class Together:
    """Judges looks one request each, all at once. Thread-safe.

    If any was answered, those that were not get a verdict of nothing: not evaluable. One
    look with a strange answer must not keep the others' verdicts from anybody.

    Args:
        name: Of the judge.
        one: Judges one look; raises JudgeError.
    """

    name: JudgeName
    one: Callable[[Look], Verdict]
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _garbled: int = field(init=False, default=0)

    def judge(self, looks: Sequence[Look]) -> list[Verdict]:
        """One verdict per look, in their order.

        Raises:
            JudgeUnavailableError: None was answered.
            JudgeAnswerError: None of the last answers could be read.
        """
        results: list[Verdict | JudgeError] = [JudgeAnswerError("not asked")] * len(looks)

        def ask(number: int) -> None:
            """Judge one look, on a thread of its own."""
            try:
                results[number] = self.one(looks[number])
            except JudgeError as error:
                results[number] = error

        # Threads that do not keep the program from ending, whatever the server does.
        threads = [
            threading.Thread(target=ask, args=(number,), name="judge-ask", daemon=True)
            for number in range(1, len(looks))
        ]
        for thread in threads:
            thread.start()
        if looks:
            ask(0)
        for thread in threads:
            thread.join()
        self._check(results)
        return [
            result if isinstance(result, Verdict) else self._nothing(look)
            for look, result in zip(looks, results, strict=True)
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

    def _nothing(self, look: Look) -> Verdict:
        return Verdict(
            camera=look.camera,
            subject=look.subject,
            moment=look.moment,
            probabilities=dict.fromkeys(Covering, 0.0),
            unusable=1.0,
            thinking="",
            judge=self.name,
            timings=look.timings,
            face_found=look.face_found,
        )
