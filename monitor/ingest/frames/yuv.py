"""From a decoder's planes to blue-green-red: the whole picture scaled, or a part as it is."""

import threading
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import av
import cv2
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from cachetools import LRUCache
from numpy.typing import NDArray

from monitor.domain import Pixels

Edges: TypeAlias = tuple[int, int, int, int]
"""Whole pixels: left, top, right, bottom; right and bottom exclusive."""

Plane: TypeAlias = NDArray[np.uint8]

SMALL_PX = 160  # longer side of the picture that motion and tampering are judged on
MAX_CONVERTERS = 16  # per thread; one for each pair of sizes in use

_CHROMA_STEP = {
    "yuv420p": (2, 2),
    "yuvj420p": (2, 2),
    "nv12": (2, 2),
    "yuv422p": (2, 1),
    "yuvj422p": (2, 1),
    "yuv444p": (1, 1),
    "yuvj444p": (1, 1),
}
"""Luma pixels per chroma pixel, across and down, for the formats that can be cut."""

_LUMA_WEIGHTS: dict[int, tuple[float, float]] = {
    Colorspace.ITU709: (0.2126, 0.0722),
    Colorspace.FCC: (0.30, 0.11),
    Colorspace.SMPTE240M: (0.212, 0.087),
    Colorspace.BT2020: (0.2627, 0.0593),
}
"""What red and blue add to luma. Everything else is BT.601, as in FFmpeg's swscale."""

_BT601 = (0.299, 0.114)


@dataclass  # no slots: what is in them would be all threads'
class Converters(threading.local):
    """This thread's converters; setting one up costs more than using it."""

    cached: LRUCache[tuple[object, ...], VideoReformatter] = field(
        default_factory=lambda: LRUCache(MAX_CONVERTERS)
    )

    def get(self, key: tuple[object, ...]) -> VideoReformatter:
        """The converter last used for this key, or a new one."""
        return self.cached.setdefault(key, VideoReformatter())


_converters = Converters()


def scaled_bgr(frame: av.VideoFrame, width: int, height: int) -> Pixels:
    """All of a frame in one step from YUV to (height, width, 3) blue-green-red."""
    shrinks = width <= frame.width and height <= frame.height
    key = (frame.format.name, frame.width, frame.height, width, height)
    converted = _converters.get(key).reformat(
        frame,
        width=width,
        height=height,
        format="bgr24",
        interpolation=Interpolation.AREA if shrinks else Interpolation.BILINEAR,
        threads=1,
    )
    pixels = cast("Pixels", converted.to_ndarray())
    return pixels.copy() if converted is frame else np.ascontiguousarray(pixels)


def small_luma(frame: av.VideoFrame, longer_px: int = SMALL_PX) -> Plane:
    """How bright the picture is, (height, width), its longer side ``longer_px`` or less.

    From the decoder's own plane where that is in bytes; rows that add little are left out.
    """
    scale = min(1.0, longer_px / max(frame.width, frame.height))
    width, height = (max(round(side * scale), 1) for side in (frame.width, frame.height))
    if frame.format.name not in _CHROMA_STEP:
        key = (frame.format.name, frame.width, frame.height, width, height, "gray")
        grey = _converters.get(key).reformat(frame, width, height, "gray", threads=1)
        return _rows(grey.planes[0])[:, :width].copy()
    luma = _rows(frame.planes[0])[:: max(frame.height // (2 * height), 1), : frame.width]
    return cast("Plane", cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA))


def raw_luma(frame: av.VideoFrame, across: int = SMALL_PX) -> Plane:
    """Single pixels of brightness as they were decoded, from all over the picture.

    Args:
        frame: The picture.
        across: About how many are taken from each row; formats not in bytes give averages.
    """
    if frame.format.name not in _CHROMA_STEP:
        return small_luma(frame, across)
    step = max(frame.width // across, 1)
    rows = _rows(frame.planes[0])
    return np.ascontiguousarray(rows[step // 2 :: step, step // 2 : frame.width : step])


def can_cut(frame: av.VideoFrame) -> bool:
    """Whether ``cut_bgr`` knows how this frame lies in memory."""
    return frame.format.name in _CHROMA_STEP


def cut_bgr(frame: av.VideoFrame, edges: Edges) -> Pixels:
    """The part of a frame inside the edges, and only that, as blue-green-red.

    Chroma is repeated, not interpolated, as swscale does by default.

    Raises:
        KeyError: The frame's format is not one that ``can_cut`` accepts.
    """
    left, top, right, bottom = edges
    across, down = _CHROMA_STEP[frame.format.name]
    luma = _rows(frame.planes[0])[top:bottom, left:right]
    blue, red = _chroma(frame)
    columns = np.arange(left, right) // across
    rows = np.arange(top, bottom) // down
    first_row, first_column = rows[0], columns[0]
    near = np.s_[first_row : rows[-1] + 1, first_column : columns[-1] + 1]
    wide = [
        np.take(np.take(plane[near], rows - first_row, 0), columns - first_column, 1)
        for plane in (blue, red)
    ]
    return cast("Pixels", cv2.transform(cv2.merge([luma, *wide]), _to_bgr(frame)))


def _chroma(frame: av.VideoFrame) -> tuple[Plane, Plane]:
    """The blue-difference and red-difference planes, of the chroma's own size."""
    if frame.format.name == "nv12":
        rows = _rows(frame.planes[1])
        return rows[:, 0::2], rows[:, 1::2]
    return _rows(frame.planes[1]), _rows(frame.planes[2])


def _rows(plane: VideoPlane) -> Plane:
    """A plane as (rows, bytes per row), padding included. Shares the decoder's memory."""
    rows = np.frombuffer(cast("bytes", plane), np.uint8)
    rows = rows.reshape(plane.height, abs(plane.line_size))
    return rows if plane.line_size > 0 else rows[::-1]


def _to_bgr(frame: av.VideoFrame) -> NDArray[np.float64]:
    """(3, 4): from (luma, blue-difference, red-difference, 1) to blue, green, red.

    Source:
        ITU-R BT.601-7, section 2.5, and BT.709-6, section 3, which share one form.
    """
    red, blue = _LUMA_WEIGHTS.get(frame.colorspace, _BT601)
    green = 1 - red - blue
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    black, luma_scale, chroma_scale = (0, 1.0, 1.0) if full else (16, 255 / 219, 255 / 224)
    to_blue, to_red = 2 * (1 - blue) * chroma_scale, 2 * (1 - red) * chroma_scale
    mix = np.array(
        [
            [luma_scale, to_blue, 0.0],
            [luma_scale, -to_blue * blue / green, -to_red * red / green],
            [luma_scale, 0.0, to_red],
        ]
    )
    return np.hstack([mix, mix @ np.array([[-black], [-128.0], [-128.0]])])
