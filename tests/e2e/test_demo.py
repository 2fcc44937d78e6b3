"""``monitor demo``: what a user sees first."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.demo.clip import write_demo_clip
from monitor.geometry import Box
from tests.support.commands import monitor


@pytest.mark.slow
def test_the_demo_shows_an_alert_and_its_end(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monitor", "demo", "--out", str(tmp_path / "demo")]
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(r"RAISED +critical, entrance: balaclava on person \d+", done.stdout)
    assert "ENDED" in done.stdout
    assert "raised -> ended" in done.stdout
    assert "{" not in done.stdout
    assert "1 alert(s)" in done.stdout
    (crop,) = tmp_path.glob("demo/evidence/*/crop.jpg")
    assert f"head: {crop}" in done.stdout


@pytest.mark.slow
def test_in_a_small_picture_each_person_is_one_subject_and_one_act_one_alert(
    tmp_path: Path,
) -> None:
    script = write_demo_clip(tmp_path / "small.mp4", seconds=12, width=640, height=360)
    done = monitor("replay", tmp_path / "small.mp4", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stdout + done.stderr
    results = tmp_path / "out" / "small"
    assert json.loads((results / "summary.json").read_text())["alerts"] == 1
    for locate in (script.locate_face, script.locate_bystander):
        ids = set()
        with (results / "tracks.csv").open(encoding="utf-8") as tracks:
            for row in csv.DictReader(tracks):
                x, y = locate(float(row["seconds"])).centre
                edges = [row[f"head_{edge}"] for edge in ("x0", "y0", "x1", "y1")]
                if row["head_found"] == "1" and Box(*map(float, edges)).contains(x, y):
                    ids.add(row["subject"])
        assert len(ids) == 1


def test_a_camera_and_a_recording_at_once_are_refused(tmp_path: Path) -> None:
    words = ("--video", "a.mp4", "--camera", "rtsp://127.0.0.1/b", "--out", tmp_path)
    done = monitor("demo", *words)
    assert done.exit_code == 78
    assert "exclude each other" in done.stderr
