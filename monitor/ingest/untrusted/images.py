"""Decoding picture files strictly: the header is read and checked before anything else."""

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from monitor.domain import Pixels
from monitor.errors import SourceRejectedError, TooLargeError, WrongMediaError

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS: Final = 50_000_000  # of one picture; a 20 MB file can claim a thousand times more
_MAX_SIDE_PX = 4096  # larger pictures are scaled down; heads in them stay large enough
_MAX_FRAMES = 8  # of an animation, spread over its length
_GREY = (128, 128, 128)  # behind transparent pixels
_SIXTEEN_BIT = frozenset({"I;16", "I;16B", "I;16L", "I", "F"})
_BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, MemoryError, IndexError, KeyError)
_SUPPORTED: Final = "a GIF, JPEG, PNG or WebP file"

Alarm: TypeAlias = Image.DecompressionBombError


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPicture:
    """One decoded picture of an image, an animation or a video."""

    seconds: float  # from the start; 0 for an image that does not move
    pixels: Pixels = field(repr=False)
    decode_ms: float = 0.0  # 0 where it is not known


def is_image(encoded: bytes) -> bool:
    """Whether these are the first bytes of an image format that is decoded here."""
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


def decode_images(encoded: bytes) -> Iterator[DecodedPicture]:
    """Yield the picture in a file, or up to 8 of an animation, upright as its EXIF data asks.

    Sixteen bits become eight, CMYK becomes BGR, and transparent pixels become grey.

    Raises:
        TooLargeError: It has more than ``MAX_PIXELS``; nothing was decoded.
        WrongMediaError: The format is not supported.
        SourceRejectedError: It is damaged or cut off.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd metadata; real trouble is raised
        try:
            with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
                check_size(*image.size)
                yield from _decode_frames(image)
        except UnidentifiedImageError:
            raise WrongMediaError(f"not a picture in a known format; give {_SUPPORTED}") from None
        except Alarm:
            raise TooLargeError("the picture has too many pixels; scale it down") from None
        except _BROKEN:
            raise SourceRejectedError(
                f"the picture is damaged or cut off; give {_SUPPORTED} that opens elsewhere"
            ) from None


def check_size(width: int, height: int) -> None:
    """Refuse a picture that would take too much memory.

    Raises:
        TooLargeError: It has more than ``MAX_PIXELS``.
    """
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise TooLargeError(f"{width} by {height} pixels, more than {limit} million; scale it down")


def _decode_frames(image: Image.Image) -> Iterator[DecodedPicture]:
    """Yield the only frame, or frames spread over an animation, in order."""
    count = int(getattr(image, "n_frames", 1)) if image.format in {"GIF", "WEBP", "PNG"} else 1
    wanted = {round(n * (count - 1) / (_MAX_FRAMES - 1)) for n in range(_MAX_FRAMES)}
    seconds = 0.0
    for number in range(count):
        image.seek(number)  # every frame, as each builds on the one before
        if number in wanted or count <= _MAX_FRAMES:
            image.load()
            yield DecodedPicture(seconds, _to_bgr8(image))
        seconds += float(image.info.get("duration") or 0) / 1000


def _to_bgr8(image: Image.Image) -> Pixels:
    """Convert to upright (height, width, 3) blue-green-red, scaled down to 4096 pixels a side."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _SIXTEEN_BIT:
        upright = _to_8_bits(upright)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Image.new("RGB", layer.size, _GREY)
        upright.paste(layer, mask=layer.getchannel("A"))
    colours = np.asarray(upright.convert("RGB"), np.uint8)
    height, width = colours.shape[:2]
    if max(height, width) > _MAX_SIDE_PX:
        scale = _MAX_SIDE_PX / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        colours = np.asarray(cv2.resize(colours, size, interpolation=cv2.INTER_AREA), np.uint8)
    return cast("Pixels", np.ascontiguousarray(colours[:, :, ::-1]))


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scale grey levels of 16 or 32 bits to 8: by 256, or by the brightest if that is more."""
    levels = np.nan_to_num(np.asarray(image, np.float64))
    brightest = max(float(levels.max(initial=0)), 65535.0)
    return Image.fromarray(np.clip(levels * (255 / brightest), 0, 255).astype(np.uint8))
