"""Decoding what strangers send, in a process of its own that may be killed."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import numpy as np

from monitor.domain import Pixels
from monitor.errors import SourceRejectedError, TooLargeError, WrongMediaError
from monitor.ingest.untrusted.child import HEAD, TASK, ReplyKind, TaskKind
from monitor.ingest.untrusted.images import is_still

_MODULE = "monitor.ingest.untrusted.child"
_KEPT = ("PATH", "LD_LIBRARY_PATH", "LANG")  # of the environment; it may hold secrets
_MOST_PX = 4096  # a side of what comes back; more is a child that has been taken over
_MOST_TEXT = 1000
_PIECE = 1 << 16
_FAILURES: Final = {
    ReplyKind.REJECTED: SourceRejectedError,
    ReplyKind.TOO_LARGE: TooLargeError,
    ReplyKind.WRONG_MEDIA: WrongMediaError,
}
_BOX_KINDS = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot", b"moof"})
_STARTS: Final = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"FLV\x01",
    b"OggS",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG video
)
_PACKET = 188  # bytes of an MPEG transport stream's packet


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPicture:
    """One decoded picture."""

    seconds: float  # from the start of the animation or recording
    decode_ms: float
    pixels: Pixels = field(repr=False)


def is_recording(encoded: bytes) -> bool:
    """Whether these are the first bytes of a kind of video file that is read here."""
    riff = encoded[:4] == b"RIFF" and encoded[8:12] == b"AVI "
    packets = encoded[:1] == b"G" and encoded[_PACKET : _PACKET + 1] == b"G"
    return encoded[4:8] in _BOX_KINDS or riff or packets or encoded.startswith(_STARTS)


class Sandbox:
    """Decodes strangers' bytes. One thread decodes and closes; any thread may abort.

    One child process waits, warm, for the next bytes. A child that hangs, crashes or is left
    half-read is killed and replaced; its memory is bounded by ``MEMORY_BYTES``.
    """

    def __init__(self) -> None:
        self._over = False
        self._child = _started()

    @property
    def pid(self) -> int:
        """The child's."""
        return self._child.pid

    def abort(self) -> None:
        """End decoding for good; whoever waits for a picture gets an error."""
        self._over = True
        self._child.kill()

    def close(self) -> None:
        """End the child and let go of it."""
        self._over = True
        _killed(self._child)

    def decoded(
        self, encoded: bytes, fps: float, deadline: float
    ) -> Generator[DecodedPicture, None, None]:
        """The pictures in the bytes of a file, one after the other.

        Args:
            encoded: A picture, an animation or a recording.
            fps: Frames per second of a recording that are wanted.
            deadline: On ``time.monotonic``.

        Raises:
            WrongMediaError: It is no known kind of picture or recording.
            TooLargeError: It has too many pixels, or needs too much memory.
            SourceRejectedError: It cannot be decoded, or not in time.
        """
        if not (is_still(encoded) or is_recording(encoded)):
            raise WrongMediaError("not a picture or a recording of a kind that is known here")
        kind = TaskKind.STILL if is_still(encoded) else TaskKind.RECORDING
        if self._child.poll() is not None:
            self._replace()
        try:
            _tell(self._child, TASK.pack(kind, fps, len(encoded)), deadline)
            _tell(self._child, encoded, deadline)
            yield from _heard(self._child, deadline)
        except GeneratorExit:  # the taker has seen enough
            self._replace()
            raise
        except TimeoutError:
            self._replace()
            raise SourceRejectedError("it takes too long to decode; give less of it") from None
        except (OSError, EOFError):
            self._replace()
            raise SourceRejectedError(
                "it cannot be decoded; check that it opens elsewhere"
            ) from None

    def _replace(self) -> None:
        _killed(self._child)
        if not self._over:
            self._child = _started()


def _started() -> "subprocess.Popen[bytes]":
    package = Path(__file__).resolve().parents[3]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"PYTHONPATH": str(package), "OPENBLAS_NUM_THREADS": "1"}
    child = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        [sys.executable, "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=environment,
        start_new_session=True,  # Ctrl-C is for the parent, which then ends the child
    )
    for pipe in _pipes(child):
        os.set_blocking(pipe.fileno(), False)
    return child


def _killed(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    child.wait()
    for pipe in _pipes(child):
        pipe.close()


def _pipes(child: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    """Towards the child, and from it."""
    if child.stdin is None or child.stdout is None:
        raise ValueError("the child was started without pipes")
    return child.stdin, child.stdout


def _tell(child: "subprocess.Popen[bytes]", content: bytes, deadline: float) -> None:
    """Give the child all of some bytes.

    Raises:
        TimeoutError: It does not take them in time.
        OSError: It is gone.
    """
    pipe = _pipes(child)[0].fileno()
    left = memoryview(content)
    while left:
        if _ready(pipe, select.POLLOUT, deadline):
            left = left[os.write(pipe, left[:_PIECE]) :]


def _heard(child: "subprocess.Popen[bytes]", deadline: float) -> Iterator[DecodedPicture]:
    """What the child answers, to the end.

    Raises:
        SourceRejectedError: The child says what is wrong with the bytes.
        TimeoutError: It says nothing in time.
        EOFError: It is gone, or says what it never should.
    """
    while True:
        message, seconds, spent_ms, first, second = HEAD.unpack(_read(child, HEAD.size, deadline))
        if message == ReplyKind.END:
            return
        if message in _FAILURES and first <= _MOST_TEXT:
            said = _read(child, first, deadline).decode(errors="replace")
            raise _FAILURES[ReplyKind(message)](said)
        if message != ReplyKind.FRAME or not (0 < first <= _MOST_PX and 0 < second <= _MOST_PX):
            raise EOFError
        pixels = np.frombuffer(_read(child, 3 * first * second, deadline), np.uint8)
        yield DecodedPicture(seconds, spent_ms, pixels.reshape(second, first, 3))


def _read(child: "subprocess.Popen[bytes]", size: int, deadline: float) -> bytearray:
    pipe = _pipes(child)[1].fileno()
    content = bytearray(size)
    left = memoryview(content)
    while left:
        if _ready(pipe, select.POLLIN, deadline):
            count = os.readv(pipe, [left])
            if not count:
                raise EOFError
            left = left[count:]
    return content


def _ready(pipe: int, event: int, deadline: float) -> bool:
    """Wait until a pipe can be read or written, or is broken.

    Raises:
        TimeoutError: It was not, in time.
    """
    left_ms = 1000 * (deadline - time.monotonic())
    if left_ms <= 0:
        raise TimeoutError
    poll = select.poll()  # select() cannot watch descriptors from 1024 on
    poll.register(pipe, event)
    return bool(poll.poll(left_ms))
