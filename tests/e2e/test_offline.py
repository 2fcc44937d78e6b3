"""Nothing in the program reaches out: no hub, no telemetry, no installer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.demo.clip import write_demo_clip

# Runs before anything of ours is imported, so nothing escapes it.
WATCHED = """
import json, sys
seen = []
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "os.system"):
        seen.append([event, repr(args[1:])])
    elif event == "subprocess.Popen" and ("pip" in repr(args) or "uv" in repr(args[0])):
        seen.append([event, repr(args[:2])])
sys.addaudithook(watch)
from monitor.cli.app import app
log, *words = sys.argv[1:]
try:
    app(words)
except SystemExit as end:
    status = end.code
with open(log, "w") as out:
    json.dump({"status": status, "seen": seen}, out)
"""


def watched(log: Path, *words: str | Path) -> dict[str, object]:
    command = [sys.executable, "-c", WATCHED, str(log), *map(str, words)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    result: dict[str, object] = json.loads(log.read_text())
    return result


@pytest.mark.slow
def test_a_replay_connects_to_nothing_and_installs_nothing(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_demo_clip(clip, seconds=4, fps=5)
    result = watched(tmp_path / "log.json", "replay", clip, "--out", tmp_path / "out")
    assert result == {"status": 0, "seen": []}


def test_the_watch_itself_works(tmp_path: Path) -> None:
    words = ("listen", "--host", "127.0.0.1", "--port", "1", "--count", "1")
    result = watched(tmp_path / "log.json", *words)
    assert result["status"] == 1
    assert "socket.connect" in str(result["seen"])
