"""The ranges that int8 needs: measured once, kept beside the weights they belong to."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from monitor.detect.checkpoint import opened
from monitor.detect.letterbox import letterbox
from monitor.detect.rounding import Ranges, measured
from monitor.domain import Frame
from monitor.errors import ConfigError, OutputError

_SIDES_PX = (320, 416, 640)  # in turn, so that the ranges are good for all usual sizes


class _Kept(BaseModel):
    """What the file holds."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    weights_sha256: str
    pictures: int
    ranges: dict[str, tuple[float, float]]


def beside(weights: Path) -> Path:
    """Where the ranges of some weights are kept."""
    return weights.with_suffix(".ranges.json")


def read_ranges(weights: Path) -> Ranges | None:
    """The ranges of these very weights; None if there are none, or those of others.

    Raises:
        ConfigError: The file is there, but broken.
    """
    path = beside(weights)
    try:
        kept = _Kept.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ConfigError(
            f"{path}: not readable; write it anew with monitor models quantise, or remove it"
        ) from error
    return kept.ranges if kept.weights_sha256 == _sha256(weights) else None


def write_ranges(weights: Path, frames: Sequence[Frame]) -> Path:
    """Measure what the layers of a checkpoint give for some pictures, and keep it.

    Args:
        weights: A checkpoint (.pt); its folder gets the file.
        frames: Pictures like those that will be looked at; a hundred are plenty.

    Raises:
        ConfigError: The weights are no checkpoint that can be loaded.
        OutputError: The file cannot be written.
    """
    if weights.suffix != ".pt":
        raise ConfigError(f"{weights}: only a checkpoint (.pt) can be quantised; give one")
    if not weights.is_file():
        raise ConfigError(f"{weights}: no such file; give the path of the detector's weights")
    sheets = [
        letterbox([frame], _SIDES_PX[number % len(_SIDES_PX)]).pixels
        for number, frame in enumerate(frames)
    ]
    found = measured(opened(weights, "cpu").model.float().eval(), sheets)
    ranges = {name: (_short(low), _short(high)) for name, (low, high) in found.items()}
    kept = _Kept(weights_sha256=_sha256(weights), pictures=len(frames), ranges=ranges)
    path = beside(weights)
    try:
        path.write_text(json.dumps(kept.model_dump(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}; make its folder writable") from error
    return path


def _short(value: float) -> float:
    """Six digits: more than 256 levels need."""
    return float(f"{value:.6g}")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
