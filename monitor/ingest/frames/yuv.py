"""Converting a decoder's planes to BGR: the whole picture scaled, or a part unscaled."""

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

SMALL_PX = 160  # longer side of the picture on which motion and tampering are detected
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
"""Weights of red and blue in luma. All others use BT.601, as in FFmpeg's swscale."""

_BT601 = (0.299, 0.114)


@dataclass  # no slots: all threads would share them
class Converters(threading.local):
    """The current thread's converters; creating one costs more than using it."""

    cached: LRUCache[tuple[object, ...], VideoReformatter] = field(
        default_factory=lambda: LRUCache(MAX_CONVERTERS)
    )

    def get(self, key: tuple[object, ...]) -> VideoReformatter:
        """Return the converter last used for this key, or a new one."""
        return self.cached.setdefault(key, VideoReformatter())


_converters = Converters()


def convert_scaled(frame: av.VideoFrame, width: int, height: int) -> Pixels:
    """Convert and scale a whole frame to (height, width, 3) BGR in one step."""
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


def shrink_luma(frame: av.VideoFrame, longer_px: int = SMALL_PX) -> Plane:
    """Return a small picture of brightness: (height, width), longer side up to ``longer_px``.

    Taken from the decoder's own plane where that is in bytes; rows are skipped to save time.
    """
    scale = min(1.0, longer_px / max(frame.width, frame.height))
    width, height = (max(round(side * scale), 1) for side in (frame.width, frame.height))
    if frame.format.name not in _CHROMA_STEP:
        key = (frame.format.name, frame.width, frame.height, width, height, "gray")
        grey = _converters.get(key).reformat(frame, width, height, "gray", threads=1)
        return _view_rows(grey.planes[0])[:, :width].copy()
    luma = _view_rows(frame.planes[0])[:: max(frame.height // (2 * height), 1), : frame.width]
    return cast("Plane", cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA))


def sample_luma(frame: av.VideoFrame, across: int = SMALL_PX) -> Plane:
    """Return single pixels of brightness as they were decoded, spread over the picture.

    Args:
        frame: The picture.
        across: About how many pixels of a row; formats not in bytes give averages.
    """
    if frame.format.name not in _CHROMA_STEP:
        return shrink_luma(frame, across)
    step = max(frame.width // across, 1)
    rows = _view_rows(frame.planes[0])
    return np.ascontiguousarray(rows[step // 2 :: step, step // 2 : frame.width : step])


def can_cut(frame: av.VideoFrame) -> bool:
    """Whether ``convert_cut`` supports the frame's format."""
    return frame.format.name in _CHROMA_STEP


def convert_cut(frame: av.VideoFrame, edges: Edges) -> Pixels:
    """Convert only the part of a frame inside the edges to (height, width, 3) BGR.

    Chroma is repeated, not interpolated, as swscale does by default.

    Raises:
        KeyError: The frame's format is not one that ``can_cut`` accepts.
    """
    left, top, right, bottom = edges
    across, down = _CHROMA_STEP[frame.format.name]
    luma = _view_rows(frame.planes[0])[top:bottom, left:right]
    blue, red = _view_chroma(frame)
    columns = np.arange(left, right) // across
    rows = np.arange(top, bottom) // down
    first_row, first_column = rows[0], columns[0]
    near = np.s_[first_row : rows[-1] + 1, first_column : columns[-1] + 1]
    wide = [
        np.take(np.take(plane[near], rows - first_row, 0), columns - first_column, 1)
        for plane in (blue, red)
    ]
    return cast("Pixels", cv2.transform(cv2.merge([luma, *wide]), _bgr_matrix(frame)))


def _view_chroma(frame: av.VideoFrame) -> tuple[Plane, Plane]:
    """Return the blue-difference and red-difference planes, at the size of the chroma."""
    if frame.format.name == "nv12":
        rows = _view_rows(frame.planes[1])
        return rows[:, 0::2], rows[:, 1::2]
    return _view_rows(frame.planes[1]), _view_rows(frame.planes[2])


def _view_rows(plane: VideoPlane) -> Plane:
    """View a plane as (rows, bytes per row), padding included. Shares the decoder's memory."""
    rows = np.frombuffer(cast("bytes", plane), np.uint8)
    rows = rows.reshape(plane.height, abs(plane.line_size))
    return rows if plane.line_size > 0 else rows[::-1]


def _bgr_matrix(frame: av.VideoFrame) -> NDArray[np.float64]:
    """Build the (3, 4) matrix from (luma, blue-difference, red-difference, 1) to BGR.

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
