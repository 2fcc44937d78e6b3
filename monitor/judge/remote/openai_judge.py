"""A vision-language model behind an OpenAI-compatible server, as judge."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from monitor.config.judges import OpenAIJudgeSettings as Settings
from monitor.domain import Covering, HeadCrop, JudgeName, Verdict
from monitor.errors import ConfigError, JudgeAnswerError, JudgeError, JudgeUnavailableError
from monitor.judge.profile import ANSWERS, EXPLAIN, UNUSABLE
from monitor.judge.remote import replies
from monitor.judge.remote.fan_out import FanOutJudge
from monitor.judge.remote.json_client import JsonClient
from monitor.judge.scoring import probabilities
from monitor.judge.warm_up import jpeg, trial_crops
from monitor.runtime.clock import Clock

log = logging.getLogger(__name__)

Reading = Literal["logprobs", "schema", "json"]
_TOP: Final = 20  # tokens listed; what servers allow at most
_SENTENCE_TOKENS: Final = 60
_JSON_TOKENS: Final = 200


class OpenAIJudge:
    """A Judge that asks a server, one request per crop. Thread-safe.

    Where the server gives the first token's probabilities, those are the verdict and
    nothing the model writes can change it. Else it is asked for JSON, by a schema where the
    server knows how. Which of these, is found out with the first answer.

    Args:
        settings: Where, which model, and the limits.
        clock: Times the answers.
        sentences: Whether to have a sentence written with every verdict, as for a verifier.

    Raises:
        ConfigError: A file that the settings name cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        sentences: bool = False,
    ) -> None:
        self.name = JudgeName(settings.model, f"prompt {replies.PROMPT_VERSION}")
        self._settings = settings
        self._clock = clock
        self._sentences = sentences
        self._reading: Reading | None = None if settings.reading == "auto" else settings.reading
        self._client = JsonClient(
            settings.url,
            key_file=settings.api_key_file,
            ca_file=settings.ca_file,
            timeout_s=settings.timeout_s,
            concurrency=settings.concurrency,
        )
        self._fan_out = FanOutJudge(self.name, self._one)

    def judge(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        """See Judge. Crops without an answer are not evaluable if others got one.

        Raises:
            JudgeUnavailableError: No crop was answered.
            JudgeAnswerError: For some time now no answer could be read.
        """
        return self._fan_out.judge(crops)

    def explain(self, crop: HeadCrop) -> str:
        """See Judge. The model's words are data: bounded, one line, never acted on.

        Raises:
            JudgeError: There is no answer.
        """
        answer = self._ask(EXPLAIN, crop, {"max_tokens": _SENTENCE_TOKENS})
        return answer.sentence

    def warm_up(self) -> None:
        """Judge two pictures, so that a model that sees none is found at start.

        A server that cannot be reached is no reason not to start: it may come back.

        Raises:
            ConfigError: The model does not see pictures, or there is no such model.
        """
        try:
            bare, covered = [self._one(crop) for crop in trial_crops(self._clock)]
        except JudgeUnavailableError as error:
            log.warning("judge %s: %s; starting without it", self.name.name, error)
            return
        except JudgeError as error:
            raise ConfigError(
                f"judge {self.name.name}: {error}; name a model that answers about pictures"
            ) from error
        if bare.probabilities == covered.probabilities and bare.thinking == covered.thinking:
            raise ConfigError(
                f"judge {self.name.name}: it says the same of two different pictures; "
                "name a model that reads pictures"
            )

    def _one(self, crop: HeadCrop) -> Verdict:
        """The verdict on one crop.

        Raises:
            JudgeError: There is none.
        """
        started = self._clock.seconds()
        if self._reading is None:
            shares, thinking = self._found_out(crop)
        else:
            shares, thinking = self._read(self._reading, crop)
        return Verdict(
            camera=crop.camera,
            subject=crop.subject,
            moment=crop.moment,
            probabilities={covering: shares[covering] for covering in Covering},
            unusable=shares[UNUSABLE],
            thinking=thinking,
            judge=self.name,
            timings=replace(crop.timings, judge=1000 * (self._clock.seconds() - started)),
        )

    def _found_out(self, crop: HeadCrop) -> tuple[Mapping[str, float], str]:
        """The first reading that works, which is then kept."""
        refused: JudgeAnswerError | None = None
        ways: tuple[Reading, ...] = ("logprobs", "schema", "json")
        for reading in ways:
            try:
                found = self._read(reading, crop)
            except JudgeAnswerError as error:
                refused = error
            else:
                self._reading = reading
                log.info("judge %s: answers are read as %s", self.name.name, reading)
                return found
        raise refused or JudgeAnswerError("no answer could be read")

    def _read(self, reading: Reading, crop: HeadCrop) -> tuple[Mapping[str, float], str]:
        """Probabilities by answer, and a sentence if there is one."""
        if reading == "logprobs":
            return self._scored(crop)
        options: dict[str, object] = {"max_tokens": _JSON_TOKENS}
        if reading == "schema":
            made = {"name": "verdict", "strict": True, "schema": replies.SCHEMA}
            options["response_format"] = {"type": "json_schema", "json_schema": made}
        return replies.claimed(self._ask(replies.JSON_PROMPT, crop, options).text)

    def _scored(self, crop: HeadCrop) -> tuple[Mapping[str, float], str]:
        prompt = replies.SENTENCE_PROMPT if self._sentences else replies.LETTER_PROMPT
        limit = _SENTENCE_TOKENS if self._sentences else 1
        options = {"max_tokens": limit, "logprobs": True, "top_logprobs": _TOP}
        answer = self._ask(prompt, crop, options)
        scores = replies.scores(answer)
        if scores is None:
            raise JudgeAnswerError("the server gives no probabilities; set reading to auto")
        (shares,) = probabilities(scores, self._settings.temperature)
        thinking = replies.after_letter(answer.text) if self._sentences else ""
        return dict(zip(ANSWERS, shares.tolist(), strict=True)), thinking

    def _ask(self, prompt: str, crop: HeadCrop, options: Mapping[str, object]) -> replies.Reply:
        """One chat completion about one crop.

        Raises:
            JudgeError: There is none.
        """
        picture = f"data:image/jpeg;base64,{jpeg(crop.pixels, self._settings.crop_px)}"
        content = [
            {"type": "image_url", "image_url": {"url": picture}},
            {"type": "text", "text": prompt},
        ]
        body = {
            "model": self._settings.model,
            "messages": [{"role": "user", "content": content}],
            "temperature": 0,
            **options,
        }
        return replies.reply(self._client.post("/chat/completions", body))
