"""Coverings drawn on clear faces: the judge's only balaclavas, helmets and scarves.

Real ones are too few to train on and serve the measuring. So that an edit as such means
nothing, hats, beards, clear glasses and hands beside the face are drawn the same way on
faces that stay clear.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np

from monitor.demo.drawing import (
    LandmarkedFace,
    Rng,
    blend_layer,
    fill_polygon,
    happens,
    make_ellipse,
    mirror_polygon,
    round_corners,
    to_pixels,
)
from monitor.domain import Pixels
from monitor.train.synthesis.cloth import (
    choose_cloth_colour,
    draw_balaclava,
    draw_cloth,
    make_head_outline,
)
from monitor.train.synthesis.hard import draw_hard_mask
from monitor.train.synthesis.held import draw_glasses
from monitor.train.synthesis.helmet import draw_clear_shield, draw_hard_hat, draw_helmet
from monitor.train.synthesis.innocent import (
    Overlays,
    draw_band,
    draw_beard,
    draw_cloth_mask,
    draw_fringe,
    draw_hat,
    draw_mask,
    paste_overlay,
)
from monitor.train.synthesis.things import draw_hand_object, draw_near_hand
from monitor.train.synthesis.turned import draw_turned_balaclava
from monitor.train.synthesis.wrap import draw_hood, draw_scarf, draw_stocking

_INFRARED = (0.15, 0.25, 0.6)  # shares of blue, green and red; skin is pale in infrared

SHARES: Final = {
    "none": 0.29,
    "balaclava": 0.22,
    "stocking": 0.02,
    "scarf": 0.1,
    "hard_mask": 0.09,
    "helmet": 0.06,
    "sunglasses": 0.09,
    "hand_object": 0.09,
    "mask": 0.08,
}
"""How often each kind is drawn; ``none`` is an innocent edit or none at all."""
_WHOLE_HEAD: Final = ("balaclava", "stocking", "helmet", "hood")
_TURNED: Final = 0.35  # of the balaclavas, on heads that look aside
_OVER: Final = 0.12  # of the balaclavas, with dark glasses or a hand before them
_SHELLS: Final = ("helmet", "hood", "hard_hat")
_EYES_FREE: Final = ("none", "hood", "balaclava", "scarf", "mask", "hard_hat")

_Dress: TypeAlias = Callable[[LandmarkedFace, Rng], tuple[Pixels, str]]


def draw_watermark(pixels: Pixels, rng: Rng) -> Pixels:
    """Writing over a picture, as of a photo agency or a camera's clock."""
    drawn = pixels.copy()
    side = pixels.shape[0]
    text = "".join(chr(c) for c in rng.integers(48, 122, rng.integers(3, 14)))
    at = (int(rng.uniform(-0.2, 0.6) * side), int(rng.uniform(0.1, 0.95) * side))
    level = float(rng.choice([255, 200, 90]))
    size = float(rng.uniform(0.4, 1.4))
    cv2.putText(
        drawn, text, at, int(rng.integers(8)), size, (level,) * 3, 1 + int(size), cv2.LINE_AA
    )
    share = float(rng.uniform(0.25, 0.9))
    return np.asarray(cv2.addWeighted(drawn, share, pixels, 1 - share, 0), dtype=np.uint8)


def apply_night_vision(face: LandmarkedFace, rng: Rng, *, eyes: bool) -> Pixels:
    """A picture as a camera with an infrared lamp takes it: grey, lit from the camera, noisy.

    Args:
        face: What is shown.
        rng: Decides the lamp and the noise.
        eyes: Whether the eyes are to be seen; they throw the lamp's light back now and then.
    """
    side = face.pixels.shape[0]
    grey = face.pixels.astype(np.float32) @ np.array(_INFRARED, np.float32) / 255
    grey = grey ** rng.uniform(0.6, 1.0) * rng.uniform(0.6, 1.0)
    lift = rng.uniform(0.0, 0.2)  # most black cloth is grey in infrared
    grey = lift + (1 - lift) * grey
    middle = to_pixels(face, np.array([(rng.normal(0, 0.5), rng.normal(0.4, 0.5))], np.float32))[0]
    ys, xs = np.mgrid[0:side, 0:side].astype(np.float32)
    away = ((xs - middle[0]) ** 2 + (ys - middle[1]) ** 2) / (rng.uniform(0.5, 1.2) * side) ** 2
    grey = grey * (rng.uniform(0.2, 0.5) + 0.65 * np.exp(-away))
    if eyes and happens(rng, 0.4):
        size = rng.uniform(0.04, 0.08)
        for x in (-0.5, 0.5):
            grey = grey + rng.uniform(0.3, 0.8) * fill_polygon(
                face, make_ellipse(x, 0.0, size, size), 0.03
            )
    grey = grey + rng.uniform(0.005, 0.05) * rng.standard_normal((side, side))
    level = np.clip(255 * grey, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(level, cv2.COLOR_GRAY2BGR), dtype=np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Dressed:
    """A face after dressing. ``key`` is an answer with its detail, as in judge_words."""

    face: LandmarkedFace
    key: str


def dress(
    face: LandmarkedFace, background: Pixels, overlays: Overlays, rng: Rng, kind: str | None = None
) -> Dressed:
    """A clear face with a random covering drawn on it.

    Args:
        face: A clear face.
        background: (S, S, 3), to set the head before where the covering hides its edge.
        overlays: Pictures of masks, sunglasses and hats.
        rng: Decides everything; equal generators give equal pictures.
        kind: Of KINDS; None draws one by SHARES.
    """
    kind = kind or _choose_kind(rng)
    if kind == "balaclava" and happens(rng, _TURNED):
        turned = draw_turned_balaclava(face, background, rng)
        if turned is not None:
            return _add_things(turned, rng)
    if kind in _WHOLE_HEAD and happens(rng, 0.9 if kind == "stocking" else 0.6):
        face = transplant_head(face, background, rng)
    face, key = _add_below(face, kind, rng)
    pixels, said = _COVER[kind](face, rng, overlays)
    key = key if said == "none" else said
    if kind == "balaclava" and happens(rng, _OVER):
        pixels = add_second_covering(LandmarkedFace(pixels, face.points), rng)
    face, above = _add_above(LandmarkedFace(pixels, face.points), kind, rng, overlays)
    key = above if key == "none" else key
    if kind != "sunglasses" and happens(rng, 0.07):  # their glass is clear in infrared
        face = LandmarkedFace(apply_night_vision(face, rng, eyes=kind in _EYES_FREE), face.points)
    pixels = draw_watermark(face.pixels, rng) if happens(rng, 0.08) else face.pixels
    return Dressed(LandmarkedFace(pixels, face.points), key)


def _add_things(turned: tuple[LandmarkedFace, str], rng: Rng) -> Dressed:
    """A turned head, now and then with a hand before it, at night, or written over."""
    face, key = turned
    pixels = draw_hand_object(face, rng)[0] if happens(rng, 0.15) else face.pixels
    face = LandmarkedFace(pixels, face.points)
    pixels = apply_night_vision(face, rng, eyes=True) if happens(rng, 0.06) else face.pixels
    pixels = draw_watermark(pixels, rng) if happens(rng, 0.12) else pixels
    return Dressed(LandmarkedFace(pixels, face.points), key)


def add_second_covering(face: LandmarkedFace, rng: Rng) -> Pixels:
    """A hidden face with dark glasses in its slot, or something held before it."""
    return (
        draw_glasses(face, rng, dark=True)[0]
        if happens(rng, 0.6)
        else draw_hand_object(face, rng)[0]
    )


def _choose_kind(rng: Rng) -> str:
    """One of KINDS, by SHARES."""
    kind = str(rng.choice(list(SHARES), p=np.array(list(SHARES.values())) / sum(SHARES.values())))
    if kind == "none" and happens(rng, 0.3):
        return "hood" if happens(rng, 0.65) else "hard_hat"
    return kind


def _add_below(face: LandmarkedFace, kind: str, rng: Rng) -> tuple[LandmarkedFace, str]:
    """A face with beard, fringe, clear glasses or a hand near it, each now and then."""
    key = "none"
    chance = 0.3 if kind == "none" else 0.1
    edits: list[tuple[float, _Dress]] = [
        (0.6, draw_beard),
        (0.5, draw_fringe),
        (1.0, lambda f, r: draw_glasses(f, r, dark=False)),
        (1.0, draw_near_hand),
        (0.12, draw_clear_shield),
    ]
    for weight, edit in edits:
        if happens(rng, weight * chance):
            pixels, said = edit(face, rng)
            key = said if said != "none" else key
            face = LandmarkedFace(pixels, face.points)
    return face, key


def _add_above(
    face: LandmarkedFace, kind: str, rng: Rng, overlays: Overlays
) -> tuple[LandmarkedFace, str]:
    """A face with a hat, a band or a hood over its covering, now and then; and its label."""
    if kind in _SHELLS or not happens(rng, 0.3):
        return face, "none"
    if happens(rng, 0.3):
        return LandmarkedFace(draw_hood(face, rng), face.points), "none/hat"
    pixels, said = (draw_hat if happens(rng, 0.7) else _draw_band)(face, rng, overlays)
    return LandmarkedFace(pixels, face.points), said


def transplant_head(face: LandmarkedFace, background: Pixels, rng: Rng) -> LandmarkedFace:
    """The head cut out and set, with shoulders, before another background, smaller.

    Close crops show no outline of the head; a covering of the whole head needs one.
    """
    side = face.pixels.shape[0]
    unit = rng.uniform(0.13, 0.24) * side
    scale = unit / face.unit_px
    at = side * np.array([0.5 + rng.normal(0, 0.04), 0.42 + rng.normal(0, 0.04)])
    middle = face.axes[:, 2]
    move = np.array([[scale, 0, at[0] - scale * middle[0]], [0, scale, at[1] - scale * middle[1]]])
    pixels = cv2.warpAffine(
        face.pixels, move, (side, side), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    points = (face.points * scale + move[:, 2]).astype(np.float32)
    moved = LandmarkedFace(np.asarray(pixels, dtype=np.uint8), points)
    canvas = LandmarkedFace(cv2.resize(background, (side, side)).astype(np.uint8), points)
    half = [(0.0, 1.8), (0.8, 1.9), (1.2, 2.4), (rng.uniform(2.2, 3.2), 3.0), (3.2, 6.0)]
    torso = fill_polygon(moved, round_corners(mirror_polygon(half, -0.2 * moved.turn)), 0.03)
    body = draw_cloth(moved, rng, choose_cloth_colour(rng, 0.4))
    canvas = LandmarkedFace(blend_layer(canvas.pixels, body, torso), points)
    head = fill_polygon(moved, make_head_outline(moved, rng, neck=False) * np.float32(0.93), 0.04)
    return LandmarkedFace(blend_layer(canvas.pixels, moved.pixels.astype(np.float32), head), points)


def _leave_clear(face: LandmarkedFace, _rng: Rng, _overlays: Overlays) -> tuple[Pixels, str]:
    return face.pixels, "none"


def _draw_hood(face: LandmarkedFace, rng: Rng, _overlays: Overlays) -> tuple[Pixels, str]:
    return draw_hood(face, rng), "none/hat"


def _draw_band(face: LandmarkedFace, rng: Rng, _overlays: Overlays) -> tuple[Pixels, str]:
    return draw_band(face, rng)


def _ignore_overlays(draw: _Dress) -> Callable[[LandmarkedFace, Rng, Overlays], tuple[Pixels, str]]:
    return lambda face, rng, _overlays: draw(face, rng)


def _draw_sunglasses(face: LandmarkedFace, rng: Rng, overlays: Overlays) -> tuple[Pixels, str]:
    if not overlays.sunglasses or happens(rng, 0.6):
        return draw_glasses(face, rng, dark=True)
    picture = overlays.sunglasses[rng.integers(len(overlays.sunglasses))]
    wide, drop = rng.uniform(1.05, 1.3), rng.uniform(-0.05, 0.12)
    tall = wide * picture.shape[0] / picture.shape[1]
    shift = 0.15 * face.turn
    box: tuple[float, float, float, float] = (shift - wide, drop - tall, shift + wide, drop + tall)
    return paste_overlay(face, picture, box, rng), "sunglasses"


def _draw_mask(face: LandmarkedFace, rng: Rng, overlays: Overlays) -> tuple[Pixels, str]:
    return draw_cloth_mask(face, rng) if happens(rng, 0.4) else draw_mask(face, rng, overlays)


_COVER: Final[dict[str, Callable[[LandmarkedFace, Rng, Overlays], tuple[Pixels, str]]]] = {
    "none": _leave_clear,
    "hood": _draw_hood,
    "hard_hat": _ignore_overlays(draw_hard_hat),
    "balaclava": _ignore_overlays(draw_balaclava),
    "stocking": _ignore_overlays(draw_stocking),
    "scarf": _ignore_overlays(draw_scarf),
    "hard_mask": _ignore_overlays(draw_hard_mask),
    "helmet": _ignore_overlays(draw_helmet),
    "sunglasses": _draw_sunglasses,
    "hand_object": _ignore_overlays(draw_hand_object),
    "mask": _draw_mask,
}
KINDS: Final = tuple(_COVER)
"""The kinds that ``dress`` knows."""


def make_contact_sheet(tiles: list[tuple[Pixels, str]], columns: int = 12) -> Pixels:
    """Pictures side by side with their answers written below, for a person to look at.

    Args:
        tiles: Square pictures of any size, each with its answer.
        columns: How many in a row.

    Returns:
        (rows * 140, columns * 128, 3) uint8.
    """
    rows = -(-len(tiles) // columns)
    sheet = np.zeros((rows * 140, columns * 128, 3), np.uint8)
    for i, (pixels, key) in enumerate(tiles):
        y, x = i // columns * 140, i % columns * 128
        sheet[y : y + 128, x : x + 128] = cv2.resize(pixels, (128, 128))
        cv2.putText(sheet, key[:18], (x + 2, y + 137), 0, 0.35, (0, 255, 255), 1, cv2.LINE_AA)
    return sheet
