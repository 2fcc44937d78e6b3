"""Draws boxes and labels into pictures and videos."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
import supervision
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from monitor.domain import Pixels, Subject, SubjectId
from monitor.geometry import Box

RATE_LIMIT = 60_000  # the largest denominator of a frame rate that players are used to
QUALITY = "23"  # x264's constant rate factor: good, and small

_COLOURS = supervision.ColorPalette.from_hex(["#32a050", "#e62828"])  # calm, alarmed


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
    people = [(s.person, s.id in alarmed) for s in subjects if s.person is not None]
    heads = [(s.head, s.id in alarmed) for s in subjects if s.head is not None]
    for boxes, width in ((people, thickness), (heads, 2 * thickness)):
        supervision.BoxAnnotator(_COLOURS, width).annotate(pixels, _to_detections(boxes))
    places = {s.id: s.head or s.person for s in subjects if labels.get(s.id)}
    labelled = {subject: place for subject, place in places.items() if place is not None}
    scale = max(0.4, pixels.shape[0] / 1000)
    supervision.LabelAnnotator(
        _COLOURS,
        text_scale=scale,
        text_thickness=max(1, round(1.5 * scale)),
        text_padding=max(2, round(4 * scale)),
        smart_position=True,  # inside the picture, and apart from each other
    ).annotate(
        pixels,
        _to_detections([(place, subject in alarmed) for subject, place in labelled.items()]),
        [labels[subject] for subject in labelled],
    )


def _to_detections(boxes: Sequence[tuple[Box, bool]]) -> supervision.Detections:
    """Boxes, and whether each is red, as supervision draws them."""
    return supervision.Detections(
        xyxy=np.array([box.edges for box, _ in boxes], np.float32).reshape(-1, 4),  # (N, 4)
        class_id=np.array([alarmed for _, alarmed in boxes], int),  # (N,) index of the colour
    )
