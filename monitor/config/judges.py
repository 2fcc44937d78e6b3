"""The settings of the judges, and of the desk that chooses what they look at."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from monitor.config.section import Fraction, Section


class EmbeddedJudge(Section):
    """The small vision-language model that comes with the program, in models/judge."""

    kind: Literal["embedded"] = "embedded"
    batch: PositiveInt = 8


class LocalJudge(Section):
    """Any Hugging Face image-text-to-text model, in a folder on this machine."""

    kind: Literal["local"]
    model: Path
    device: str = "cpu"
    batch: PositiveInt = 4
    """Looks answered in one forward pass."""


Judge = Annotated[EmbeddedJudge | LocalJudge, Field(discriminator="kind")]


class Desk(Section):
    """Who is looked at, when, and how much that may cost."""

    looks_per_s: PositiveFloat = 20
    """A hard limit over all cameras."""
    in_flight: PositiveInt = 16
    """Looks that may wait or be with the judge at one time."""
    min_head_px: PositiveInt = 24
    """Smaller heads are not looked at."""
    min_sharpness: Annotated[float, Field(ge=0)] = 50
    """Variance of the Laplacian of the head at 64 px; lower is a smear."""
    min_brightness: Fraction = 0.06
    """Mean of the head's luma; darker is night without light."""
    recheck_clear_s: PositiveFloat = 2
    """A clear subject is looked at again after this long."""
    recheck_doubtful_s: PositiveFloat = 0.4
    """One who is not clear yet is looked at again after this long."""
    stale_after_s: PositiveFloat = 2
    """A look that waited longer is dropped and counted."""
