"""The pictures the judge is trained on, prepared once and kept on disk as arrays.

``real`` holds the labelled crops, ``scenes`` wider views of labelled heads and heads that
are turned away, ``background`` squares without faces, and each ``synthetic-NNN`` a few
thousand faces with drawn coverings. More of those may appear while a training runs.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.demo.drawing import Floats, LandmarkedFace, Rng, happens
from monitor.train.judge.faces import (
    SIDE,
    HeadSample,
    Landmarks,
    cut_backgrounds,
    cut_loose_heads,
    find_turned_heads,
    read_crop,
    read_rows,
    read_scenes,
)
from monitor.train.judge.leave_out import name_drawn_source
from monitor.train.synthesis.dress import dress
from monitor.train.synthesis.innocent import Overlays

_MAX_DIFFERENCE: Final = 7.0  # mean, in grey levels, of two thumbnails of one picture
_LABELS: Final = {"not_a_face": "away"}  # no face in view
_TIGHT: Final = ("utkface", "lfw", "chandrikadeb7")  # sources that show little but the face
_WIDE: Final = ("scenes", "natural")  # sources whose faces were found by a detector
_FACE_UNITS: Final = 2.6  # the longer side of a face box, in distances of the eyes


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """Samples of one file. The pixels stay on disk until they are read.

    Args:
        pixels: (N, SIDE, SIDE, 3) uint8, blue-green-red.
        frames: (N, 3): x and y of the face's middle, and its longer side, in pixels.
        keys: (N,) answers with their detail.
        sources: (N,) where each came from.
    """

    pixels: NDArray[np.uint8]
    frames: Floats
    keys: list[str]
    sources: list[str]


def write_shard(path: Path, samples: Iterable[HeadSample]) -> int:
    """Write samples beside each other; the table comes last, so a half shard is no shard.

    Pictures that another training has mapped stay as they are: files are replaced whole.
    """
    samples_list = list(samples)
    frames = np.array([(*s.middle, s.face_px) for s in samples_list], np.float32)
    keys = np.array([s.key for s in samples_list])
    sources = np.array([s.source for s in samples_list])
    with TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        np.save(part.with_suffix(".npy"), np.stack([s.pixels for s in samples_list]))
        np.savez(part.with_suffix(".npz"), frames=frames, keys=keys, sources=sources)
        for suffix in (".npy", ".npz"):
            part.with_suffix(suffix).replace(path.with_suffix(suffix))
    return len(samples_list)


def read_shard(path: Path) -> Shard:
    """Open a shard by the path of its table."""
    table = np.load(path)
    pixels = np.load(path.with_suffix(".npy"), mmap_mode="r")
    return Shard(pixels, table["frames"], table["keys"].tolist(), table["sources"].tolist())


def read_real_samples(folder: Path, landmarks: Landmarks) -> Iterator[HeadSample]:
    """The train split of a labelled folder."""
    for path, label, source in read_rows(folder, "train"):
        pixels = read_crop(path)
        face, face_px, found = landmarks.find_face(pixels)
        middle = face.points.mean(axis=0) if found else np.array([SIDE / 2, SIDE / 2])
        if label == "away" or not found:
            middle = np.array([SIDE / 2, SIDE / 2])
        name = f"{source}+" if found else source  # "+": its landmarks can be trusted
        key = _LABELS.get(label, label)
        yield HeadSample(pixels, (float(middle[0]), float(middle[1])), face_px, key, name)


def cut_scene_samples(heads: Path, scenes: Path, landmarks: Landmarks) -> Iterator[HeadSample]:
    """Wide views of heads whose crop is labelled in ``heads``, and turned heads."""
    rows = [r for r in read_rows(heads, "train") if r[2] in ("andrewmvd", "jolignier")]
    thumbnails = np.stack([_read_thumbnail(path) for path, _, _ in rows])
    for scene in read_scenes(scenes):
        for sample, thumb in cut_loose_heads(scene):
            differences = np.abs(thumbnails - thumb.astype(np.int16).ravel()).mean(axis=1)
            best = int(differences.argmin())
            if differences[best] < _MAX_DIFFERENCE:
                label = rows[best][1]
                yield HeadSample(sample.pixels, sample.middle, sample.face_px, label, "scenes")
        yield from find_turned_heads(scene, landmarks)


def _read_thumbnail(path: Path) -> NDArray[np.int16]:
    """A crop as 16 by 16 by 3 numbers."""
    small = cv2.resize(read_crop(path), (16, 16), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.int16).ravel()


class Wardrobe:
    """Clear faces to dress, half of them in loose framing, and backgrounds to set them before.

    Args:
        shards: Those called real and scenes.
        background: The shard called background.
        landmarks: Finds the faces of the scenes' samples.
    """

    def __init__(
        self,
        shards: list[Shard],
        background: Shard,
        landmarks: Landmarks,
    ) -> None:
        self._groups: dict[bool, list[tuple[LandmarkedFace, str]]] = {True: [], False: []}
        self._background = background.pixels
        for shard in shards:
            for i, (key, source) in enumerate(zip(shard.keys, shard.sources, strict=True)):
                trusted = landmarks.is_blind or source.endswith("+") or source in _WIDE
                if key != "none" or not trusted:
                    continue
                face, _, found = landmarks.find_face(np.array(shard.pixels[i]))
                if found or landmarks.is_blind:
                    self._groups[source.rstrip("+") not in _TIGHT].append((face, source))
        if not self._groups[True]:
            self._groups[True] = self._groups[False]

    def draw_samples(self, count: int, overlays: Overlays, rng: Rng) -> Iterator[HeadSample]:
        """Faces with something drawn on them."""
        for _ in range(count):
            group = self._groups[happens(rng, 0.55) or not self._groups[False]]
            face, source = group[rng.integers(len(group))]
            behind = np.array(self._background[rng.integers(len(self._background))])
            dressed = dress(face, behind, overlays, rng)
            x, y = dressed.face.points.mean(axis=0).tolist()
            face_px = min(_FACE_UNITS * dressed.face.unit_px, float(SIDE))
            yield HeadSample(
                dressed.face.pixels, (x, y), face_px, dressed.key, name_drawn_source(source)
            )


def prepare_shards(heads: Path, scenes: Path, landmarks: Landmarks, folder: Path, rng: Rng) -> None:
    """Write the shards real, scenes and background, unless they exist."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "real.npz").exists():
        write_shard(folder / "real", read_real_samples(heads, landmarks))
    if not (folder / "scenes.npz").exists():
        write_shard(folder / "scenes", cut_scene_samples(heads, scenes, landmarks))
    if not (folder / "background.npz").exists():
        squares = chain.from_iterable(cut_backgrounds(scene, rng) for scene in read_scenes(scenes))
        blank = (SIDE / 2, SIDE / 2)
        write_shard(
            folder / "background",
            (HeadSample(pixels, blank, SIDE / 2, "away", "background") for pixels in squares),
        )


def prepare_extra_shards(folders: Sequence[Path], landmarks: Landmarks, folder: Path) -> None:
    """Write a shard for each further folder of labelled crops, unless it exists."""
    for number, heads in enumerate(folders):
        path = folder / f"more-{number:03d}"
        if not path.with_suffix(".npz").exists():
            write_shard(path, read_real_samples(heads, landmarks))


@dataclass(frozen=True, slots=True)
class Amount:
    """How many synthetic pictures: shards of so many each, drawn from a seed."""

    shards: int
    size: int
    seed: int


def draw_shards(folder: Path, landmarks: Landmarks, overlays: Overlays, amount: Amount) -> None:
    """Write the synthetic shards that do not exist yet."""
    paths = [folder / f"synthetic-{number:03d}.npz" for number in range(amount.shards)]
    if all(path.exists() for path in paths):
        return
    names = ("real", "scenes", "natural")
    sources = [read_shard(p) for name in names if (p := folder / f"{name}.npz").exists()]
    wardrobe = Wardrobe(sources, read_shard(folder / "background.npz"), landmarks)
    for number, path in enumerate(paths):
        if not path.exists():
            rng = np.random.default_rng((amount.seed, number))
            write_shard(path, wardrobe.draw_samples(amount.size, overlays, rng))
