"""Encoded pictures of every odd kind, made on the spot."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from monitor.domain import Pixels


def image(pixels: Pixels) -> Image.Image:
    """A (height, width, 3) blue-green-red array as Pillow has it."""
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, ::-1]))


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of a file of one kind."""
    sink = io.BytesIO()
    picture.save(sink, kind, **options)
    return sink.getvalue()


def ramp(top: int) -> np.ndarray:
    """(48, 64) levels that grow from left to right, 0 to ``top``."""
    return np.tile(np.linspace(0, top, 64), (48, 1))


def png_of(width: int, height: int) -> bytes:
    """A small PNG file that claims to be of any size; its pixels are all zero."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000), 9)
    chunks = [(b"IHDR", head), (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
