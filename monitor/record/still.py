"""Stills for alerts: they show one subject, and pixelate all other heads."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from monitor.domain import Alert, Evidence, Frame, Pixels, Subject, SubjectId
from monitor.errors import EvidenceError
from monitor.geometry import Box, square_around

_LONGEST_PX = 1280  # stills are scaled down to this
_BLOCKS = 6  # a pixelated head is this many blocks across
_HEAD_MARGIN = 1.1  # pixelated area, in heads
_CROP_MARGIN = 1.3  # of the kept picture of a head, in heads
_SAME = 0.5  # IoU above which two boxes show one head
_JPEG_QUALITY = 88
_RED = (40, 40, 230)  # blue, green, red


@dataclass(frozen=True, slots=True)
class AlertPictures:
    """The pictures of one alert, as JPEG files."""

    snapshot: bytes  # the whole frame, bystanders pixelated
    crop: bytes  # the head


def render_still(
    frame: Frame, subjects: Sequence[Subject], shown: SubjectId, private: Sequence[Box] = ()
) -> AlertPictures:
    """The pictures of an alert about one of the subjects in a frame.

    Args:
        frame: Where they were seen.
        subjects: Everybody who is followed.
        shown: Whom the alert is about.
        private: Where heads are or may be, of people who are followed or not; all of it is
            hidden but for the head of the subject that is shown.
    """
    about = next((subject.head for subject in subjects if subject.id == shown), None)
    others = [s.head for s in subjects if s.id != shown and s.head is not None]
    others += [head for head in private if about is None or not _is_same_head(head, about)]
    scale = min(1.0, _LONGEST_PX / max(frame.width, frame.height))
    picture = frame.resize(round(frame.width * scale), round(frame.height * scale))
    picture = picture.copy() if not picture.flags.writeable else picture
    _hide_heads(picture, [head.scale(scale) for head in others], about and about.scale(scale))
    if about is None:
        return AlertPictures(_encode_jpeg(picture), _encode_jpeg(picture))
    _draw_outline(picture, about.scale(scale))
    return AlertPictures(_encode_jpeg(picture), _encode_jpeg(_cut_head(frame, about, others)))


class EvidenceFolder:
    """Keeps the stills of alerts, one folder per alert id. Owned by one thread.

    Raises:
        EvidenceError: The folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, alert: Alert, pictures: AlertPictures) -> Evidence:
        """Write the pictures; the names in the result are relative to the folder."""
        # The pictures that earlier messages of the same alert named must stay.
        number = f"-{alert.seq}" if alert.seq else ""
        name = f"{alert.id}/snapshot{number}.jpg"
        try:
            (self._folder / str(alert.id)).mkdir(parents=True, exist_ok=True)
            (self._folder / name).write_bytes(pictures.snapshot)
            (self._folder / str(alert.id) / f"crop{number}.jpg").write_bytes(pictures.crop)
        except OSError as error:
            raise EvidenceError(
                f"{self._folder}: {error.strerror}; make room or set evidence elsewhere"
            ) from error
        return Evidence(name, None, hashlib.sha256(pictures.snapshot).hexdigest())


def _cut_head(frame: Frame, about: Box, others: Sequence[Box]) -> Pixels:
    """The head with a margin; other heads in it are hidden."""
    size = max(about.longer_side, 1.0)
    window = square_around(about, _CROP_MARGIN * size).clip(frame.width, frame.height)
    left, top = round(window.left), round(window.top)
    pixels = frame.cut(window)
    pixels = pixels.copy() if not pixels.flags.writeable else pixels
    _hide_heads(pixels, [head.move(-left, -top) for head in others], about.move(-left, -top))
    return pixels


def _hide_heads(picture: Pixels, heads: Sequence[Box], kept: Box | None) -> None:
    """Pixelate heads in place, except the one that is shown."""
    left, top, right, bottom = _clip_edges(picture, kept) if kept else (0, 0, 0, 0)
    own = picture[top:bottom, left:right].copy()
    for head in heads:
        _pixelate(picture, _enlarge(head))
    picture[top:bottom, left:right] = own


def _is_same_head(head: Box, about: Box) -> bool:
    """Whether a detected head is the one that the alert is about."""
    return about.iou(head) > _SAME


def _pixelate(picture: Pixels, box: Box) -> None:
    """Replace an area by a few blocks of its mean colours, in place."""
    left, top, right, bottom = _clip_edges(picture, box)
    if right <= left or bottom <= top:
        return
    area = picture[top:bottom, left:right]
    down = max(1, round(_BLOCKS * (bottom - top) / (right - left)))
    blocks = cv2.resize(area, (_BLOCKS, down), interpolation=cv2.INTER_AREA)
    picture[top:bottom, left:right] = cv2.resize(
        blocks, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST
    )


def _draw_outline(picture: Pixels, box: Box) -> None:
    left, top, right, bottom = _clip_edges(picture, box)
    cv2.rectangle(picture, (left, top), (right, bottom), _RED, 2)


def _clip_edges(picture: Pixels, box: Box) -> tuple[int, int, int, int]:
    inside = box.clip(picture.shape[1], picture.shape[0])
    return round(inside.left), round(inside.top), round(inside.right), round(inside.bottom)


def _enlarge(head: Box) -> Box:
    return square_around(head, _HEAD_MARGIN * head.longer_side)


def _encode_jpeg(pixels: Pixels) -> bytes:
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise EvidenceError(f"a picture of shape {pixels.shape} cannot be written as JPEG")
    return data.tobytes()
