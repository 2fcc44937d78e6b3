"""The settings of the judges, and of the scheduler that chooses what they look at."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from monitor.config.section import Fraction, Section


class EmbeddedJudgeSettings(Section):
    """The small vision-language model that comes with the program, in models/judge."""

    kind: Literal["embedded"] = "embedded"
    batch: PositiveInt = 8


class LocalJudgeSettings(Section):
    """Any Hugging Face image-text-to-text model, in a folder on this machine."""

    kind: Literal["local"]
    model: Path
    device: str = "cpu"
    batch: PositiveInt = 4
    """Crops answered in one forward pass."""
    precision: Literal["auto", "float32", "bfloat16", "int8"] = "auto"
    """What the weights are computed in; ``int8`` is for the CPU."""


class _Hosted(Section):
    """What judges on another machine have in common."""

    url: str
    """Without credentials; they come from ``api_key_file``."""
    api_key_file: Path | None = None
    """Sent as a bearer token. With ``LoadCredential=``: ``/run/credentials/<unit>/<name>``."""
    ca_file: Path | None = None
    """Unset takes the system's certificate authorities."""
    crop_px: Annotated[int, Field(ge=32, le=2048)] = 384
    """Crops are sent as JPEG of at most this side; smaller ones are not enlarged."""

    @field_validator("url")
    @classmethod
    def _plain_address(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # its text may hold what is best not repeated
            fits = False
        if not fits or "@" in url:
            raise ValueError("must begin with http://HOST or https://HOST, without credentials")
        return url.rstrip("/")

    @property
    def batch(self) -> int:
        """Crops that are handed over at once."""
        return self.concurrency

    concurrency: PositiveInt = 8
    """Requests under way at most."""


class OpenAIJudgeSettings(_Hosted):
    """Any server that speaks OpenAI's chat completions: vLLM, SGLang, llama.cpp, Ollama."""

    kind: Literal["openai"]
    model: Annotated[str, Field(min_length=1)]
    """As the server names it."""
    timeout_s: PositiveFloat = 8
    """An answer that takes longer is none."""
    reading: Literal["auto", "logprobs", "schema", "json"] = "auto"
    """How answers are read: the first token's probabilities, JSON by a schema, or plain JSON."""
    temperature: PositiveFloat = 1
    """Above 1 makes the first token's probabilities less sure, below 1 surer."""


class BynnJudgeSettings(_Hosted):
    """The hosted Face Occlusion API, or another server with the same contract."""

    kind: Literal["bynn"]
    model: str = "face-occlusion-detection"
    timeout_s: PositiveFloat = 20
    """An answer that takes longer is none."""
    concurrency: PositiveInt = 2


Judge = Annotated[
    EmbeddedJudgeSettings | LocalJudgeSettings | OpenAIJudgeSettings | BynnJudgeSettings,
    Field(discriminator="kind"),
]


class Verifier(Section):
    """A second judge, which is asked about alerts and doubts only."""

    judge: Judge
    verify_within_s: PositiveFloat = 10
    """An alert that got no answer in this time is ``unverified``."""
    waiting: PositiveInt = 32
    """Requests that may wait for it; then the least urgent one goes."""


class Scheduler(Section):
    """Who is looked at, when, and how much that may cost."""

    crops_per_s: PositiveFloat = 20
    """A hard limit over all cameras."""
    in_flight: PositiveInt = 16
    """Crops that may wait or be with the judge at one time."""
    min_head_px: PositiveInt = 32
    """Smaller heads are not looked at: the longer side of the whole head, hair included."""
    min_sharpness: Annotated[float, Field(ge=0)] = 50
    """Variance of the Laplacian of the head at 64 px; lower is a smear."""
    min_brightness: Fraction = 0.06
    """Mean of the head's luma; darker is night without light."""
    recheck_clear_s: PositiveFloat = 2
    """A clear subject is looked at again after this long."""
    recheck_doubtful_s: PositiveFloat = 0.4
    """One who is not clear yet is looked at again after this long."""
    stale_after_s: PositiveFloat = 2
    """A crop that waited longer is dropped and counted."""
