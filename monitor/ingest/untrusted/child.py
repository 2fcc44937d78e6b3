"""The process that decodes what strangers send. It may crash, hang or be killed at any time.

    stdin    TASK, then so many bytes; again and again until end of file
    stdout   for each: HEAD with FRAME and its pixels, any number of times; then HEAD with
             END or one of the failures and its text

Everything that FFmpeg, libjpeg and their kin do with hostile bytes happens here, in a
bounded address space, with no file to write and no protocol but plain bytes. The process
holds no secret: only what one request sent, at one time.
"""

import os
import resource
import struct
import sys
from enum import IntEnum
from typing import BinaryIO, Final

from monitor.errors import SourceError, TooLargeError, WrongMediaError

MEMORY_BYTES: Final = 1536 * 1024 * 1024  # address space, of which libraries take a quarter
TASK: Final = struct.Struct("<BdQ")  # kind, frames per second wanted, length in bytes
HEAD: Final = struct.Struct("<BddII")  # message, seconds, milliseconds of decoding, two numbers
_NICENESS = 5  # the cameras' own decoding goes first
_DESCRIPTORS = 32


class TaskKind(IntEnum):
    """How bytes are read."""

    STILL = 0
    RECORDING = 1


class ReplyKind(IntEnum):
    """What comes back. The two numbers are width and height, or the length of a text, and 0."""

    FRAME = 0
    END = 1
    REJECTED = 2
    TOO_LARGE = 3
    WRONG_MEDIA = 4


def main() -> None:
    """Decode until standard input ends."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not look like an answer
    _confine()
    while len(head := source.read(TASK.size)) == TASK.size:
        kind, fps, length = TASK.unpack(head)
        _answer(sink, TaskKind(kind), fps, source.read(length))


def _confine() -> None:
    """Load the decoders, then give up for good what decoding does not need."""
    from monitor.ingest.untrusted import decode  # noqa: F401, PLC0415  (the parent needs none)

    os.setpriority(os.PRIO_PROCESS, 0, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))


def _answer(sink: BinaryIO, kind: TaskKind, fps: float, encoded: bytes) -> None:
    """Send everything that one request's bytes hold."""
    from monitor.ingest.untrusted.decode import from_recording, from_still  # noqa: PLC0415

    message, text = ReplyKind.END, ""
    try:
        shown = from_still(encoded) if kind is TaskKind.STILL else from_recording(encoded, fps)
        for one in shown:
            height, width = one.pixels.shape[:2]
            _write(sink, HEAD.pack(ReplyKind.FRAME, one.seconds, one.spent_ms, width, height))
            _write(sink, one.pixels.data.cast("B"))
    except MemoryError:
        message, text = ReplyKind.TOO_LARGE, "it takes too much memory to decode; scale it down"
    except TooLargeError as error:
        message, text = ReplyKind.TOO_LARGE, str(error)
    except WrongMediaError as error:
        message, text = ReplyKind.WRONG_MEDIA, str(error)
    except SourceError as error:
        message, text = ReplyKind.REJECTED, str(error)
    said = text.encode()
    _write(sink, HEAD.pack(message, 0.0, 0.0, len(said), 0) + said)


def _write(sink: BinaryIO, content: bytes | memoryview) -> None:
    left = memoryview(content)
    while left:
        left = left[sink.write(left) :]


if __name__ == "__main__":
    main()
