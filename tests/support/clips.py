"""Small videos that tests encode themselves, from the two pictures that ultralytics ships."""

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import cast

import av
import cv2
import numpy as np
from av.stream import Disposition

from monitor.domain import Pixels

FASTSTART = MappingProxyType({"movflags": "+faststart"})
SOUND_HZ = 8000
SOUND_SAMPLES = 1024  # per frame of AAC


def photo(name: str = "zidane") -> Pixels:
    """One of ultralytics' two photos of people ("zidane" or "bus"), without importing it."""
    spec = importlib.util.find_spec("ultralytics")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "assets" / f"{name}.jpg"
    picture = cv2.imread(str(path))
    assert picture is not None
    return cast("Pixels", picture)


def panning(count: int, *, width: int = 320, height: int = 240) -> Iterator[Pixels]:
    """A camera that pans over a photo: ``count`` pictures of (height, width, 3)."""
    scene = photo()
    rows, columns = scene.shape[:2]
    tall = round(columns * height / rows)
    scene = cast("Pixels", cv2.resize(scene, (max(tall, 2 * width), height)))
    reach = scene.shape[1] - width
    for n in range(count):
        left = reach * n // max(1, count - 1)
        yield np.ascontiguousarray(scene[:, left : left + width])


def numbered(count: int, *, width: int = 320, height: int = 240) -> Iterator[Pixels]:
    """Pictures whose grey level is 20 times their number, for up to 12 of them."""
    for n in range(count):
        yield np.full((height, width, 3), 20 * n, dtype=np.uint8)


def write_clip(
    path: Path,
    pictures: Iterable[Pixels],
    fps: int = 10,
    *,
    turned: int = 0,
    options: Mapping[str, str] = FASTSTART,
    gap_s: int = 0,
) -> Path:
    """Encode pictures of one size as H.264, in the container that the file's name asks for.

    Args:
        path: The file to write.
        pictures: (height, width, 3) each.
        fps: Pictures per second.
        turned: Degrees anticlockwise that a player must turn it by, as phones write it.
        options: Of the container; an MP4's index goes first unless told otherwise.
        gap_s: Seconds that are missing between the first picture and the second.

    Returns:
        The path.
    """
    with av.open(str(path), "w", options=dict(options)) as container:
        codec_options = {"preset": "ultrafast", "crf": "18", "bf": "0", "g": "10"}
        stream = container.add_stream("libx264", rate=fps, options=codec_options)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        if turned:
            stream.set_display_rotation(turned)
        for n, picture in enumerate(pictures):
            if n == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts = n + (gap_s * fps if n else 0)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_sound_after_picture(path: Path, pictures: Iterable[Pixels], sound_s: int) -> Path:
    """A transport stream whose pictures, 10 a second, end long before its silent sound does."""
    with av.open(str(path), "w", format="mpegts") as container:
        video = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "bf": "0"})
        sound = container.add_stream("aac", rate=SOUND_HZ)
        for n, picture in enumerate(pictures):
            if n == 0:
                video.height, video.width = picture.shape[:2]
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(video.encode(None))
        for start in range(0, sound_s * SOUND_HZ, SOUND_SAMPLES):
            frame = av.AudioFrame(format="fltp", layout="mono", samples=SOUND_SAMPLES)
            frame.sample_rate, frame.pts = SOUND_HZ, start
            frame.planes[0].update(bytes(frame.planes[0].buffer_size))
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def with_cover(path: Path, clip: Path) -> Path:
    """A copy of a clip with a cover picture as its first stream, as music shops make them."""
    cover = cv2.imencode(".jpg", photo())[1].tobytes()
    with av.open(str(clip)) as source, av.open(str(path), "w") as container:
        picture = container.add_stream("mjpeg", rate=1)
        picture.height, picture.width = photo().shape[:2]
        picture.pix_fmt = "yuvj420p"
        picture.disposition = Disposition.attached_pic
        video = container.add_stream_from_template(source.streams.video[0])
        shown = av.Packet(cover)
        shown.stream, shown.pts, shown.dts = picture, 0, 0
        container.mux(shown)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                container.mux(packet)
    return path
