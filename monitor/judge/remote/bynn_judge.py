"""The hosted Face Occlusion API, or a server with the same contract, as judge.

Source:
    detector24.ai, "Face Occlusion Detection", API reference, version 2601.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from monitor.config.judges import BynnJudgeSettings as Settings
from monitor.domain import OCCLUDED, Covering, HeadCrop, JudgeName, Verdict
from monitor.errors import ConfigError, JudgeAnswerError, JudgeError, JudgeUnavailableError
from monitor.judge.remote.fan_out import FanOutJudge
from monitor.judge.remote.json_client import JsonClient
from monitor.judge.scoring import one_line
from monitor.judge.warm_up import jpeg, trial_crops
from monitor.runtime.clock import Clock

log = logging.getLogger(__name__)

_WAITS: Final = (4.0, 8.0, 16.0)  # seconds after 429, as the service asks
_SURE: Final = 0.95  # the service says yes or no, and states 93 % accuracy


class _BynnResponse(BaseModel):
    """What is said about the picture. The last two are extras of our own server."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    occluded: StrictBool
    covering: str | None = None
    probability: Annotated[float, Field(ge=0, le=1)] | None = None


class _BynnResult(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    response: _BynnResponse
    thinking: str = ""


class _BynnAnswer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    status: str
    result: _BynnResult


class BynnJudge:
    """A Judge that asks the hosted API, one request per crop. Thread-safe.

    The service says covered or not, and not by what: the verdict then spreads over all
    coverings. There, a picture too bad to see a face in counts as covered.

    Args:
        settings: Where, with which key, and the limits.
        clock: Times the answers.

    Raises:
        ConfigError: A file that the settings name cannot be used.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.name = JudgeName(settings.model, "hosted")
        self._settings = settings
        self._clock = clock
        self._client = JsonClient(
            settings.url,
            key_file=settings.api_key_file,
            ca_file=settings.ca_file,
            timeout_s=settings.timeout_s,
            concurrency=settings.concurrency,
            waits=_WAITS,
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
        """See Judge.

        Raises:
            JudgeError: There is no answer.
        """
        return self._one(crop).thinking

    def warm_up(self) -> None:
        """Judge a picture, so that a wrong address is found at start.

        A server that cannot be reached is no reason not to start: it may come back.

        Raises:
            ConfigError: What answers there is not this API.
        """
        try:
            self._one(trial_crops(self._clock)[0])
        except JudgeUnavailableError as error:
            log.warning("judge %s: %s; starting without it", self.name.name, error)
        except JudgeError as error:
            raise ConfigError(f"judge {self.name.name}: {error}; check url") from error

    def _one(self, crop: HeadCrop) -> Verdict:
        """The verdict on one crop.

        Raises:
            JudgeError: There is none.
        """
        started = self._clock.seconds()
        body = {
            "model": self._settings.model,
            "media_type": "image",
            "base64_image": jpeg(crop.pixels, self._settings.crop_px),
        }
        try:
            answer = _BynnAnswer.model_validate(self._client.post("", body))
        except ValidationError:
            raise JudgeAnswerError("the answer is not that of a Face Occlusion API") from None
        if answer.status != "completed":
            raise JudgeAnswerError("the service did not complete the request")
        return Verdict(
            camera=crop.camera,
            subject=crop.subject,
            moment=crop.moment,
            probabilities=_shares(answer.result.response),
            unusable=0.0,
            thinking=one_line(answer.result.thinking),
            judge=self.name,
            timings=replace(crop.timings, judge=1000 * (self._clock.seconds() - started)),
        )


def _shares(response: _BynnResponse) -> Mapping[Covering, float]:
    """Probabilities that fit the answer: of the covering it names, or of all alike."""
    sure = _SURE if response.occluded else 1 - _SURE
    if response.probability is not None and (response.probability >= 0.5) == response.occluded:  # noqa: PLR2004
        sure = response.probability
    named = [covering for covering in OCCLUDED if covering == response.covering]
    spread = named or OCCLUDED
    shares = dict.fromkeys(Covering, 0.0) | dict.fromkeys(spread, sure / len(spread))
    return shares | {Covering.NONE: 1 - sure}
