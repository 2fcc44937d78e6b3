"""Pictures that are converted to BGR only when needed, and only in part."""

import math
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np

from monitor.domain import Pixels
from monitor.errors import SourceRejectedError
from monitor.geometry import Box
from monitor.ingest.frames.yuv import Edges, can_cut, convert_cut, convert_scaled

QUARTER_TURN = 90  # degrees


class ArrayPicture:
    """A picture held as a BGR array. Never changed, so thread-safe."""

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels

    @property
    def width(self) -> int:
        """See Picture."""
        return int(self._pixels.shape[1])

    @property
    def height(self) -> int:
        """See Picture."""
        return int(self._pixels.shape[0])

    def resize(self, width: int, height: int) -> Pixels:
        """See Picture."""
        if (width, height) == (self.width, self.height):
            return self._pixels.copy()
        shrinks = width <= self.width and height <= self.height
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cast("Pixels", cv2.resize(self._pixels, (width, height), interpolation=method))

    def cut(self, box: Box) -> Pixels:
        """See Picture."""
        left, top, right, bottom = cover_pixels(box, self.width, self.height)
        return self._pixels[top:bottom, left:right].copy()


class VideoPicture:
    """A decoded frame, kept as YUV; conversion turns it upright.

    FFmpeg does not apply the rotation that phones write into their videos.
    Thread-safe: the frame is only read, and each thread has its own converters.
    """

    def __init__(self, frame: av.VideoFrame) -> None:
        self._frame = frame
        self._turns = round(frame.rotation / QUARTER_TURN) % 4  # anticlockwise
        self._conversions = 0
        self._whole: Pixels | None = None

    @property
    def width(self) -> int:
        """See Picture."""
        return self._frame.height if self._turns % 2 else self._frame.width

    @property
    def height(self) -> int:
        """See Picture."""
        return self._frame.width if self._turns % 2 else self._frame.height

    @property
    def conversions(self) -> int:
        """How often pixels of this picture have been converted."""
        return self._conversions

    def resize(self, width: int, height: int) -> Pixels:
        """See Picture."""
        size = (height, width) if self._turns % 2 else (width, height)
        self._conversions += 1
        return self._turn_upright(convert_scaled(self._frame, *size))

    def cut(self, box: Box) -> Pixels:
        """See Picture."""
        left, top, right, bottom = self._to_stored_edges(cover_pixels(box, self.width, self.height))
        if can_cut(self._frame):
            self._conversions += 1
            return self._turn_upright(convert_cut(self._frame, (left, top, right, bottom)))
        return self._turn_upright(self._convert_whole()[top:bottom, left:right]).copy()

    def _convert_whole(self) -> Pixels:
        """Convert all of it once, not turned: for formats that cannot be cut."""
        if self._whole is None:
            self._conversions += 1
            self._whole = convert_scaled(self._frame, self._frame.width, self._frame.height)
        return self._whole

    def _turn_upright(self, pixels: Pixels) -> Pixels:
        return np.ascontiguousarray(np.rot90(pixels, self._turns)) if self._turns else pixels

    def _to_stored_edges(self, upright: Edges) -> Edges:
        """Map edges in the upright picture to the picture as it is stored."""
        left, top, right, bottom = upright
        width, height = self._frame.width, self._frame.height
        by_turns = (
            upright,
            (width - bottom, left, width - top, right),
            (width - right, height - bottom, width - left, height - top),
            (top, height - right, bottom, height - left),
        )
        return by_turns[self._turns]


def cover_pixels(box: Box, width: int, height: int) -> Edges:
    """Return the pixels that a box touches in a picture of this size: at least one."""
    inside = box.clip(width, height)
    left = min(math.floor(inside.left), width - 1)
    top = min(math.floor(inside.top), height - 1)
    right = max(math.ceil(inside.right), left + 1)
    bottom = max(math.ceil(inside.bottom), top + 1)
    return left, top, right, bottom


def read_picture(source: Path | bytes) -> ArrayPicture:
    """Decode a picture file and turn it upright as its EXIF data asks.

    Args:
        source: A file, or the bytes of one: JPEG, PNG, WebP, GIF (its first picture), BMP, TIFF.

    Raises:
        SourceRejectedError: The file cannot be read, or is not a picture.
    """
    name = "the picture" if isinstance(source, bytes) else str(source)
    try:
        encoded = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise SourceRejectedError(
            f"{name}: cannot be read ({error.strerror}); check the path and its permissions"
        ) from None
    try:
        pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # empty, or larger than OpenCV accepts
        pixels = None
    if pixels is None:
        raise SourceRejectedError(
            f"{name}: not a picture that can be decoded; give a JPEG, PNG or WebP file"
        )
    return ArrayPicture(cast("Pixels", pixels))
