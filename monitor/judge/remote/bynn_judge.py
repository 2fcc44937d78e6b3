"""The hosted Face Occlusion API, or a server with the same contract, as judge.

Source:
    detector24.ai, "Face Occlusion Detection", API reference, version 2601.
"""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from monitor.config.judges import BynnJudgeSettings
from monitor.domain import OCCLUDED, OCCLUDED_FROM, Covering, HeadCrop, JudgeName
from monitor.errors import JudgeAnswerError
from monitor.judge.remote.hosted_judge import HostedJudge
from monitor.judge.scoring import to_one_line
from monitor.judge.warm_up import encode_jpeg
from monitor.runtime.clock import Clock

_BUSY_WAITS_S: Final = (4.0, 8.0, 16.0)  # as the service asks
_SURE: Final = 0.95  # the service says yes or no, and states 93 % accuracy


class _BynnResponse(BaseModel):
    """The answer about the picture. The last two are extras of our own server."""

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


class BynnJudge(HostedJudge):
    """A Judge that asks the hosted API. See HostedJudge.

    The service says covered or not, and not by what: the verdict then spreads over all
    coverings. There, a picture too bad to see a face in counts as covered.

    Args:
        settings: Where, with which key, and the limits.
        clock: Times the answers.

    Raises:
        ConfigError: A file that the settings name cannot be used.
    """

    def __init__(self, settings: BynnJudgeSettings, clock: Clock) -> None:
        name = JudgeName(settings.model, "hosted")
        super().__init__(name, settings, clock, busy_waits_s=_BUSY_WAITS_S)
        self._settings = settings

    def explain(self, crop: HeadCrop) -> str:
        """See HostedJudge."""
        _shares, thinking = self._ask_covering(crop)
        return thinking

    def warm_up(self) -> None:
        """See HostedJudge."""
        self._try_out(1, "check url")

    def _ask_covering(self, crop: HeadCrop) -> tuple[Mapping[str, float], str]:
        """See HostedJudge."""
        body = {
            "model": self._settings.model,
            "media_type": "image",
            "base64_image": encode_jpeg(crop.pixels, self._settings.crop_px),
        }
        try:
            answer = _BynnAnswer.model_validate(self._client.post("", body))
        except ValidationError:
            raise JudgeAnswerError("the answer is not that of a Face Occlusion API") from None
        if answer.status != "completed":
            raise JudgeAnswerError("the service did not complete the request")
        return _spread_probability(answer.result.response), to_one_line(answer.result.thinking)


def _spread_probability(response: _BynnResponse) -> Mapping[str, float]:
    """Probabilities from a yes or no: on the covering that it names, else on all alike."""
    probability = _SURE if response.occluded else 1 - _SURE
    stated = response.probability
    if stated is not None and (stated >= OCCLUDED_FROM) == response.occluded:
        probability = stated
    named_coverings = [covering for covering in OCCLUDED if covering == response.covering]
    coverings = named_coverings or OCCLUDED
    return dict.fromkeys(coverings, probability / len(coverings)) | {Covering.NONE: 1 - probability}
