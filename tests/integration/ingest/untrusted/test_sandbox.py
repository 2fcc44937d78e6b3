"""Untrusted files, decoded in a process that may crash, hang or be killed."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing import Pipe
from pathlib import Path

import pytest

from monitor.errors import SourceRejectedError, TooLargeError, WrongMediaError
from monitor.ingest.untrusted.child import MEMORY_BYTES
from monitor.ingest.untrusted.images import DecodedPicture
from monitor.ingest.untrusted.sandbox import REPLY, ReplyKind, Sandbox, is_video, receive_pictures
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


def decode(sandbox: Sandbox, content: bytes, timeout_s: float = TIMEOUT_S) -> list[DecodedPicture]:
    return list(sandbox.decode(content, 2.0, time.monotonic() + timeout_s))


def test_a_picture_comes_through_whole(sandbox: Sandbox) -> None:
    (seen,) = decode(sandbox, encoded(image(photo()), "PNG"))
    assert (seen.pixels == photo()).all()


def test_a_recording_comes_frame_by_frame_as_often_as_wanted(sandbox: Sandbox, clip: bytes) -> None:
    assert is_video(clip)
    seen = decode(sandbox, clip)
    assert 2 <= len(seen) < 30
    assert [one.seconds for one in seen] == sorted(one.seconds for one in seen)


def test_the_child_says_what_is_wrong_and_goes_on(sandbox: Sandbox) -> None:
    before = sandbox.pid
    with pytest.raises(WrongMediaError):
        decode(sandbox, b"hello")
    with pytest.raises(TooLargeError, match="pixels"):
        decode(sandbox, png_of(60_000, 60_000))
    with pytest.raises(SourceRejectedError, match="cut off"):
        decode(sandbox, JPEG[:5000])
    assert len(decode(sandbox, JPEG)) == 1
    assert sandbox.pid == before


def test_a_recording_that_is_cut_off_gives_what_it_has(sandbox: Sandbox, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.ts", panning(60)).read_bytes()
    assert 1 <= len(decode(sandbox, clip[: len(clip) // 2])) < len(decode(sandbox, clip))


@pytest.mark.parametrize(
    "playlist",
    [b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n", b"ffconcat"],
)
def test_a_list_of_other_places_is_no_recording(sandbox: Sandbox, playlist: bytes) -> None:
    with pytest.raises(WrongMediaError):
        decode(sandbox, playlist)
    with pytest.raises(SourceRejectedError):
        decode(sandbox, b"\0\0\0\x18ftyp" + playlist)


@pytest.mark.parametrize("content", [JPEG, JPEG + bytes(10**7)], ids=["reading", "writing"])
def test_a_child_that_hangs_is_replaced_in_time(sandbox: Sandbox, content: bytes) -> None:
    """The larger file does not fit into the connection's buffer, so sending it blocks."""
    before = sandbox.pid
    os.kill(before, signal.SIGSTOP)
    with pytest.raises(SourceRejectedError, match="too long"):
        decode(sandbox, content, timeout_s=0.3)
    assert sandbox.pid != before
    assert len(decode(sandbox, JPEG)) == 1


def test_a_child_that_crashed_is_replaced(sandbox: Sandbox) -> None:
    os.kill(sandbox.pid, signal.SIGSEGV)
    try:
        assert len(decode(sandbox, JPEG)) == 1
    except SourceRejectedError:  # the crash was not noticed before the bytes were sent
        assert len(decode(sandbox, JPEG)) == 1


def test_who_has_seen_enough_leaves_no_half_read_recording(sandbox: Sandbox, clip: bytes) -> None:
    with closing(sandbox.decode(clip, 2.0, time.monotonic() + TIMEOUT_S)) as seen:
        assert next(seen).seconds == 0
    assert len(decode(sandbox, JPEG)) == 1


def test_the_child_has_given_up_memory_files_and_more(sandbox: Sandbox) -> None:
    decode(sandbox, JPEG)
    lines = Path(f"/proc/{sandbox.pid}/limits").read_text().splitlines()
    bounds = {line[:26].strip(): line[26:].split()[:2] for line in lines[1:]}
    assert bounds["Max address space"] == [str(MEMORY_BYTES)] * 2
    assert bounds["Max file size"] == ["0", "0"]
    assert bounds["Max core file size"] == ["0", "0"]
    assert bounds["Max open files"] == ["32", "32"]


HEAD = REPLY.pack(ReplyKind.PICTURE, 0.0, 0.0, 2, 2)


@pytest.mark.parametrize(
    "messages",
    [
        [b""],
        [b"x" * 999],
        [REPLY.pack(99, 0.0, 0.0, 2, 2)],
        [REPLY.pack(ReplyKind.PICTURE, 0.0, 0.0, 0, 2)],
        [REPLY.pack(ReplyKind.PICTURE, 0.0, 0.0, 2, 2**31)],
        [HEAD, bytes(11)],
        [HEAD, bytes(13)],
        [HEAD],
        [REPLY.pack(ReplyKind.REJECTED, 0.0, 0.0, 0, 0), bytes(5000)],
        [],
    ],
    ids=[
        "nothing",
        "too long",
        "unknown kind",
        "no width",
        "too high",
        "too few pixels",
        "too many pixels",
        "no pixels",
        "too much text",
        "gone",
    ],
)
def test_a_child_that_was_taken_over_gets_nothing_through(messages: list[bytes]) -> None:
    near_end, far_end = Pipe()
    with near_end:
        with far_end:
            for message in messages:
                far_end.send_bytes(message)
        with pytest.raises((OSError, EOFError)):
            list(receive_pictures(near_end))


def test_aborting_ends_the_wait_of_another_thread() -> None:
    with closing(Sandbox()) as own:
        decode(own, JPEG)
        os.kill(own.pid, signal.SIGSTOP)
        errors: list[str] = []
        thread = threading.Thread(target=_note(errors, lambda: decode(own, JPEG)))
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
