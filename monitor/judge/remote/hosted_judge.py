"""What judges behind an HTTP server have in common: one request per crop, all at once."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final

from monitor.config.judges import HostedJudgeSettings
from monitor.domain import UNUSABLE, HeadCrop, JudgeName, Verdict
from monitor.errors import ConfigError, JudgeAnswerError, JudgeError, JudgeUnavailableError
from monitor.judge.remote.json_client import BUSY_WAITS_S, JsonClient
from monitor.judge.warm_up import draw_trial_crops
from monitor.runtime.clock import Clock

log = logging.getLogger(__name__)

_MAX_UNREADABLE: Final = 5  # answers in a row that could not be read; more raise an error


class HostedJudge(ABC):
    """A Judge that asks a server. Thread-safe.

    Args:
        name: Of the model, and how it is asked.
        settings: Where, with which key, and the limits.
        clock: Times the answers.
        busy_waits_s: Seconds to wait after busy answers in a row that name no time.

    Raises:
        ConfigError: A file that the settings name cannot be used.
    """

    def __init__(
        self,
        name: JudgeName,
        settings: HostedJudgeSettings,
        clock: Clock,
        *,
        busy_waits_s: Sequence[float] = BUSY_WAITS_S,
    ) -> None:
        self.name = name
        self._clock = clock
        self._client = JsonClient(
            settings.url,
            key_file=settings.api_key_file,
            ca_file=settings.ca_file,
            timeout_s=settings.timeout_s,
            concurrency=settings.concurrency,
            busy_waits_s=busy_waits_s,
        )
        self._lock = threading.Lock()
        self._unreadable = 0  # answers in a row

    def judge(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        """See Judge. Crops without an answer are not evaluable if others got one.

        Raises:
            JudgeUnavailableError: No crop was answered.
            JudgeAnswerError: The last answers could not be read.
        """
        results: list[Verdict | JudgeError] = [JudgeAnswerError("not asked")] * len(crops)

        def judge_into(number: int) -> None:
            """Judge one crop, on a thread of its own."""
            try:
                results[number] = self._judge_crop(crops[number])
            except JudgeError as error:
                results[number] = error

        # Daemon threads: the process can end while a server hangs.
        threads = [
            threading.Thread(target=judge_into, args=(number,), name="judge-ask", daemon=True)
            for number in range(1, len(crops))
        ]
        for thread in threads:
            thread.start()
        if crops:
            judge_into(0)
        for thread in threads:
            thread.join()
        self._raise_if_all_failed(results)
        return [
            result if isinstance(result, Verdict) else crop.verdict({UNUSABLE: 1.0}, self.name)
            for crop, result in zip(crops, results, strict=True)
        ]

    @abstractmethod
    def explain(self, crop: HeadCrop) -> str:
        """See Judge. The model's words are data: bounded, one line, never acted on.

        Raises:
            JudgeError: There is no answer.
        """

    @abstractmethod
    def warm_up(self) -> None:
        """Judge drawn heads, so that a wrong address or model is found at start.

        A server that cannot be reached may come back: only a warning is logged.

        Raises:
            ConfigError: What answers there cannot be used.
        """

    @abstractmethod
    def _ask_covering(self, crop: HeadCrop) -> tuple[Mapping[str, float], str]:
        """Ask about one crop.

        Returns:
            The probability of each of ANSWERS (one that is missing has 0), and a sentence,
            which may be empty.

        Raises:
            JudgeError: There is no answer.
        """

    def _try_out(self, count: int, mend: str) -> list[Verdict]:
        """Judge up to two drawn heads; no verdicts if the server cannot be reached.

        Args:
            count: How many heads.
            mend: What to do if the answer cannot be used, for the error's end.

        Raises:
            ConfigError: The answer cannot be used.
        """
        try:
            return [self._judge_crop(crop) for crop in draw_trial_crops(self._clock)[:count]]
        except JudgeUnavailableError as error:
            log.warning("judge %s: %s; starting without it", self.name.name, error)
            return []
        except JudgeError as error:
            raise ConfigError(f"judge {self.name.name}: {error}; {mend}") from error

    def _judge_crop(self, crop: HeadCrop) -> Verdict:
        """The verdict on one crop.

        Raises:
            JudgeError: There is none.
        """
        started = self._clock.seconds()
        shares, thinking = self._ask_covering(crop)
        judge_ms = 1000 * (self._clock.seconds() - started)
        return crop.verdict(shares, self.name, thinking=thinking, judge_ms=judge_ms)

    def _raise_if_all_failed(self, results: Sequence[Verdict | JudgeError]) -> None:
        """Raise if no crop got a verdict; a few unreadable answers are let pass.

        One crop with a strange answer must not keep the others' verdicts back.
        """
        errors = [result for result in results if isinstance(result, JudgeError)]
        down = [error for error in errors if not isinstance(error, JudgeAnswerError)]
        with self._lock:
            if len(errors) < len(results) or not results:
                self._unreadable = 0
                return
            self._unreadable += len(errors) - len(down)
            if down:
                raise down[0]
            if self._unreadable >= _MAX_UNREADABLE:
                raise errors[0]
