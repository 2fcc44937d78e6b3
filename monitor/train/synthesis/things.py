"""Things held before a face: phones, sheets of paper, books, cups, cameras."""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from monitor.demo.drawing import (
    Floats,
    LandmarkedFace,
    Rng,
    blend_layer,
    blur,
    darken,
    draw_line,
    fill_polygon,
    happens,
    make_clouds,
    make_ellipse,
    round_corners,
)
from monitor.domain import Pixels
from monitor.train.synthesis.cloth import choose_cloth_colour
from monitor.train.synthesis.held import Pose, choose_pose, choose_skin_tone, draw_hand

_DARK: Final = np.full(3, 22, np.float32)
_Spot: TypeAlias = tuple[float, float]


class _HeldThing:
    """A place before a face: shapes are given about the thing's own middle, upright."""

    def __init__(self, face: LandmarkedFace, at: _Spot, turn: float) -> None:
        self.face = face
        self._at = np.array(at, np.float32)
        self._spin = np.array(
            [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], np.float32
        )

    def place(self, shape: list[_Spot] | Floats) -> Floats:
        """(N, 2) of the thing, in face units of the face."""
        return np.asarray(np.array(shape, np.float32) @ self._spin.T + self._at, np.float32)

    def draw_body(self, shape: Floats, layer: Floats) -> None:
        """Lay the thing over the face, with its shadow behind it."""
        area = fill_polygon(self.face, self.place(shape), 0.012)
        pixels = darken(self.face.pixels, blur(area, 0.12 * self.face.unit_px), 0.4)
        self.face = LandmarkedFace(blend_layer(pixels, layer, area), self.face.points)

    def draw_mark(self, shape: list[_Spot] | Floats, colour: Floats, strength: float = 1.0) -> None:
        """Something flat on the thing."""
        area = fill_polygon(self.face, self.place(shape), 0.008) * strength
        self.face = LandmarkedFace(blend_layer(self.face.pixels, colour, area), self.face.points)

    def draw_line(self, points: list[_Spot], width: float, colour: Floats) -> None:
        """A line on the thing."""
        drawn = draw_line(self.face, self.place(points), width)
        self.face = LandmarkedFace(blend_layer(self.face.pixels, colour, drawn), self.face.points)


def _make_box(wide: float, tall: float, corner: float = 0.0) -> Floats:
    """A rectangle about the origin whose corners are cut by ``corner``, in face units."""
    x, y, c = wide / 2, tall / 2, corner
    points = [(c - x, -y), (x - c, -y), (x, c - y), (x, y - c), (x - c, y), (c - x, y)]
    return np.array([*points, (-x, y - c), (-x, c - y)], np.float32)


def _draw_surface(face: LandmarkedFace, rng: Rng, colour: Floats) -> Floats:
    """(S, S, 3) one colour in uneven light."""
    side = face.pixels.shape[0]
    ramp = np.linspace(rng.uniform(0.75, 1), rng.uniform(0.75, 1.15), side, dtype=np.float32)
    across = ramp[None] if happens(rng, 0.5) else ramp[:, None]
    uneven = np.broadcast_to(across, (side, side)) + 0.03 * make_clouds(side, face.unit_px, rng)
    return np.asarray(colour * uneven[..., None], dtype=np.float32)


def _draw_phone(held: _HeldThing, rng: Rng) -> str:
    """The back of a telephone, upright or lying, with its lenses."""
    wide, tall = rng.uniform(0.85, 1.2), rng.uniform(1.65, 2.3)
    colour = choose_cloth_colour(rng, 0.6) + rng.uniform(0, 25)
    held.draw_body(_make_box(wide, tall, 0.12), _draw_surface(held.face, rng, colour))
    held.draw_line([(-wide / 2, 0.15 - tall / 2), (-wide / 2, tall / 2 - 0.15)], 0.03, colour + 50)
    x, y = 0.28 - wide / 2, 0.3 - tall / 2
    if happens(rng, 0.75):
        held.draw_mark(_make_box(0.42, 0.42, 0.08) + np.array([x, y], np.float32), colour * 0.6 + 8)
        for dx, dy in ((-0.09, -0.09), (0.09, 0.09), (-0.09, 0.09))[: rng.integers(1, 4)]:
            held.draw_mark(make_ellipse(x + dx, y + dy, 0.075, 0.075), _DARK)
            held.draw_mark(make_ellipse(x + dx - 0.02, y + dy - 0.02, 0.02, 0.02), _DARK + 150)
    else:  # the screen, lit
        glow = np.asarray(rng.uniform(60, 250, 3), np.float32)
        held.draw_mark(_make_box(0.92 * wide, 0.92 * tall, 0.08), glow)
    if happens(rng, 0.4):
        held.draw_mark(make_ellipse(0, 0.05 * tall, 0.12, 0.13), colour * 1.3 + 25, 0.6)
    return "hand_object"


def _draw_paper(held: _HeldThing, rng: Rng) -> str:
    """A sheet with rows of writing, or a card."""
    wide, tall = rng.uniform(1.5, 2.6), rng.uniform(1.3, 2.6)
    white = np.asarray(rng.uniform(185, 250) + rng.normal(0, 6, 3), np.float32)
    held.draw_body(_make_box(wide, tall), _draw_surface(held.face, rng, white))
    ink = np.full(3, rng.uniform(20, 120), np.float32)
    left, top = -0.42 * wide, -0.42 * tall
    for y in np.arange(top, 0.42 * tall, rng.uniform(0.12, 0.2)):
        if happens(rng, 0.82):
            long = rng.uniform(0.3, 0.84) * wide
            held.draw_line(
                [(left, float(y)), (left + long, float(y))], 0.03, white * 0.5 + ink * 0.5
            )
    if happens(rng, 0.3):  # a picture on it
        held.draw_mark(
            _make_box(0.5 * wide, 0.4 * tall), np.asarray(rng.uniform(30, 220, 3), np.float32)
        )
    return "hand_object/paper"


def _draw_book(held: _HeldThing, rng: Rng) -> str:
    """A book, a magazine, a folder: a coloured cover with a title."""
    wide, tall = rng.uniform(1.3, 2.2), rng.uniform(1.6, 2.4)
    colour = choose_cloth_colour(rng, 0.3)
    held.draw_body(_make_box(wide, tall), _draw_surface(held.face, rng, colour))
    pale = np.full(3, rng.uniform(150, 245), np.float32)
    for row in range(rng.integers(1, 4)):
        y = -0.32 * tall + 0.22 * row
        held.draw_line([(-0.32 * wide, y), (rng.uniform(0, 0.35) * wide, y)], 0.1, pale)
    if happens(rng, 0.5):
        picture = _make_box(0.7 * wide, 0.4 * tall) + np.array([0, 0.15 * tall], np.float32)
        held.draw_mark(picture, np.asarray(rng.uniform(20, 230, 3), np.float32))
    held.draw_line([(-wide / 2, -tall / 2), (-wide / 2, tall / 2)], 0.05, colour * 0.5)
    return "hand_object"


def _draw_cup(held: _HeldThing, rng: Rng) -> str:
    """A mug, or a cup of paper with its lid and band."""
    wide, tall, taper = rng.uniform(0.9, 1.3), rng.uniform(1.2, 1.7), rng.uniform(0.7, 1.0)
    x, y = wide / 2, tall / 2
    colour = np.asarray(rng.uniform(170, 250, 3), np.float32)
    colour = colour if happens(rng, 0.5) else choose_cloth_colour(rng, 0.2)
    corners = np.array([(-x, -y), (x, -y), (taper * x, y), (-taper * x, y)], np.float32)
    side = held.face.pixels.shape[0]
    layer = np.broadcast_to(colour * 0.7, (side, side, 3)).astype(np.float32)
    held.draw_body(corners, layer)
    held.draw_mark(
        corners * np.array([0.6, 1.0], np.float32), colour
    )  # round: lighter in the middle
    if happens(rng, 0.5):
        band = corners * np.array([1.0, 0.4], np.float32) + np.array([0, 0.1], np.float32)
        held.draw_mark(band, choose_cloth_colour(rng, 0.2), 0.9)
    lid = np.asarray(colour * rng.uniform(0.3, 1.0), np.float32)
    held.draw_mark(make_ellipse(0, -y, 1.05 * x, 0.13), lid)
    return "hand_object"


def _draw_camera(held: _HeldThing, rng: Rng) -> str:
    """A camera or field glasses at the eyes: a dark body with round glass."""
    wide, tall = rng.uniform(1.7, 2.3), rng.uniform(1.0, 1.4)
    held.draw_body(
        _make_box(wide, tall, 0.15), _draw_surface(held.face, rng, choose_cloth_colour(rng, 0.9))
    )
    double = happens(rng, 0.3)
    for x in (-0.26 * wide, 0.26 * wide) if double else (rng.normal(0, 0.1),):
        size = rng.uniform(0.3, 0.42) if double else rng.uniform(0.4, 0.55)
        for share, level in ((1.0, 45), (0.85, 12), (0.6, 35), (0.35, 5)):
            ring = make_ellipse(float(x), 0.05, share * size, share * size)
            held.draw_mark(ring, np.full(3, level, np.float32))
        gleam = make_ellipse(float(x) - 0.35 * size, 0.05 - 0.35 * size, 0.09, 0.06)
        held.draw_mark(gleam, np.full(3, 230, np.float32), 0.8)
    return "hand_object"


def _draw_bundle(held: _HeldThing, rng: Rng) -> str:
    """Something soft of no known shape: a bag, a cloth, flowers, a toy."""
    around = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    size = np.array([rng.uniform(0.75, 1.25), rng.uniform(0.7, 1.1)], np.float32)
    ring = np.stack([np.cos(around), np.sin(around)], axis=1) * size
    shape = round_corners((ring * rng.uniform(0.7, 1.2, (9, 1))).astype(np.float32))
    face = held.face
    layer = _draw_surface(face, rng, choose_cloth_colour(rng, 0.2))
    for grain in (0.2, 0.5):
        patches = make_clouds(face.pixels.shape[0], grain * face.unit_px, rng)
        layer = layer * (1 + rng.uniform(0.05, 0.25) * patches)[..., None]
    held.draw_body(shape, np.asarray(np.clip(layer, 0, 255), np.float32))
    return "hand_object"


_THINGS: Final[list[tuple[Callable[[_HeldThing, Rng], str], float, float]]] = [
    (_draw_phone, 0.3, 0.45),
    (_draw_paper, 0.2, 0.7),
    (_draw_book, 0.14, 0.8),
    (_draw_cup, 0.14, 1.15),
    (_draw_camera, 0.1, 0.05),
    (_draw_bundle, 0.12, 0.7),
]
"""What is held, how often, and how far below the eyes."""


def draw_thing(
    face: LandmarkedFace, rng: Rng, at: _Spot | None = None
) -> tuple[Pixels, str, _Spot]:
    """A face behind a thing; the answer; where the thing's middle lies, in face units.

    Args:
        face: What it is held before.
        rng: Decides which thing and how it is held.
        at: Where; None puts it before eyes, nose or mouth, as suits the thing.
    """
    shares = np.array([share for _, share, _ in _THINGS])
    draw, _, low = _THINGS[rng.choice(len(_THINGS), p=shares / shares.sum())]
    spot = at or (float(rng.normal(0, 0.15)), low + float(rng.normal(0, 0.15)))
    turn = float(rng.normal(0, 0.2)) + (
        np.pi / 2 if draw is _draw_phone and happens(rng, 0.2) else 0
    )
    held = _HeldThing(face, spot, turn)
    key = draw(held, rng)
    return held.face.pixels, key, spot


def draw_hand_object(face: LandmarkedFace, rng: Rng) -> tuple[Pixels, str]:
    """A face of which a hand or a thing hides a good part, and its answer."""
    tone = choose_skin_tone(face, rng)
    kind = rng.choice(["hand", "hands", "thing", "both"], p=[0.3, 0.2, 0.15, 0.35])
    at = float(rng.normal(0, 0.15)), float(rng.choice([0.1, 0.75, 0.95]) + rng.normal(0, 0.12))
    if kind == "hand":
        return draw_hand(face, rng, choose_pose(rng, at), tone), "hand_object/hand"
    if kind == "hands":
        lean = rng.uniform(0.1, 0.9)
        first = draw_hand(face, rng, Pose((-0.5, at[1]), lean), tone)
        second = Pose((0.5, at[1] + rng.normal(0, 0.1)), -lean)
        return draw_hand(LandmarkedFace(first, face.points), rng, second, tone), "hand_object/hand"
    pixels, key, (x, y) = draw_thing(face, rng)
    if kind == "both":
        side = float(rng.choice([-1, 1]))
        grip = Pose((x + 0.75 * side, y + 0.75), -side * rng.uniform(0.3, 1.0), 0.45)
        pixels = draw_hand(LandmarkedFace(pixels, face.points), rng, grip, tone)
    return pixels, key


def draw_near_hand(face: LandmarkedFace, rng: Rng) -> tuple[Pixels, str]:
    """A hand at cheek, chin or temple, or a thing beside or below the face: still clear."""
    # A turned head shows its cheek on the side the nose turns away from.
    side = -np.sign(face.turn) if abs(face.turn) > 0.12 else rng.choice([-1, 1])  # noqa: PLR2004
    if happens(rng, 0.6):
        spots = [(side * 1.8, 0.9), (side * 1.8, 0.2), (side * 1.0, 2.5), (0.0, 2.75)]
        x, y = spots[rng.integers(len(spots))]
        turn = float(side * rng.uniform(0.0, 0.8)) if x else float(rng.normal(0, 1.0))
        pose = Pose((float(x), float(y + rng.uniform(0, 0.3))), turn, float(rng.uniform(0, 0.6)))
        return draw_hand(face, rng, pose, choose_skin_tone(face, rng)), "none/hand"
    at = (float(side * rng.uniform(2.2, 2.7)), float(rng.uniform(-0.5, 2.0)))
    if happens(rng, 0.3):  # a cup, a sign, a telephone before the chest
        at = (float(rng.normal(0, 0.4)), float(rng.uniform(3.2, 3.6)))
    elif happens(rng, 0.4):
        return draw_microphone(face, rng), "none/hand"
    return draw_thing(face, rng, at)[0], "none/hand"


def draw_microphone(face: LandmarkedFace, rng: Rng) -> Pixels:
    """A face above a microphone, which leaves the mouth to see."""
    held = _HeldThing(face, (float(rng.normal(0, 0.3)), rng.uniform(2.05, 2.5)), rng.normal(0, 0.5))
    metal = np.full(3, rng.uniform(10, 90), np.float32)
    held.draw_line([(0, 0), (0, 2.5)], rng.uniform(0.18, 0.3), np.asarray(metal * 0.5, np.float32))
    size = rng.uniform(0.24, 0.36)
    held.draw_body(make_ellipse(0, 0, size, 1.15 * size), _draw_surface(face, rng, metal))
    held.draw_mark(make_ellipse(-0.3 * size, -0.3 * size, 0.3 * size, 0.3 * size), metal + 70, 0.5)
    return held.face.pixels
