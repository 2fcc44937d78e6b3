"""What a user sees who gets something wrong: one line that names it, a status, no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import Result

from tests.support.clips import panning, write_clip
from tests.support.commands import monitor
from tests.support.http_server import answering


def complaint(done: Result, status: int) -> str:
    """The one line on standard error, after the general rules have been checked."""
    assert done.exit_code == status, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("monitor:")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def config(folder: Path, text: str) -> Path:
    path = folder / "monitor.yaml"
    path.write_text(text, encoding="utf-8")
    return path


PROGRAM = [sys.executable, "-m", "monitor"]
CAMERA = "cameras: {yard: {source: {kind: file, path: clip.mp4}}}\n"


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_missing_configuration(command: str) -> None:
    assert "gone.yaml: No such file" in complaint(monitor(command, "gone.yaml"), 78)


def test_a_configuration_that_is_no_yaml(tmp_path: Path) -> None:
    path = config(tmp_path, "cameras: [unclosed\n")
    line = complaint(monitor("check", path), 78)
    assert str(path) in line
    assert "line 2" in line


def test_a_configuration_that_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "picture.yaml"
    path.write_bytes(b"\xff\xd8\xff\xe0" + bytes(range(256)))
    assert "picture.yaml" in complaint(monitor("check", path), 78)


def test_an_unknown_setting_is_named_with_its_place(tmp_path: Path) -> None:
    done = monitor("check", config(tmp_path, CAMERA + "mqtt: {pasword_file: /x}\n"))
    assert done.exit_code == 78
    assert "mqtt.pasword_file" in done.stderr


def test_an_address_with_a_password_in_it_is_refused_and_not_repeated(tmp_path: Path) -> None:
    url = "rtsp://viewer:hunter2@127.0.0.1/cam"
    text = f"cameras: {{yard: {{source: {{kind: rtsp, url: '{url}'}}}}}}\n"
    done = monitor("check", config(tmp_path, text))
    assert done.exit_code == 78
    assert "hunter2" not in done.stdout + done.stderr
    assert "password_file" in done.stderr


@pytest.mark.parametrize("url", ["rtsp://[::1/x", "rtsp://admin:hun/ter2@127.0.0.1/s"])
def test_an_address_that_cannot_be_read_is_refused_at_once(tmp_path: Path, url: str) -> None:
    text = f"cameras: {{yard: {{source: {{kind: rtsp, url: '{url}'}}}}}}\n"
    done = monitor("check", config(tmp_path, text))
    assert "1 wrong setting" in complaint(done, 78)
    assert "ter2" not in done.stdout + done.stderr
    assert "hun" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "words",
    [["frobnicate"], ["replay"], ["check", "--wrong"], ["run", "x.yaml", "--log-level", "foo"]],
    ids=" ".join,
)
def test_a_command_line_that_is_wrong(words: list[str]) -> None:
    done = monitor(*words)
    assert done.exit_code == 2
    assert "Usage: monitor" in done.stderr


def test_a_wrong_command_line_is_a_wrong_configuration_to_who_started_the_program() -> None:
    done = subprocess.run(  # noqa: S603  (our own arguments)
        [*PROGRAM, "frobnicate"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 78
    assert "Traceback" not in done.stderr
    assert "Usage: monitor" in done.stderr


def test_a_demo_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").mkdir()
    line = complaint(monitor("demo", "--out", tmp_path), 1)
    assert "clip.mp4" in line
    assert "--out" in line


@pytest.mark.parametrize("content", [b"", b"not a video\n" * 50, bytes(4096)])
def test_a_file_that_is_no_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert "clip.mp4" in complaint(monitor("replay", path, "--out", tmp_path / "out"), 1)


def test_a_recording_that_is_missing(tmp_path: Path) -> None:
    done = monitor("replay", tmp_path / "gone.mp4", "--out", tmp_path / "out")
    assert "gone.mp4" in complaint(done, 1)


def test_a_replay_configuration_that_is_missing(tmp_path: Path) -> None:
    done = monitor("replay", "x.mp4", "--out", tmp_path, "--config", tmp_path / "gone.yaml")
    assert "gone.yaml" in complaint(done, 78)


def test_a_picture_that_is_missing() -> None:
    assert "gone#1.jpg: no such" in complaint(monitor("judge", "gone#1.jpg"), 1)


def test_a_picture_whose_name_no_disk_can_hold() -> None:
    assert "no such file" in complaint(monitor("judge", "x" * 300), 1)


@pytest.mark.parametrize("rest", [":abc/x", "/a b.jpg"])
def test_a_picture_at_what_is_no_address(rest: str) -> None:
    address = f"http://127.0.0.1{rest}"
    assert address in complaint(monitor("judge", address), 1)


def test_a_page_at_an_address_is_named_by_the_address() -> None:
    page = b"<html>log in</html>"
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(page)
    with answering(head + page) as place:
        done = monitor("judge", f"http://{place}/page?token=hunter2")
    assert complaint(done, 1).startswith(f"monitor: http://{place}/page: ")
    assert "hunter2" not in done.stderr


def test_a_film_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with path.open("wb") as film:
        film.truncate(2**40)  # more than any machine for tests has; it takes no room on the disk
    assert "film.mp4" in complaint(monitor("judge", path), 1)


def test_a_picture_that_is_neither_picture_nor_video(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("hello\n", encoding="utf-8")
    assert "note.txt" in complaint(monitor("judge", path), 1)


@pytest.mark.parametrize("made", [False, True], ids=["missing", "empty"])
def test_a_judge_folder_without_weights(tmp_path: Path, made: bool) -> None:  # noqa: FBT001
    model = tmp_path / "model"
    if made:
        model.mkdir()
    path = config(tmp_path, f"judge: {{kind: local, model: {model}}}\n")
    done = monitor("replay", "x.mp4", "--out", tmp_path / "out", "--config", path)
    assert str(model) in complaint(done, 78)


def test_detector_weights_that_are_missing(tmp_path: Path) -> None:
    path = config(tmp_path, f"detector: {{kind: yolo, weights: {tmp_path / 'gone.pt'}}}\n")
    done = monitor("replay", "x.mp4", "--out", tmp_path / "out", "--config", path)
    assert "gone.pt" in complaint(done, 78)


def test_an_output_folder_that_is_a_file(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_clip(clip, panning(10))
    (tmp_path / "out").write_text("in the way", encoding="utf-8")
    assert "out" in complaint(monitor("replay", clip, "--out", tmp_path / "out"), 1)


def test_an_outbox_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    outbox = tmp_path / "file" / "outbox.sqlite"
    done = monitor("run", config(tmp_path, CAMERA + f"outbox: {outbox}\n"))
    assert str(outbox) in complaint(done, 1)


def test_a_password_file_that_is_missing(tmp_path: Path) -> None:
    text = (
        CAMERA
        + f"outbox: {tmp_path}/o.sqlite\nmqtt: {{username: me, password_file: {tmp_path}/pw}}\n"
    )
    assert "pw" in complaint(monitor("run", config(tmp_path, text)), 78)


def test_listening_to_a_broker_that_is_not_there() -> None:
    done = monitor("listen", "--host", "127.0.0.1", "--port", "1", "--count", "1")
    assert "127.0.0.1:1" in complaint(done, 1)


def test_listening_to_a_host_that_does_not_exist() -> None:
    done = monitor("listen", "--host", "broker.invalid", "--count", "1")
    assert "broker.invalid" in complaint(done, 1)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_output_of_a_command_may_be_cut_off(unbuffered: str) -> None:
    """A user's `monitor check ... | head -1` ended in a traceback, or complained at its exit."""
    example = Path(__file__).parents[2] / "configs" / "example.yaml"
    reading, writing = os.pipe()
    os.close(reading)
    command = [*PROGRAM, "check", str(example)]
    env = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with os.fdopen(writing, "wb") as out:
        done = subprocess.run(  # noqa: S603
            command, stdout=out, stderr=subprocess.PIPE, text=True, check=False, env=env
        )
    assert (done.returncode, done.stderr) == (0, "")
