"""Strangers' bytes, decoded in a process that may crash, hang or be killed."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.errors import SourceRejectedError, TooLargeError, WrongMediaError
from monitor.ingest.untrusted.child import MEMORY_BYTES
from monitor.ingest.untrusted.sandbox import DecodedPicture, Sandbox, is_recording
from tests.support.clips import panning, photo, write_clip
from tests.support.pictures import encoded, image, png_of

JPEG = encoded(image(photo()), "JPEG")
TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with closing(Sandbox()) as made:
        yield made


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("clips") / "a.mp4", panning(30)).read_bytes()


def decoded(sandbox: Sandbox, content: bytes, timeout_s: float = TIMEOUT_S) -> list[DecodedPicture]:
    return list(sandbox.decoded(content, 2.0, time.monotonic() + timeout_s))


def test_a_picture_comes_through_whole(sandbox: Sandbox) -> None:
    (seen,) = decoded(sandbox, encoded(image(photo()), "PNG"))
    assert (seen.pixels == photo()).all()


def test_a_recording_comes_frame_by_frame_as_often_as_wanted(sandbox: Sandbox, clip: bytes) -> None:
    assert is_recording(clip)
    seen = decoded(sandbox, clip)
    assert 2 <= len(seen) < 30
    assert [one.seconds for one in seen] == sorted(one.seconds for one in seen)


def test_the_child_says_what_is_wrong_and_goes_on(sandbox: Sandbox) -> None:
    before = sandbox.pid
    with pytest.raises(WrongMediaError):
        decoded(sandbox, b"hello")
    with pytest.raises(TooLargeError, match="pixels"):
        decoded(sandbox, png_of(60_000, 60_000))
    with pytest.raises(SourceRejectedError, match="cut off"):
        decoded(sandbox, JPEG[:5000])
    assert len(decoded(sandbox, JPEG)) == 1
    assert sandbox.pid == before


def test_a_recording_that_is_cut_off_gives_what_it_has(sandbox: Sandbox, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.ts", panning(60)).read_bytes()
    assert 1 <= len(decoded(sandbox, clip[: len(clip) // 2])) < len(decoded(sandbox, clip))


@pytest.mark.parametrize(
    "playlist",
    [b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n", b"ffconcat"],
)
def test_a_list_of_other_places_is_no_recording(sandbox: Sandbox, playlist: bytes) -> None:
    with pytest.raises(WrongMediaError):
        decoded(sandbox, playlist)
    with pytest.raises(SourceRejectedError):
        decoded(sandbox, b"\0\0\0\x18ftyp" + playlist)


def test_a_child_that_hangs_is_replaced_in_time(sandbox: Sandbox) -> None:
    before = sandbox.pid
    os.kill(before, signal.SIGSTOP)
    with pytest.raises(SourceRejectedError, match="too long"):
        decoded(sandbox, JPEG, timeout_s=0.3)
    assert sandbox.pid != before
    assert len(decoded(sandbox, JPEG)) == 1


def test_a_child_that_crashed_is_replaced(sandbox: Sandbox) -> None:
    os.kill(sandbox.pid, signal.SIGSEGV)
    try:
        assert len(decoded(sandbox, JPEG)) == 1
    except SourceRejectedError:  # the crash was not noticed before the bytes were sent
        assert len(decoded(sandbox, JPEG)) == 1


def test_who_has_seen_enough_leaves_no_half_read_recording(sandbox: Sandbox, clip: bytes) -> None:
    with closing(sandbox.decoded(clip, 2.0, time.monotonic() + TIMEOUT_S)) as seen:
        assert next(seen).seconds == 0
    assert len(decoded(sandbox, JPEG)) == 1


def test_the_child_has_given_up_memory_files_and_more(sandbox: Sandbox) -> None:
    decoded(sandbox, JPEG)
    lines = Path(f"/proc/{sandbox.pid}/limits").read_text().splitlines()
    bounds = {line[:26].strip(): line[26:].split()[:2] for line in lines[1:]}
    assert bounds["Max address space"] == [str(MEMORY_BYTES)] * 2
    assert bounds["Max file size"] == ["0", "0"]
    assert bounds["Max core file size"] == ["0", "0"]
    assert bounds["Max open files"] == ["32", "32"]


def test_aborting_ends_the_wait_of_another_thread() -> None:
    with closing(Sandbox()) as own:
        decoded(own, JPEG)
        os.kill(own.pid, signal.SIGSTOP)
        errors: list[str] = []
        thread = threading.Thread(target=_note(errors, lambda: decoded(own, JPEG)))
        thread.start()
        own.abort()
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()
        assert len(errors) == 1


def _note(errors: list[str], work: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        """Work, and note the error."""
        try:
            work()
        except SourceRejectedError as error:
            errors.append(str(error))

    return run


def test_the_child_knows_no_secret_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MQTT_PASSWORD", "hunter2")
    with closing(Sandbox()) as own:
        assert b"hunter2" not in Path(f"/proc/{own.pid}/environ").read_bytes()
