"""Encoded pictures to pixels, strictly: the header is read and judged before anything else."""

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from monitor.domain import Pixels
from monitor.errors import SourceRejectedError, TooLargeError, WrongMediaError

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS: Final = 50_000_000  # of one picture; a 20 MB file can claim a thousand times more
_SIDE_PX = 4096  # pictures are handed on no larger than this; heads in larger ones stay large
_MOST_FRAMES = 8  # of an animation, spread over its length
_GREY = (128, 128, 128)  # behind what is transparent
_SIXTEEN_BIT = frozenset({"I;16", "I;16B", "I;16L", "I", "F"})
_BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, MemoryError, IndexError, KeyError)
_WORDS: Final = "a GIF, JPEG, PNG or WebP file"

Alarm: TypeAlias = Image.DecompressionBombError


@dataclass(frozen=True, slots=True)
class StillImage:
    """One picture of a file."""

    seconds: float  # from the animation's start; 0 for a picture that does not move
    pixels: Pixels


def is_still(encoded: bytes) -> bool:
    """Whether these are the first bytes of a kind of picture that is read here."""
    starts = (
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF87a",
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"MM\0*",
    )
    return encoded.startswith(starts) or (encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP")


def still_images(encoded: bytes) -> Iterator[StillImage]:
    """The pictures in a file, upright as its EXIF data asks: one, or some of an animation.

    Sixteen bits become eight, CMYK becomes colours, and what is transparent grey.

    Raises:
        TooLargeError: It has more pixels than are taken; nothing was decoded.
        WrongMediaError: It is no picture of a kind that is read here.
        SourceRejectedError: It is damaged or cut off.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata; what matters is raised
        try:
            with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
                check_size(*image.size)
                yield from _chosen(image)
        except UnidentifiedImageError:
            raise WrongMediaError(f"not a picture that is known here; give {_WORDS}") from None
        except Alarm:
            raise TooLargeError("the picture has too many pixels; scale it down") from None
        except _BROKEN:
            raise SourceRejectedError(
                f"the picture is damaged or cut off; give {_WORDS} that opens elsewhere"
            ) from None


def check_size(width: int, height: int) -> None:
    """Refuse what would take too much memory.

    Raises:
        TooLargeError: See above.
    """
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise TooLargeError(f"{width} by {height} pixels, more than {limit} million; scale it down")


def _chosen(image: Image.Image) -> Iterator[StillImage]:
    """The first picture, and of an animation some more, in their order."""
    count = int(getattr(image, "n_frames", 1)) if image.format in {"GIF", "WEBP", "PNG"} else 1
    wanted = {round(n * (count - 1) / (_MOST_FRAMES - 1)) for n in range(_MOST_FRAMES)}
    seconds = 0.0
    for number in range(count):
        image.seek(number)  # also over those that are not wanted: they build on each other
        if number in wanted or count <= _MOST_FRAMES:
            image.load()
            yield StillImage(seconds, _pixels(image))
        seconds += float(image.info.get("duration") or 0) / 1000


def _pixels(image: Image.Image) -> Pixels:
    """One picture as (height, width, 3) blue-green-red, at most 4096 pixels long."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _SIXTEEN_BIT:
        upright = _eight_bits(upright)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Image.new("RGB", layer.size, _GREY)
        upright.paste(layer, mask=layer.getchannel("A"))
    colours = np.asarray(upright.convert("RGB"), np.uint8)
    height, width = colours.shape[:2]
    if max(height, width) > _SIDE_PX:
        scale = _SIDE_PX / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        colours = np.asarray(cv2.resize(colours, size, interpolation=cv2.INTER_AREA), np.uint8)
    return cast("Pixels", np.ascontiguousarray(colours[:, :, ::-1]))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey levels of 16 or 32 bits as 8: by 256, or by the brightest where that is more."""
    levels = np.nan_to_num(np.asarray(image, np.float64))
    brightest = max(float(levels.max(initial=0)), 65535.0)
    return Image.fromarray(np.clip(levels * (255 / brightest), 0, 255).astype(np.uint8))
