"""The weights that come with the program."""

import json
from pathlib import Path

from monitor.detect.yolo import Yolo
from monitor.domain import Kind
from tests.integration.test_yolo import frame

EMBEDDED = Path(__file__).parents[2] / "models" / "detector"


def test_the_embedded_weights_are_small_and_know_people_and_faces() -> None:
    profile = json.loads((EMBEDDED / "detector.json").read_text())
    weights = EMBEDDED / profile["weights"]
    assert weights.stat().st_size < 6_000_000
    scores = {kind: profile["min_scores"][kind] for kind in Kind}
    assert all(0.1 <= score <= 0.9 for score in scores.values())
    detector = Yolo(weights, input_px=profile["input_px"], min_scores=scores)
    assert detector.detect([frame(640, 360), frame(96, 96)]) == [[], []], "empty rooms"
    eager = Yolo(weights, input_px=96, min_scores=dict.fromkeys(Kind, 0.0))
    assert {found.kind for found in eager.detect([frame(96, 96)])[0]} == set(Kind)
