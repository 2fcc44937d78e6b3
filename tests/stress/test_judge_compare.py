"""Crops through several judges, small; all of it: ``python -m tests.stress.judge_compare``."""

import csv
from pathlib import Path

import cv2
import pytest

from tests.stress.judge_compare import compare, read_crops
from tests.support.clips import photo


@pytest.mark.slow
@pytest.mark.stress
@pytest.mark.timeout(400)  # the server loads a model's libraries
def test_a_model_says_the_same_here_and_behind_either_door(tmp_path: Path) -> None:
    picture = photo()
    places = [(n * 40, 40 + n * 30) for n in range(8)]
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label"])
        for n, (x, y) in enumerate(places):
            cv2.imwrite(str(tmp_path / f"{n}.png"), picture[y : y + 200, x : x + 200])
            writer.writerow([f"{n}.png", "none"])
    crops = read_crops(tmp_path, 8)
    assert len(crops) == 8
    rows = compare(crops, tmp_path, [])
    assert [row.name for row in rows] == [f"embedded{kind}" for kind in ("", ", remote", ", bynn")]
    assert [row.name for row in rows if row.same < 0.7] == []
    assert all(row.median_ms > 0 for row in rows)
