"""Decoding untrusted files in a separate process that may be killed.

Parent and child exchange messages over one socket, as bytes and never as pickles:

    to the child     TASK, then the file; again and again until the connection is closed
    from the child   for each picture PICTURE and its pixels; then END, or a failure and its text
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from enum import IntEnum
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from struct import Struct
from typing import Final

import numpy as np

from monitor.errors import SourceRejectedError, TooLargeError, WrongMediaError
from monitor.ingest.untrusted.images import DecodedPicture, is_image

TASK: Final = Struct("<Bd")  # kind, frames per second wanted of a video
REPLY: Final = Struct("<BddII")  # kind, seconds, milliseconds of decoding, width, height

_MODULE = "monitor.ingest.untrusted.child"
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "LANG")  # others may hold secrets
_MAX_SIDE_PX = 4096  # of a picture that comes back; more means that the child was taken over
_MAX_TEXT_BYTES = 4000
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


class TaskKind(IntEnum):
    """How the child reads a file."""

    IMAGE = 0
    VIDEO = 1


class ReplyKind(IntEnum):
    """What the child sends. Pixels follow a PICTURE, a text follows a failure."""

    PICTURE = 0
    END = 1
    REJECTED = 2
    TOO_LARGE = 3
    WRONG_MEDIA = 4


_ERRORS: Final = {
    ReplyKind.REJECTED: SourceRejectedError,
    ReplyKind.TOO_LARGE: TooLargeError,
    ReplyKind.WRONG_MEDIA: WrongMediaError,
}


def is_video(encoded: bytes) -> bool:
    """Whether these are the first bytes of a video format that is decoded here."""
    riff = encoded[:4] == b"RIFF" and encoded[8:12] == b"AVI "
    packets = encoded[:1] == b"G" and encoded[_PACKET : _PACKET + 1] == b"G"
    return encoded[4:8] in _BOX_KINDS or riff or packets or encoded.startswith(_STARTS)


class Sandbox:
    """Decodes untrusted files. One thread decodes and closes; any thread may abort.

    One child process waits, warm, for the next file. A child that hangs, crashes or is left
    half-read is killed and replaced; its memory is bounded by ``MEMORY_BYTES``.
    """

    def __init__(self) -> None:
        self._is_closed = False
        self._child = _Child()

    @property
    def pid(self) -> int:
        """The process id of the child."""
        return self._child.process.pid

    def abort(self) -> None:
        """End decoding for good; a thread that waits for a picture gets an error."""
        self._is_closed = True
        self._child.process.kill()

    def close(self) -> None:
        """End the child and free what it used."""
        self._is_closed = True
        self._child.end()

    def decode(
        self, encoded: bytes, fps: float, deadline: float
    ) -> Generator[DecodedPicture, None, None]:
        """Yield the pictures in a file, in order.

        Args:
            encoded: The bytes of an image, an animation or a video.
            fps: Frames per second wanted of a video.
            deadline: On ``time.monotonic``.

        Raises:
            WrongMediaError: The format is not supported.
            TooLargeError: It has too many pixels, or needs too much memory.
            SourceRejectedError: It cannot be decoded, or not in time.
        """
        if not (is_image(encoded) or is_video(encoded)):
            raise WrongMediaError("not a picture or a video in a known format")
        kind = TaskKind.IMAGE if is_image(encoded) else TaskKind.VIDEO
        if self._child.process.poll() is not None:
            self._replace()
        child = self._child
        # Killing the child ends any wait for it, also in the middle of a message.
        watchdog = threading.Timer(max(0.0, deadline - time.monotonic()), child.process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            child.connection.send_bytes(TASK.pack(kind, fps))
            child.connection.send_bytes(encoded)
            yield from receive_pictures(child.connection)
        except GeneratorExit:  # the caller needs no more pictures
            self._replace()
            raise
        except (OSError, EOFError):
            self._replace()
            if time.monotonic() >= deadline:
                text = "it takes too long to decode; send less of it"
            else:
                text = "it cannot be decoded; check that it opens elsewhere"
            raise SourceRejectedError(text) from None
        finally:
            watchdog.cancel()

    def _replace(self) -> None:
        self._child.end()
        if not self._is_closed:
            self._child = _Child()


class _Child:
    """The decoding process and the connection to it."""

    def __init__(self) -> None:
        package = Path(__file__).resolve().parents[3]
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        environment |= {"PYTHONPATH": str(package), "OPENBLAS_NUM_THREADS": "1"}
        self.connection, far_end = Pipe()
        with far_end:
            self.process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                [sys.executable, "-m", _MODULE, str(far_end.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[far_end.fileno()],
                env=environment,
                start_new_session=True,  # Ctrl-C is for the parent, which then ends the child
            )

    def end(self) -> None:
        """Kill the process and close the connection."""
        self.process.kill()
        self.process.wait()
        self.connection.close()


def receive_pictures(connection: "Connection[bytes, bytes]") -> Iterator[DecodedPicture]:
    """Yield what the child sends for one file, to the end. The child is not trusted.

    Raises:
        SourceRejectedError: The child says what is wrong with the file.
        OSError: It is gone, or sends more than it may.
        EOFError: It is gone, or sends what it never should.
    """
    while True:
        reply = connection.recv_bytes(REPLY.size)
        if len(reply) != REPLY.size:
            raise EOFError
        kind, seconds, decode_ms, width, height = REPLY.unpack(reply)
        if kind == ReplyKind.END:
            return
        if kind in _ERRORS:
            text = connection.recv_bytes(_MAX_TEXT_BYTES).decode(errors="replace")
            raise _ERRORS[kind](text)
        if kind != ReplyKind.PICTURE or not 0 < width <= _MAX_SIDE_PX >= height > 0:
            raise EOFError
        pixels = np.frombuffer(connection.recv_bytes(3 * width * height), np.uint8)
        if pixels.size != 3 * width * height:
            raise EOFError
        yield DecodedPicture(seconds, pixels.reshape(height, width, 3), decode_ms)
