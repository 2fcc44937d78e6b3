"""Very many RTSP cameras at little cost, in a process of their own, for measuring readers.

    python -m tests.stress.many_cameras CLIP.mp4

Every connection is a camera that plays the clip (H.264 without B-frames) over and over, over
TCP, each at a moment of its own so that neither pictures nor key frames of all come at once,
however quickly they are connected to. GStreamer's server takes more than twice as much of the
processor. Writes its port when it listens.
"""

import asyncio
import base64
import re
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import av

RTP_HZ = 90_000
MOST_BYTES = 1400  # of one RTP packet's payload
PHASES = 97  # different moments between two key frames at which cameras begin
SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets={}\r\n"
    "a=control:track0\r\n"
)


def units(data: bytes) -> Iterator[bytes]:
    """The NAL units of a picture as MP4 keeps it: each behind its length in four bytes."""
    start = 0
    while start < len(data):
        (length,) = struct.unpack_from(">I", data, start)
        yield data[start + 4 : start + 4 + length]
        start += 4 + length


def parameter_sets(extradata: bytes) -> list[bytes]:
    """The SPS and PPS in an MP4's avcC box."""
    found, at = [], 5
    for mask in (0x1F, 0xFF):
        count = extradata[at] & mask
        at += 1
        for _ in range(count):
            (length,) = struct.unpack_from(">H", extradata, at)
            found.append(extradata[at + 2 : at + 2 + length])
            at += 2 + length
    return found


def payloads(picture: Sequence[bytes]) -> list[bytes]:
    """NAL units as RTP payloads: as they are, or in pieces (FU-A).

    Source:
        RFC 6184, sections 5.6 and 5.8.
    """
    made: list[bytes] = []
    for unit in picture:
        if len(unit) <= MOST_BYTES:
            made.append(unit)
            continue
        indicator, kind = (unit[0] & 0xE0) | 28, unit[0] & 0x1F
        pieces = [unit[at : at + MOST_BYTES] for at in range(1, len(unit), MOST_BYTES)]
        for n, piece in enumerate(pieces):
            edges = (0x80 if n == 0 else 0) | (0x40 if n == len(pieces) - 1 else 0)
            made.append(bytes([indicator, edges | kind]) + piece)
    return made


class Film:
    """A clip, cut into packets."""

    def __init__(self, path: Path) -> None:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            sets = parameter_sets(bytes(stream.codec_context.extradata or b""))
            self.fps = float(stream.average_rate or 15)
            packets = [packet for packet in container.demux(stream) if packet.size]
            self.pictures = [
                payloads([*(sets if packet.is_keyframe else []), *units(bytes(packet))])
                for packet in packets
            ]
            self.key_s = len(packets) / sum(packet.is_keyframe for packet in packets) / self.fps
        self.sdp = SDP.format(",".join(base64.b64encode(one).decode() for one in sets))

    async def play(self, writer: asyncio.StreamWriter, late_s: float) -> None:
        """Send it over and over, until the connection ends."""
        loop = asyncio.get_running_loop()
        began, sent, sequence = loop.time() + late_s, 0, 0
        while not writer.is_closing():
            await asyncio.sleep(began + sent / self.fps - loop.time())
            stamp = int(sent * RTP_HZ / self.fps) & 0xFFFFFFFF
            picture = self.pictures[sent % len(self.pictures)]
            chunk = bytearray()
            for n, payload in enumerate(picture):
                marker = 0x80 if n == len(picture) - 1 else 0
                chunk += struct.pack(
                    ">BBHBBHII", 0x24, 0, len(payload) + 12, 0x80, marker | 96, sequence, stamp, 1
                )
                chunk += payload
                sequence = (sequence + 1) & 0xFFFF
            writer.write(chunk)
            sent += 1


class Server:
    """Answers RTSP just well enough."""

    def __init__(self, film: Film) -> None:
        self._film = film
        self._clients = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        self._clients += 1
        late_s = (self._clients * 37 % PHASES) / PHASES * self._film.key_s
        playing: asyncio.Task[None] | None = None
        try:
            while first := await reader.readexactly(1):
                if first == b"$":  # what the receiver reports
                    _, length = struct.unpack(">BH", await reader.readexactly(3))
                    await reader.readexactly(length)
                    continue
                request = (first + await reader.readuntil(b"\r\n\r\n")).decode()
                writer.write(self._answer(request).encode())
                if request.startswith("PLAY"):
                    playing = asyncio.create_task(self._film.play(writer, late_s))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            if playing is not None:
                playing.cancel()
            writer.close()

    def _answer(self, request: str) -> str:
        number = re.search(r"CSeq: *(\d+)", request)
        head = f"RTSP/1.0 200 OK\r\nCSeq: {number[1] if number else 0}\r\nSession: 1\r\n"
        match request.split(" ", 1)[0]:
            case "OPTIONS":
                return head + "Public: DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n\r\n"
            case "DESCRIBE":
                length = len(self._film.sdp)
                kind = f"Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n"
                return head + kind + self._film.sdp
            case "SETUP":
                return head + "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
        return head + "\r\n"


class ManyCameras:
    """The process, from the block's start to its end; every connection to ``url`` is a camera."""

    def __init__(self, clip: Path) -> None:
        self.url = ""
        self._clip = clip
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603  (our own arguments)
            [sys.executable, "-m", "tests.stress.many_cameras", str(self._clip)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert self._process.stdout is not None
        self.url = f"rtsp://127.0.0.1:{int(self._process.stdout.readline())}/cam"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid


async def serve(clip: Path) -> None:
    """Serve until killed."""
    server = await asyncio.start_server(Server(Film(clip)).talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  (what our starter waits for)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
