"""What a training leaves beside the weights: pictures to measure with, and the profile."""

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from monitor.domain import Kind
from monitor.train.detector.scenes import KINDS, Scene


def write_held_out(held: Sequence[Scene], source: Path, folder: Path) -> None:
    """Copy the scenes that were not trained on to a folder that ``evaluate`` reads.

    Args:
        held: What to copy.
        source: Where their pictures lie.
        folder: Made if need be; gets the pictures and their rows of ``boxes.csv``, whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = {scene.name for scene in held}
    with (
        (source / "boxes.csv").open(newline="", encoding="utf-8") as listed,
        (folder / "boxes.csv").open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.DictReader(listed)
        rows = csv.DictWriter(file, table.fieldnames or [])
        rows.writeheader()
        rows.writerows(row for row in table if row["file"] in names)
    for name in names:
        shutil.copyfile(source / name, folder / name)


def write_profile(
    weights: Path, min_scores: Mapping[Kind, float], *, input_px: int, version: str
) -> Path:
    """Write ``detector.json`` beside the weights: what the program reads to run them.

    Args:
        weights: The trained checkpoint.
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
    path = weights.with_name("detector.json")
    path.write_text(json.dumps(profile, indent=2) + "\n", encoding="utf-8")
    return path
