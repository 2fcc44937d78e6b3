"""Settings of the judges, and of the scheduler that chooses their crops."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from monitor.config.section import Fraction, Section


class EmbeddedJudgeSettings(Section):
    """The small model that comes with the program, in models/judge."""

    kind: Literal["embedded"] = "embedded"
    model: Path | None = None
    """Another one that ``monitor train judge`` made; None is the one in models/judge."""
    batch: PositiveInt = 8


class LocalJudgeSettings(Section):
    """Any Hugging Face image-text-to-text model, in a folder on this machine."""

    kind: Literal["local"]
    model: Path
    device: str = "cpu"
    batch: PositiveInt = 4
    """Crops per forward pass."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the weights."""


class HostedJudgeSettings(Section):
    """Settings of all judges on other machines."""

    url: str
    """Without credentials; the key comes from ``api_key_file``."""
    api_key_file: Path | None = None
    """Sent as a bearer token. With ``LoadCredential=``: ``/run/credentials/<unit>/<name>``."""
    ca_file: Path | None = None
    """None takes the system's certificate authorities."""
    crop_px: Annotated[int, Field(ge=32, le=2048)] = 384
    """The longest side of the JPEG crops that are sent; smaller crops are not enlarged."""

    @field_validator("url")
    @classmethod
    def _plain_address(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # its text may repeat a password
            fits = False
        if not fits or "@" in url:
            raise ValueError("must begin with http://HOST or https://HOST, without credentials")
        return url.rstrip("/")

    @property
    def batch(self) -> int:
        """Crops per call."""
        return self.concurrency

    concurrency: PositiveInt = 8
    """Requests at a time, at most."""
    timeout_s: PositiveFloat = 8
    """Request timeout."""


class OpenAIJudgeSettings(HostedJudgeSettings):
    """Any server with OpenAI's chat completions: vLLM, SGLang, llama.cpp, Ollama."""

    kind: Literal["openai"]
    model: Annotated[str, Field(min_length=1)]
    """The model's name on the server."""
    reading: Literal["auto", "logprobs", "schema", "json"] = "auto"
    """How answers are read: the first token's probabilities, JSON by a schema, or plain JSON."""
    temperature: PositiveFloat = 1
    """Above 1 makes the first token's probabilities less certain, below 1 more certain."""


class BynnJudgeSettings(HostedJudgeSettings):
    """The hosted Face Occlusion API, or another server with the same contract."""

    kind: Literal["bynn"]
    model: str = "face-occlusion-detection"
    timeout_s: PositiveFloat = 20
    concurrency: PositiveInt = 2


Judge = Annotated[
    EmbeddedJudgeSettings | LocalJudgeSettings | OpenAIJudgeSettings | BynnJudgeSettings,
    Field(discriminator="kind"),
]


class Verifier(Section):
    """A second judge for alerts and doubtful crops."""

    judge: Judge
    verify_within_s: PositiveFloat = 10
    """Without an answer in this time an alert becomes ``unverified``."""
    waiting: PositiveInt = 32
    """Waiting requests, at most; one more drops the least urgent."""


class Scheduler(Section):
    """Chooses which head is judged, when, and how often at most."""

    crops_per_s: PositiveFloat = 20
    """A hard limit over all cameras."""
    in_flight: PositiveInt = 16
    """Crops that wait or are being judged, at most."""
    min_head_px: PositiveInt = 32
    """Smaller heads, by the longer side of the whole head, are not judged."""
    min_sharpness: Annotated[float, Field(ge=0)] = 50
    """Variance of the Laplacian of the head at 64 px; lower is too blurred."""
    min_brightness: Fraction = 0.06
    """Mean luma of the head, 0 to 1; lower is too dark."""
    recheck_clear_s: PositiveFloat = 2
    """A subject whose face is free is judged again after this time."""
    recheck_doubtful_s: PositiveFloat = 0.4
    """A doubtful subject is judged again after this time."""
    stale_after_s: PositiveFloat = 2
    """A crop that waited longer is dropped."""
