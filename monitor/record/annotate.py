"""Draws boxes and labels into pictures and videos."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from monitor.domain import Pixels, Subject, SubjectId
from monitor.geometry import Box

RATE_LIMIT = 60_000  # the largest denominator of a frame rate that players are used to
QUALITY = "23"  # x264's constant rate factor: good, and small

_CALM = (80, 200, 80)  # blue-green-red
_ALARM = (40, 40, 230)
_DARK = (20, 20, 20)
_WHITE = (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


class AnnotatedVideo:
    """An H.264 MP4 that browsers play. Nothing is created before the first picture.

    Args:
        path: The file to write; its folder is made if it is missing.
        width: Pixels across. An odd last column is left out, as H.264 in browsers needs.
        height: Pixels down; the same for an odd last row.
        fps: Pictures per second.
    """

    def __init__(self, path: Path, width: int, height: int, fps: float) -> None:
        self._path = path
        self._size = (width, height)
        self._fps = Fraction(fps).limit_denominator(RATE_LIMIT)
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._container is None or self._stream is None:
            return
        with self._container:
            self._container.mux(self._stream.encode(None))

    def write(self, pixels: Pixels) -> None:
        """Append one picture of (height, width, 3).

        Raises:
            ValueError: The picture has another size.
            OSError: The file cannot be written.
        """
        width, height = self._size
        if pixels.shape != (height, width, 3):
            raise ValueError(f"expected a picture of {(height, width, 3)}, got {pixels.shape}")
        if self._container is None or self._stream is None:
            self._container, self._stream = self._open_file()
        even = np.ascontiguousarray(pixels[: height - height % 2, : width - width % 2])
        frame = av.VideoFrame.from_ndarray(even, format="bgr24").reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        self._container.mux(self._stream.encode(frame))

    def _open_file(self) -> tuple[OutputContainer, VideoStream]:
        """Create the file. Its index goes to the front, so that it plays while it loads."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        container = av.open(
            f"file:{self._path}", "w", format="mp4", options={"movflags": "+faststart"}
        )
        stream = container.add_stream(
            "libx264", rate=self._fps, options={"crf": QUALITY, "preset": "veryfast"}
        )
        width, height = self._size
        stream.width, stream.height = width - width % 2, height - height % 2
        stream.pix_fmt = "yuv420p"
        stream.colorspace, stream.color_range = 1, ColorRange.MPEG  # 1 is BT.709
        try:
            container.start_encoding()
        except av.FFmpegError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from None
        return container, stream


def draw_subjects(
    pixels: Pixels,
    subjects: Sequence[Subject],
    labels: Mapping[SubjectId, str],
    alarmed: AbstractSet[SubjectId],
) -> None:
    """Draw each subject's boxes and label into a picture, in place.

    Args:
        pixels: (height, width, 3); the subjects' boxes are in its pixels.
        subjects: The people in it.
        labels: A few words per subject; those without any get only boxes.
        alarmed: The subjects with red boxes.
    """
    thickness = max(1, round(pixels.shape[0] / 360))
    for subject in subjects:
        colour = _ALARM if subject.id in alarmed else _CALM
        if subject.person is not None:
            _draw_box(pixels, subject.person, colour, thickness)
        if subject.head is not None:
            _draw_box(pixels, subject.head, colour, 2 * thickness)
        place = subject.head or subject.person
        if place is not None and (label := labels.get(subject.id)):
            _draw_label(pixels, label, place, colour)


def _draw_box(pixels: Pixels, box: Box, colour: tuple[int, int, int], thickness: int) -> None:
    corners = (round(box.left), round(box.top)), (round(box.right), round(box.bottom))
    cv2.rectangle(pixels, *corners, colour, thickness)


def _draw_label(pixels: Pixels, text: str, place: Box, colour: tuple[int, int, int]) -> None:
    """White text on the box's colour, above the place, moved so that it lies in the picture."""
    rows, columns = pixels.shape[:2]
    scale = max(0.4, rows / 1000)
    thickness = max(1, round(1.5 * scale))
    (width, height), below = cv2.getTextSize(text, _FONT, scale, thickness)
    pad = max(2, round(4 * scale))
    left = min(max(0, round(place.left)), max(0, columns - width - 2 * pad))
    bottom = min(max(round(place.top), height + below + 2 * pad), rows)
    top = bottom - height - below - 2 * pad
    cv2.rectangle(pixels, (left, top), (left + width + 2 * pad, bottom), colour, cv2.FILLED)
    start = (left + pad, bottom - pad - below)
    cv2.putText(pixels, text, start, _FONT, scale, _DARK, thickness + 2, cv2.LINE_AA)
    cv2.putText(pixels, text, start, _FONT, scale, _WHITE, thickness, cv2.LINE_AA)
