"""Encoded pictures of every odd kind, strictly read."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from monitor.errors import SourceRejectedError, TooLargeError, WrongMediaError
from monitor.ingest.untrusted.images import MAX_PIXELS, check_size, decode_images, is_image
from tests.support.clips import photo
from tests.support.pictures import encoded, image, png_of, ramp

GREY = image(np.repeat(ramp(255)[:, :, None], 3, axis=2).astype(np.uint8))
SIXTEEN = Image.fromarray(ramp(65535).astype(np.uint16))
ANIMATED = [GREY.rotate(9 * n) for n in range(1, 20)]
MOVING = {"save_all": True, "append_images": ANIMATED, "duration": 100}


@pytest.mark.parametrize(
    "content",
    [
        encoded(GREY, "JPEG"),
        encoded(GREY.convert("CMYK"), "JPEG"),
        encoded(GREY.convert("L"), "JPEG"),
        encoded(SIXTEEN, "PNG"),
        encoded(SIXTEEN, "TIFF"),
        encoded(GREY.convert("LA"), "PNG"),
        encoded(GREY.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
        encoded(GREY, "WEBP", lossless=True),
        encoded(GREY, "GIF"),
        encoded(GREY, "BMP"),
    ],
    ids=["jpeg", "cmyk", "grey", "png16", "tiff16", "alpha", "palette", "webp", "gif", "bmp"],
)
def test_every_kind_shows_the_same_levels(content: bytes) -> None:
    assert is_image(content)
    (still,) = decode_images(content)
    assert still.pixels.shape == (48, 64, 3)
    assert still.pixels.flags["C_CONTIGUOUS"]
    assert np.abs(still.pixels.astype(int) - ramp(255)[:, :, None]).max() <= 4


def test_colours_come_in_the_order_of_opencv() -> None:
    (still,) = decode_images(encoded(Image.new("RGB", (4, 4), (250, 120, 10)), "PNG"))
    assert still.pixels[0, 0].tolist() == [10, 120, 250]


def test_what_is_transparent_is_grey_whatever_colour_lies_under_it() -> None:
    layer = Image.new("RGBA", (8, 8), (0, 0, 255, 0))
    (still,) = decode_images(encoded(layer, "PNG"))
    assert (still.pixels == 128).all()


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, -1), (8, 1)])
def test_a_telephones_picture_comes_upright(orientation: int, turns: int) -> None:
    small = np.ascontiguousarray(photo()[::4, ::4])
    exif = Image.Exif()
    exif[0x0112] = orientation
    (still,) = decode_images(encoded(image(small), "PNG", exif=exif))
    np.testing.assert_array_equal(still.pixels, np.rot90(small, turns))


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_an_animation_gives_pictures_from_all_its_length(kind: str) -> None:
    found = list(decode_images(encoded(GREY, kind, **MOVING)))
    assert len(found) == 8
    assert found[0].seconds == 0
    assert found[-1].seconds >= 0.6
    assert any((one.pixels != found[0].pixels).any() for one in found)


def test_a_huge_picture_is_refused_by_its_header() -> None:
    for width, height in ((60_000, 60_000), (10_000, 5_001)):
        with pytest.raises(TooLargeError, match="scale it down"):
            list(decode_images(png_of(width, height)))
    check_size(10_000, MAX_PIXELS // 10_000)


def test_a_large_picture_is_handed_on_smaller() -> None:
    (still,) = decode_images(encoded(Image.new("L", (6000, 300), 77), "PNG"))
    assert still.pixels.shape == (205, 4096, 3)
    assert (still.pixels == 77).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_picture_that_is_cut_off_is_said_to_be(kind: str) -> None:
    whole = encoded(image(photo()), kind)
    with pytest.raises(SourceRejectedError):
        list(decode_images(whole[: len(whole) // 2]))


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"%PDF-1.7", b"\0" * 100])
def test_what_is_no_picture_is_of_the_wrong_kind(content: bytes) -> None:
    assert not is_image(content)
    with pytest.raises(WrongMediaError, match="give a GIF, JPEG, PNG or WebP"):
        list(decode_images(content))


@settings(max_examples=60)
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF"]), st.data())
def test_a_changed_picture_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    content = bytearray(encoded(GREY, kind))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = list(decode_images(bytes(content)))
    except SourceRejectedError:
        return
    assert all(one.pixels.shape[2] == 3 for one in found)
