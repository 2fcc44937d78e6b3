"""``detector.json``, which says how the program is to run the weights beside it."""

import json
from collections.abc import Mapping
from pathlib import Path

from monitor.domain import Kind
from monitor.errors import ConfigError
from monitor.train.detector.scenes import KINDS

_NAME = "detector.json"


def write_profile(
    weights: Path, min_scores: Mapping[Kind, float], *, input_px: int, version: str
) -> Path:
    """Write ``detector.json`` beside the weights.

    Args:
        weights: What the program is to run: the export (.xml), or a checkpoint.
        min_scores: The thresholds, one per kind, such as ``evaluate`` recommends.
        input_px: The longer side that frames are to be scaled to.
        version: Of the weights, for people.
    """
    profile = {
        "name": weights.stem,
        "version": version,
        "weights": weights.name,
        "input_px": input_px,
        "min_scores": {kind.value: min_scores[kind] for kind in KINDS},
    }
    path = weights.with_name(_NAME)
    path.write_text(json.dumps(profile, indent=2) + "\n", encoding="utf-8")
    return path


def read_profile(weights: Path) -> tuple[str, int] | None:
    """Version and ``input_px`` of the ``detector.json`` beside the weights; None without one.

    Raises:
        ConfigError: The file is not what ``write_profile`` writes.
    """
    path = weights.with_name(_NAME)
    if not path.is_file():
        return None
    try:
        profile = json.loads(path.read_text(encoding="utf-8"))
        return str(profile["version"]), int(profile["input_px"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a detector's profile ({error}); delete it") from error
