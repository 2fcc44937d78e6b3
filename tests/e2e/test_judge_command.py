"""``monitor judge`` and ``monitor evaluate`` with the embedded models, as a user calls them."""

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import pytest

from monitor.demo.clip import DemoScript, render_frames, write_demo_clip
from monitor.domain import Pixels
from monitor.domain.framing import crop_window, head_around_face
from monitor.geometry import Box
from tests.support.clips import photo

pytestmark = pytest.mark.slow

SCRIPT = DemoScript(seconds=12, fps=2, width=960, height=540)
BARE_S, COVERED_S = 1.0, 6.0


def monitor(*words: str | Path) -> str:
    command = [sys.executable, "-m", "monitor", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout


def response(printed: str) -> dict[str, object]:
    inner: dict[str, object] = json.loads(printed)["result"]["response"]
    return inner


@pytest.fixture(scope="module")
def frames() -> list[Pixels]:
    return list(render_frames(SCRIPT))


def at(frames: list[Pixels], seconds: float) -> Pixels:
    return frames[round(seconds * SCRIPT.fps)]


def test_bare_faces_in_a_picture_are_not_occluded(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    cv2.imwrite(str(path), photo())
    found = response(monitor("judge", path))
    assert found["head_found"] is True
    assert found["occluded"] is False


def test_a_balaclava_in_a_picture_is_named(frames: list[Pixels], tmp_path: Path) -> None:
    path = tmp_path / "covered.png"
    cv2.imwrite(str(path), at(frames, COVERED_S))
    found = response(monitor("judge", path))
    assert found["occluded"] is True
    assert found["covering"] == "balaclava"


def test_the_worst_picture_of_an_animation_decides(frames: list[Pixels], tmp_path: Path) -> None:
    path = tmp_path / "moving.webp"
    shown = cv2.Animation()
    shown.frames = [at(frames, BARE_S), at(frames, COVERED_S), at(frames, BARE_S)]
    shown.durations = [500] * 3
    cv2.imwriteanimation(str(path), shown)
    printed = monitor("judge", path)
    assert json.loads(printed)["moderation_type"] == "image"
    assert response(printed)["covering"] == "balaclava"


def test_a_recording_is_judged_like_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_demo_clip(path, seconds=6, fps=5)
    printed = monitor("judge", path)
    assert json.loads(printed)["moderation_type"] == "video"
    assert response(printed)["occluded"] is True


def test_the_judge_is_evaluated_on_a_folder(frames: list[Pixels], tmp_path: Path) -> None:
    rows = []
    for label, seconds in (("none", BARE_S), ("balaclava", COVERED_S)):
        crop = _crop(at(frames, seconds), SCRIPT.locate_face(seconds))
        cv2.imwrite(str(tmp_path / f"{label}.png"), crop)
        rows.append((f"{label}.png", label))
    _write(tmp_path / "labels.csv", ("file", "label"), rows)
    printed = monitor("evaluate", "judge", tmp_path, "--json", tmp_path / "out.json")
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["n"] == 2
    assert report["accuracy"] == 1
    assert [entry["file"] for entry in report["predictions"]] == ["none.png", "balaclava.png"]
    assert "2 crops: accuracy 1.0000" in printed


def test_the_detector_is_evaluated_on_a_folder(frames: list[Pixels], tmp_path: Path) -> None:
    rows = []
    for name, seconds in (("bare", BARE_S), ("covered", COVERED_S)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), at(frames, seconds))
        faces = (SCRIPT.locate_face(seconds), SCRIPT.locate_bystander(seconds))
        heads = [head_around_face(face).clip(SCRIPT.width, SCRIPT.height) for face in faces]
        rows += [(f"{name}.png", "head", *map(str, head.edges)) for head in heads]
    _write(tmp_path / "boxes.csv", ("file", "kind", "x0", "y0", "x1", "y1"), rows)
    words = ("evaluate", "detector", tmp_path, "--json", tmp_path / "out.json", "--iou", "0.3")
    printed = monitor(*words)
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["pictures"] == 2
    assert report["kinds"]["head"]["boxes"] == 4
    assert report["kinds"]["head"]["recall"] >= 0.5, "the one who covers himself, both times"
    assert "2 pictures" in printed


def _crop(picture: Pixels, face: Box) -> Pixels:
    window = crop_window(head_around_face(face)).clip(SCRIPT.width, SCRIPT.height)
    left, top = round(window.left), round(window.top)
    return picture[top : round(window.bottom), left : round(window.right)]


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(columns)
        writer.writerows(rows)
