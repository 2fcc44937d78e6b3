"""The weights that come with the program."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from monitor.cli.evaluate import thresholds
from monitor.detect.yolo import Yolo
from monitor.domain import Kind
from monitor.ingest.frames.picture import ArrayPicture
from tests.support.clips import photo
from tests.support.tiny_detectors import draw_rectangles

EMBEDDED = Path(__file__).parents[3] / "models" / "detector"


def test_the_embedded_weights_are_small_and_know_people_and_heads() -> None:
    profile = json.loads((EMBEDDED / "detector.json").read_text())
    weights = EMBEDDED / profile["weights"]
    assert sum(file.stat().st_size for file in EMBEDDED.iterdir()) < 10_000_000
    scores = {kind: profile["min_scores"][kind] for kind in Kind}
    assert all(0.1 <= score <= 0.9 for score in scores.values())
    detector = Yolo(weights, input_px=profile["input_px"], min_scores=scores)
    assert detector.detect([draw_rectangles(640, 360), draw_rectangles(96, 96)]) == [[], []], (
        "empty rooms"
    )
    eager = Yolo(weights, input_px=96, min_scores=dict.fromkeys(Kind, 0.0))
    assert {found.kind for found in eager.detect([draw_rectangles(96, 96)])[0]} == set(Kind)


@pytest.mark.slow
def test_thresholds_are_chosen_on_labelled_scenes_and_written_beside_the_weights(
    tmp_path: Path,
) -> None:
    weights = tmp_path / "mine.pt"
    shutil.copyfile(EMBEDDED / "monitor-detector.pt", weights)
    scene = replace(draw_rectangles(64, 64), picture=ArrayPicture(photo()))
    cv2.imwrite(str(tmp_path / "photo.png"), photo())
    drawn = Yolo(weights, input_px=416, min_scores=dict.fromkeys(Kind, 0.5)).detect([scene])[0]
    assert {one.kind for one in drawn} == set(Kind), "something of each to find"
    with (tmp_path / "boxes.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("file", "kind", "x0", "y0", "x1", "y1"))
        for one in drawn:
            box = one.box
            table.writerow(("photo.png", one.kind, *box.edges))
    assert thresholds(tmp_path, weights, "9", 416) == 0
    profile = json.loads((tmp_path / "detector.json").read_text())
    assert (profile["weights"], profile["version"], profile["input_px"]) == ("mine.pt", "9", 416)
    chosen = {kind: profile["min_scores"][kind] for kind in Kind}
    again = Yolo(weights, input_px=416, min_scores=chosen).detect([scene])[0]
    assert [one.box for one in again] == [one.box for one in drawn], "F1 is 1 where these are found"
