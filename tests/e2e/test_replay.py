"""``monitor replay`` with the embedded models, as a user calls it."""

import csv
import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import av
import jsonschema
import pytest

from monitor.demo.clip import DemoScript, write_demo_clip
from tests.support.alert_schema import RECORDED_ALERT_V1
from tests.support.clips import panning, write_clip


def replay(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monitor", "replay", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoScript, Path]:
    clip = tmp_path_factory.mktemp("clip") / "demo clip.mp4"
    return write_demo_clip(clip, seconds=12, fps=10), clip


@pytest.fixture(scope="module")
def results(script: tuple[DemoScript, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    done = replay(script[1], "--out", out, "--annotate")
    assert done.returncode == 0, done.stderr
    return out / "demo clip"


def alerts(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]


def test_the_balaclava_and_nobody_else_is_reported(
    script: tuple[DemoScript, Path], results: Path
) -> None:
    demo, _ = script
    (alert,) = alerts(results)
    jsonschema.validate(alert, RECORDED_ALERT_V1)
    assert alert["state"] == "ended", "it was taken off again"
    assert alert["covering"] == "balaclava"
    assert alert["severity"] == "critical"
    assert alert["occluded"] is True
    raised_at = float(str(alert["raised_at"]))
    assert demo.covered_from_s - demo.pull_s <= raised_at <= demo.covered_from_s + 2


def test_the_summary_adds_up(results: Path) -> None:
    summary = json.loads((results / "summary.json").read_text())
    assert summary["frames_decoded"] == 120
    assert summary["frames_analysed"] == 60, "12 s at 5 a second"
    assert summary["video_s"] == pytest.approx(12, abs=0.2)
    assert summary["alerts"] == 1
    assert summary["looks"] > 5
    assert summary["judged"] >= 1
    others = sum(summary["not_judged"].values())
    assert summary["judged"] + others == summary["subjects"]
    assert summary["taken_s"] > 0
    assert {"decode", "detect", "track", "judge"} <= summary["stage_ms"].keys()
    alongside = {"decode", "detect"}
    in_turn = sum(ms for stage, ms in summary["stage_ms"].items() if stage not in alongside)
    assert 0 < in_turn <= 1000 * summary["taken_s"]
    with (results / "tracks.csv").open() as tracks:
        rows = list(csv.DictReader(tracks))
    assert len({row["subject"] for row in rows}) == summary["subjects"]
    assert all((row["head_found"] == "1") == bool(row["head_x0"]) for row in rows)
    assert {row["head_found"] for row in rows} >= {"1"}


def test_the_evidence_is_where_the_alert_says(results: Path) -> None:
    (alert,) = alerts(results)
    evidence = alert["evidence"]
    assert isinstance(evidence, dict)
    assert (results / "evidence" / str(evidence["snapshot"])).read_bytes().startswith(b"\xff\xd8")


def test_the_annotated_video_has_every_analysed_frame(results: Path) -> None:
    with av.open(str(results / "annotated.mp4")) as video:
        frames = list(video.decode(video=0))
    assert len(frames) == 60
    assert (frames[0].width, frames[0].height) == (960, 540)


@pytest.mark.slow
def test_a_second_replay_gives_the_same_alerts_apart_from_ids(
    script: tuple[DemoScript, Path], results: Path, tmp_path: Path
) -> None:
    assert replay(script[1], "--out", tmp_path).returncode == 0
    assert _without_ids(tmp_path / "demo clip") == _without_ids(results)
    assert (tmp_path / "demo clip" / "tracks.csv").read_text() == (
        results / "tracks.csv"
    ).read_text()


@pytest.mark.slow
def test_one_bad_file_does_not_keep_the_others_from_being_played(
    script: tuple[DemoScript, Path], tmp_path: Path
) -> None:
    note = tmp_path / "note.mp4"
    note.write_text("this is not a video\n" * 100)
    done = replay(note, script[1], tmp_path / "gone.mp4", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    complaints = [line for line in done.stderr.splitlines() if line.startswith("monitor:")]
    assert len(complaints) == 2
    assert "note.mp4" in complaints[0]
    assert "gone.mp4" in complaints[1]
    assert len(alerts(tmp_path / "out" / "demo clip")) == 1


@pytest.mark.slow
def test_a_file_that_does_not_say_how_long_it_is_plays_on_a_terminal(tmp_path: Path) -> None:
    raw = write_clip(tmp_path / "raw.h264", panning(10), options={})
    command = [sys.executable, "-m", "monitor", "replay", str(raw), "--out", str(tmp_path / "out")]
    leader, follower = pty.openpty()
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=follower, env={**os.environ, "TERM": "xterm"}
    ) as running:
        os.close(follower)
        shown = b""
        with suppress(OSError):  # how the other side's end shows
            while part := os.read(leader, 65536):
                shown += part
        os.close(leader)
        out, _ = running.communicate()
    assert running.returncode == 0, shown
    assert b"raw.h264: 10 frames" in out
    assert b" 0.2 s" in shown, "two frames are looked at"


def _without_ids(folder: Path) -> list[dict[str, object]]:
    found = alerts(folder)
    for alert in found:
        del alert["id"]
        evidence = alert["evidence"]
        assert isinstance(evidence, dict)
        del evidence["snapshot"]  # its folder is named by the id
    return found
