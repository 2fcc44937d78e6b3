"""A vision-language model behind an OpenAI-compatible server, as judge."""

import logging
from collections.abc import Mapping
from typing import Final, Literal

from monitor.config.judges import OpenAIJudgeSettings
from monitor.domain import ANSWERS, HeadCrop, JudgeName
from monitor.errors import ConfigError, JudgeAnswerError
from monitor.judge.profile import EXPLAIN
from monitor.judge.remote import replies
from monitor.judge.remote.hosted_judge import HostedJudge
from monitor.judge.scoring import compute_probabilities
from monitor.judge.warm_up import encode_jpeg
from monitor.runtime.clock import Clock

log = logging.getLogger(__name__)

Reading = Literal["logprobs", "schema", "json"]
_READINGS: Final[tuple[Reading, ...]] = ("logprobs", "schema", "json")  # the best first
_TOP_LOGPROBS: Final = 20  # what servers allow at most
_SENTENCE_TOKENS: Final = 60
_JSON_TOKENS: Final = 200


class OpenAIJudge(HostedJudge):
    """A Judge that asks a chat model. See HostedJudge.

    Where the server gives the first token's probabilities, those are the verdict and
    nothing the model writes can change it. Else it is asked for JSON, by a schema where the
    server supports that. The first answer shows which of these works.

    Args:
        settings: Where, which model, and the limits.
        clock: Times the answers.
        sentences: Whether to have a sentence written with every verdict, as for a verifier.

    Raises:
        ConfigError: A file that the settings name cannot be used.
    """

    def __init__(
        self, settings: OpenAIJudgeSettings, clock: Clock, *, sentences: bool = False
    ) -> None:
        name = JudgeName(settings.model, f"prompt {replies.PROMPT_VERSION}")
        super().__init__(name, settings, clock)
        self._settings = settings
        self._sentences = sentences
        self._reading: Reading | None = None if settings.reading == "auto" else settings.reading

    def explain(self, crop: HeadCrop) -> str:
        """See HostedJudge."""
        return self._chat(EXPLAIN, crop, {"max_tokens": _SENTENCE_TOKENS}).sentence

    def warm_up(self) -> None:
        """See HostedJudge. A model that sees no pictures cannot be used."""
        verdicts = self._try_out(2, "name a model that answers about pictures")
        if not verdicts:
            return
        bare, covered = verdicts
        if bare.probabilities == covered.probabilities and bare.thinking == covered.thinking:
            raise ConfigError(
                f"judge {self.name.name}: it says the same of two different pictures; "
                "name a model that reads pictures"
            )

    def _ask_covering(self, crop: HeadCrop) -> tuple[Mapping[str, float], str]:
        """See HostedJudge."""
        if self._reading is None:
            return self._find_reading(crop)
        return self._ask_by(self._reading, crop)

    def _find_reading(self, crop: HeadCrop) -> tuple[Mapping[str, float], str]:
        """Ask in the first way that works, and keep to it."""
        refused: JudgeAnswerError | None = None
        for reading in _READINGS:
            try:
                answer = self._ask_by(reading, crop)
            except JudgeAnswerError as error:
                refused = error
            else:
                self._reading = reading
                log.info("judge %s: answers are read as %s", self.name.name, reading)
                return answer
        raise refused or JudgeAnswerError("no answer could be read")

    def _ask_by(self, reading: Reading, crop: HeadCrop) -> tuple[Mapping[str, float], str]:
        """Probabilities by answer, and a sentence if there is one."""
        if reading == "logprobs":
            return self._score_letters(crop)
        options: dict[str, object] = {"max_tokens": _JSON_TOKENS}
        if reading == "schema":
            schema = {"name": "verdict", "strict": True, "schema": replies.SCHEMA}
            options["response_format"] = {"type": "json_schema", "json_schema": schema}
        return replies.read_stated_verdict(self._chat(replies.JSON_PROMPT, crop, options).text)

    def _score_letters(self, crop: HeadCrop) -> tuple[Mapping[str, float], str]:
        """The first token's probabilities, and the sentence behind it if one is wanted."""
        prompt = replies.SENTENCE_PROMPT if self._sentences else replies.LETTER_PROMPT
        limit = _SENTENCE_TOKENS if self._sentences else 1
        options = {"max_tokens": limit, "logprobs": True, "top_logprobs": _TOP_LOGPROBS}
        reply = self._chat(prompt, crop, options)
        logits = replies.read_letter_logits(reply)
        if logits is None:
            raise JudgeAnswerError("the server gives no probabilities; set reading to auto")
        (shares,) = compute_probabilities(logits, self._settings.temperature)
        thinking = replies.strip_letter(reply.text) if self._sentences else ""
        return dict(zip(ANSWERS, shares.tolist(), strict=True)), thinking

    def _chat(self, prompt: str, crop: HeadCrop, options: Mapping[str, object]) -> replies.Reply:
        """One chat completion about one crop.

        Raises:
            JudgeError: There is none.
        """
        picture = f"data:image/jpeg;base64,{encode_jpeg(crop.pixels, self._settings.crop_px)}"
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
        return replies.parse_reply(self._client.post("/chat/completions", body))
