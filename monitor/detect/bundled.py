"""What the detector that comes with the program says of itself."""

from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from monitor.domain import Kind
from monitor.errors import ConfigError
from monitor.runtime.resources import find_bundled

FOLDER: Final = find_bundled("models") / "detector"


class DetectorCard(BaseModel):
    """What ``detector.json`` holds."""

    model_config = ConfigDict(frozen=True)

    weights: str
    """The file, in the same folder."""
    input_px: int
    """The longer side that frames are best scaled to."""
    min_scores: dict[Kind, float]
    """The thresholds, of both kinds."""


def facts() -> DetectorCard:
    """Read them.

    Raises:
        ConfigError: The file is missing, or not whole.
    """
    card = FOLDER / "detector.json"
    try:
        found = DetectorCard.model_validate_json(card.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigError(
            f"{card}: the embedded detector is not readable; install monitor again"
        ) from error
    if found.min_scores.keys() != set(Kind):
        raise ConfigError(f"{card}: not a threshold for each kind; install monitor again")
    return found
