"""Batches for the judge's training: samples drawn from the pool, and their augmentation."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.demo.drawing import Floats, Rng, happens
from monitor.domain import UNUSABLE, Pixels
from monitor.train.judge.faces import SIDE
from monitor.train.judge.leave_out import DRAWN, find_family, list_left_out
from monitor.train.judge.pool import Shard, read_shard

Group = tuple[str, str]
"""A source and an answer; "*" is any answer."""
_FULL_GROUP: Final = 100
OTHER_SHARE: Final = 0.012  # of each source and answer that is not in the table, a site's own say

_MASKS: Final = ("andrewmvd", "chandrikadeb7", "jolignier", "masktype")
SHARES: Final[dict[Group, float]] = {
    ("synthetic", "*"): 0.40,
    ("weapons", "none"): 0.06,
    ("faceparts", "none"): 0.055,
    ("jolignier", "none"): 0.03,
    ("andrewmvd", "none"): 0.02,
    ("masktype", "none"): 0.02,
    ("chandrikadeb7", "none"): 0.025,
    ("utkface", "none"): 0.03,
    ("lfw", "none"): 0.01,
    ("scenes", "none"): 0.01,
    ("natural", "none"): 0.12,
    ("natural", "mask"): 0.06,
    ("natural", "mask_incorrect"): 0.01,
    **{(source, "mask"): 0.022 for source in _MASKS},
    ("faceparts", "mask"): 0.015,
    ("scenes", "mask"): 0.01,
    **{(source, "mask_incorrect"): 0.01 for source in _MASKS[2:]},
    ("scenes", "away"): 0.025,
    ("weapons", "away"): 0.03,
    ("background", "away"): 0.006,
    ("videos", "away"): 0.02,
    ("weapons", "sunglasses"): 0.012,
    ("weapons", "hand_object"): 0.01,
    ("weapons", UNUSABLE): 0.008,
    ("faceparts", "sunglasses"): 0.004,
}
"""The same for a small source as for a large one, so that no source stands for an answer,
and more for those labelled by eye."""

_GOOD_SHARE, _FAIR_SHARE = 0.62, 0.9  # shares of samples that are good, and good or fair
_BEHIND: Final = ("background", "away")
_NATURAL: Final = "natural"  # the source whose pictures show what lies about a head
_FAR_SHARE: Final = 0.3  # share of the heads that are set small before something else
_MIN_GOOD_PX: Final = 24  # pixels a side; fewer are called bad


def get_share(group: Group, count: int) -> float:
    """The share of samples from a group of so many, before all shares are made to sum to 1.

    A few pictures that are in no table are not shown again and again.
    """
    return SHARES.get(group, OTHER_SHARE * min(count / _FULL_GROUP, 1.0))


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of one sample."""

    shard: int
    row: int


class Pool:
    """All samples on disk, grouped by source and answer.

    Args:
        folder: What judge_pool wrote; synthetic shards that appear later are found by refresh.
        leave_out: A source that must not be used; empty uses all.
    """

    def __init__(self, folder: Path, leave_out: str = "") -> None:
        self._folder = folder
        self._leave_out = leave_out
        self._shards: list[Shard] = []
        self._paths: set[Path] = set()
        self._groups: dict[tuple[str, str], list[_Place]] = {}
        self.refresh()

    def __reduce__(self) -> tuple[type["Pool"], tuple[Path, str]]:
        return Pool, (self._folder, self._leave_out)  # another process opens the files itself

    def refresh(self) -> None:
        """Add the shards that are new."""
        unseen = list_left_out(self._leave_out)
        for path in sorted(set(self._folder.glob("*.npz")) - self._paths):
            self._paths.add(path)
            shard = read_shard(path)
            for row, (key, source) in enumerate(zip(shard.keys, shard.sources, strict=True)):
                name = find_family(source, unseen)
                if name is None:
                    continue
                answer = "*" if name == DRAWN else key.partition("/")[0]
                group = self._groups.setdefault((name, answer), [])
                group.append(_Place(len(self._shards), row))
            self._shards.append(shard)
        self._names = sorted(self._groups)
        shares = np.array([get_share(name, len(self._groups[name])) for name in self._names])
        self._shares = shares / shares.sum()

    def draw_sample(self, crop_px: int, rng: Rng) -> tuple[Pixels, str]:
        """One varied sample, (crop_px, crop_px, 3) red-green-blue, and its answer with detail."""
        name = self._names[rng.choice(len(self._names), p=self._shares)]
        group = self._groups[name]
        place = group[rng.integers(len(group))]
        shard = self._shards[place.shard]
        key = shard.keys[place.row]
        pixels, frame = shard.pixels[place.row], shard.frames[place.row]
        if name != _BEHIND and happens(rng, _FAR_SHARE if name[0] != _NATURAL else 0.1):
            head = frame_face(pixels, frame, int(crop_px * rng.uniform(0.48, 0.92)), rng)
            crop = place_on_canvas(head, self._draw_canvas(head, crop_px, rng), rng)
        else:
            crop = frame_face(pixels, frame, crop_px, rng, wide=name[0] == _NATURAL)
        crop, unusable = degrade(crop, rng)
        return np.ascontiguousarray(crop[..., ::-1]), UNUSABLE if unusable else key

    def _draw_canvas(self, head: Pixels, crop_px: int, rng: Rng) -> Pixels:
        """A background for a small head: a scene, a blur of its own picture, or one colour."""
        kind = rng.random()
        if kind < 0.55 and _BEHIND in self._groups:  # noqa: PLR2004
            group = self._groups[_BEHIND]
            place = group[rng.integers(len(group))]
            shard = self._shards[place.shard]
            return frame_face(shard.pixels[place.row], shard.frames[place.row], crop_px, rng)
        if kind < 0.8:  # noqa: PLR2004
            blur = cv2.GaussianBlur(_resize(head, crop_px, cv2.INTER_LINEAR), (0, 0), crop_px / 8)
            return np.asarray(blur, dtype=np.uint8)
        return np.full((crop_px, crop_px, 3), rng.integers(0, 256, 3), np.uint8)

    def draw_batches(self, size: int, crop_px: int, rng: Rng) -> Iterator[tuple[Pixels, list[str]]]:
        """Endless batches: (size, crop_px, crop_px, 3) red-green-blue, and their answers."""
        while True:
            samples = [self.draw_sample(crop_px, rng) for _ in range(size)]
            yield np.stack([pixels for pixels, _ in samples]), [key for _, key in samples]
            if happens(rng, 0.01):
                self.refresh()


def place_on_canvas(head: Pixels, canvas: Pixels, rng: Rng) -> Pixels:
    """A small head somewhere in a larger square, its chest often carried on downwards.

    Close crops are common among clear faces and wide ones among masks; set before anything,
    both come in every size.
    """
    side, full = head.shape[0], canvas.shape[0]
    x, y = (
        int(np.clip(rng.normal(middle, spread), 0, 1) * (full - side))
        for middle, spread in ((0.5, 0.22), (0.45, 0.25))
    )
    share = np.zeros((full, full, 1), np.float32)
    share[y : y + side, x : x + side] = 1
    soft = rng.uniform(0, 4)
    if soft > 0.7:  # noqa: PLR2004  (less is no edge at all)
        share = np.asarray(cv2.GaussianBlur(share, (0, 0), soft), np.float32)[..., None]
    placed = canvas.copy()
    placed[y : y + side, x : x + side] = head
    crop = np.asarray(placed * share + canvas * (1 - share), dtype=np.uint8)
    if happens(rng, 0.5):
        crop[y + side :, x : x + side] = head[-1:]
    return crop


def frame_face(
    pixels: Pixels, frame: Floats, crop_px: int, rng: Rng, *, wide: bool = False
) -> Pixels:
    """A crop about the face, looser or tighter, off the middle, turned, cut off at an edge.

    Args:
        pixels: (SIDE, SIDE, 3).
        frame: The face's middle and longer side.
        crop_px: Side of what is returned.
        rng: Decides everything.
        wide: The picture goes on about the head, so it may be framed very loosely.
    """
    x, y, face = frame.tolist()
    loose = 1.5 * float(np.exp(rng.normal(0.02, 0.27)))
    loose = min(max(loose, 0.85), 2.6, 1.25 * SIDE / face)
    if wide:
        loose = rng.uniform(1.2, 3.0)
    size = loose * face * np.exp(rng.normal(0, 0.08, 2))
    off = 0.06 * loose
    x, y = x + rng.normal(0, off) * face, y + rng.normal(0, off) * face
    box = np.array([x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2])
    if happens(rng, 0.75):  # at run time crops are clipped to the picture
        box = np.clip(box, 0, SIDE)
    if happens(rng, 0.06):  # cut off by the picture's edge
        edge = rng.integers(4)
        box[edge] += (1 if edge < 2 else -1) * rng.uniform(0.1, 0.3) * size[edge % 2]  # noqa: PLR2004
    width, height = max(box[2] - box[0], 8.0), max(box[3] - box[1], 8.0)
    move = np.array([[crop_px / width, 0, 0], [0, crop_px / height, 0]])
    move[:, 2] = -move[:, :2] @ box[:2]
    if happens(rng, 0.5):
        move[0] = -move[0] + [0, 0, crop_px]
    if happens(rng, 0.4):
        spin = cv2.getRotationMatrix2D((crop_px / 2, crop_px / 2), rng.normal(0, 9), 1.0)
        move = spin @ np.vstack([move, [0, 0, 1]])
    modes = (cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT, cv2.BORDER_REFLECT_101)
    return np.asarray(
        cv2.warpAffine(
            pixels,
            move,
            (crop_px, crop_px),
            flags=cv2.INTER_LINEAR if crop_px > 0.6 * width else cv2.INTER_AREA,
            borderMode=modes[rng.integers(3)],
            borderValue=(float(rng.uniform(0, 255)),) * 3,
        ),
        dtype=np.uint8,
    )


def degrade(crop: Pixels, rng: Rng) -> tuple[Pixels, bool]:
    """A crop as cameras give it, mostly good, now and then bad; and whether it is spoilt."""
    severity = rng.random()
    if severity < _GOOD_SHARE:
        return _vary_slightly(crop, rng), False
    if severity < _FAIR_SHARE:
        return (wear_out if happens(rng, 0.5) else change_light)(crop, rng), False
    crop = change_light(crop, rng)
    if happens(rng, 0.3):
        return spoil(crop, rng), True
    return wear_out(crop, rng), False


def _vary_slightly(crop: Pixels, rng: Rng) -> Pixels:
    """Another exposure and tint, sometimes grey, sometimes from fewer pixels."""
    light = rng.uniform(0.75, 1.25) * rng.uniform(0.92, 1.08, (1, 1, 3))
    crop = np.clip(crop * light + rng.uniform(-15, 15), 0, 255).astype(np.uint8)
    if happens(rng, 0.2):
        crop = np.repeat(crop.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    side = crop.shape[0]
    if side > _MIN_GOOD_PX and happens(rng, 0.3):
        small = _resize(crop, int(rng.integers(_MIN_GOOD_PX, side)), cv2.INTER_AREA)
        crop = _resize(small, side, cv2.INTER_LINEAR)
    return crop


def change_light(crop: Pixels, rng: Rng) -> Pixels:
    """A crop in other light and colours, now and then grey as at night."""
    chance = rng.random()
    steps = np.arange(256, dtype=np.float32) / 255
    tables = np.empty((256, 3), np.float32)
    gain = np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.06, 3))
    gamma = np.exp(rng.normal(0, 0.25))
    lift = rng.normal(0, 0.05)
    for channel in range(3):
        tables[:, channel] = steps**gamma * gain[channel] + lift
    if chance < 0.06:  # noqa: PLR2004  (dim)
        tables *= rng.uniform(0.15, 0.5)
    table = np.clip(255 * tables, 0, 255).astype(np.uint8)[None]
    crop = np.asarray(cv2.LUT(crop, table), dtype=np.uint8)
    if happens(rng, 0.15):
        grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
        crop = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    if happens(rng, 0.03):  # a cast shadow or a bright lamp at one side
        side = crop.shape[0]
        ramp = np.linspace(rng.uniform(0.2, 1), rng.uniform(1, 1.8), side)[None, :, None]
        crop = np.clip(crop * (ramp if happens(rng, 0.5) else ramp[:, ::-1]), 0, 255)
    return np.asarray(crop, dtype=np.uint8)


def wear_out(crop: Pixels, rng: Rng) -> Pixels:
    """A crop as a camera far away gives it: small, blurred, noisy, compressed."""
    side = crop.shape[0]
    if happens(rng, 0.5):
        small = round(float(np.exp(rng.uniform(np.log(17), np.log(90)))))
        crop = _resize(crop, min(small, side), cv2.INTER_AREA)
    if happens(rng, 0.15):
        crop = np.asarray(cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.4)), dtype=np.uint8)
    if happens(rng, 0.06):  # moved while the shutter was open
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1 / length
        kernel = kernel if happens(rng, 0.7) else kernel.T
        crop = np.asarray(cv2.filter2D(crop, -1, kernel), dtype=np.uint8)
    if happens(rng, 0.25):
        noise = rng.standard_normal(crop.shape, dtype=np.float32) * rng.uniform(2, 14)
        crop = np.clip(crop + noise, 0, 255).astype(np.uint8)
    if happens(rng, 0.35):
        coded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(18, 85))])
        crop = np.asarray(cv2.imdecode(coded[1], cv2.IMREAD_COLOR), dtype=np.uint8)
    if crop.shape[0] != side:
        interpolations = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
        crop = _resize(crop, side, interpolations[rng.integers(4)])
    return crop


def spoil(crop: Pixels, rng: Rng) -> Pixels:
    """A crop that is unusable: a few pixels, or hardly any light."""
    side = crop.shape[0]
    if happens(rng, 0.6):
        return _resize(
            _resize(crop, int(rng.integers(3, 8)), cv2.INTER_AREA), side, cv2.INTER_CUBIC
        )
    dark = crop * rng.uniform(0.0, 0.05) + rng.standard_normal(crop.shape) * rng.uniform(0, 5)
    return np.clip(dark, 0, 255).astype(np.uint8)


def _resize(pixels: Pixels, side: int, interpolation: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=interpolation), dtype=np.uint8)


def normalise(pixels: Pixels) -> NDArray[np.float32]:
    """(N, S, S, 3) bytes to (N, 3, S, S) about 0, as the judge's image processor does it."""
    return np.ascontiguousarray((pixels.transpose(0, 3, 1, 2) / 127.5 - 1) * 2, dtype=np.float32)
