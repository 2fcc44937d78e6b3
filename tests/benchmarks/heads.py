"""Where the tracker looks for the head of a person without a face, and which face is whose.

    python -m tests.benchmarks.heads SCENES

SCENES holds boxes.csv with people and hand-drawn faces. First it measures, for all people with
one such face that lies in no other person's box, how well the head guessed from the person's
box fits the face. Then it lays pairs of these people over one another (side by side, one behind
the other, a child before an adult), leaves out faces and people at random, and counts which
person each face is given to. No pictures are read.
"""

import argparse
import csv
import math
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from monitor.domain import Detection, Kind
from monitor.geometry import Box, square_around
from monitor.track.bodies import bodies, guessed_head
from tests.benchmarks.detector import say

SHAPES = ((0.0, 1.2), (1.2, 2.2), (2.2, 99.0))  # height of a person's box against its width
SURE = 0.5  # of the teacher who drew the people
SEED, ROUNDS = 1, 1500
FACE_MISSED, PERSON_MISSED = 0.3, 0.15
WIDE = 4000  # pixels across and down of the made-up scenes


class Person(NamedTuple):
    """A person and their face, in pixels of one picture."""

    body: Box
    face: Box


def read(folder: Path) -> list[Person]:
    """All people with one hand-drawn face that lies in no other person's box."""
    rows: dict[str, list[tuple[str, str, Box, float]]] = defaultdict(list)
    with (folder / "boxes.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            box = Box(*(float(row[edge]) for edge in ("x0", "y0", "x1", "y1")))
            rows[row["file"]].append((row["kind"], row["labelled_by"], box, float(row["score"])))
    found = []
    for name, things in rows.items():
        people = [box for kind, _, box, score in things if kind == "person" and score >= SURE]
        for body in people if not name.startswith("thief") else ():
            inside = [
                (by, box) for kind, by, box, _ in things if kind == "face" and holds(body, box)
            ]
            if len(inside) == 1 and inside[0][0] == "human":
                face = inside[0][1]
                if sum(holds(other, face) for other in people) == 1:
                    found.append(Person(body, face))
    return found


def holds(body: Box, face: Box) -> bool:
    """Whether a face's middle lies in a person's box."""
    return body.contains(*face.centre)


def fit(one: Person) -> tuple[float, float, float]:
    """Overlap of guess and face, their distance in face heights, and how much a crop shows."""
    head, face = guessed_head(one.body), one.face
    apart = math.dist(head.centre, face.centre)
    crop = square_around(head, 1.5 * head.longer_side)
    seen = crop.intersection(face) / max(face.area, 1.0)
    return head.iou(face), apart / max(face.height, 1.0), seen


def moved(one: Person, factor: float, right: float, down: float) -> Person:
    """The same person with the top left corner there, so many times as large."""
    left, top = one.body.left, one.body.top
    body, face = (box.move(-left, -top).scale(factor).move(right, down) for box in one)
    return Person(body, face)


def pair(people: list[Person], kind: str, rng: np.random.Generator) -> list[Person]:
    """Two people who overlap; the first is 300 pixels high."""
    first, second = (people[i] for i in rng.integers(0, len(people), 2))
    first = moved(first, 300 / first.body.height, 1000, 1000)
    low, high = {"side by side": (0.8, 1.2), "behind": (0.4, 0.8), "a child": (0.5, 0.7)}[kind]
    size = rng.uniform(low, high)
    aside = {"side by side": (0.25, 0.8), "behind": (-0.3, 0.9), "a child": (-0.2, 0.5)}[kind]
    right = rng.uniform(*aside) * first.body.width
    down = {
        "side by side": rng.uniform(-30, 45),
        "behind": 300 * (1 - size) * rng.uniform(0, 0.6),
        "a child": 300 * (1 - size),
    }[kind]
    factor = 300 * size / second.body.height
    return [first, moved(second, factor, 1000 + right, 1000 + down)]


def bound(shown: list[Person], rng: np.random.Generator) -> tuple[int, int, int]:
    """Of the people of a scene that are seen: right, with a wrong face, without their own."""
    faces = [one.face for one in shown if rng.random() >= FACE_MISSED]
    seen = [one for one in shown if rng.random() >= PERSON_MISSED]
    found = [Detection(Kind.PERSON, one.body, 0.9) for one in seen]
    found += [Detection(Kind.FACE, face, 0.9) for face in faces]
    given = {id(body.person): body.face for body in bodies(found, WIDE, WIDE)}
    right = wrong = without = 0
    for one in seen:
        own = one.face if one.face in faces else None
        face = given[id(one.body)]
        right += face == own
        wrong += face is not None and face != own
        without += face is None and own is not None
    return right, wrong, without


def main() -> None:
    """Print both tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("scenes", type=Path)
    people = [one for one in read(options.parse_args().scenes) if one.body.area > 0]
    fits = np.array([fit(one) for one in people])
    shape = np.array([b.height / max(b.width, 1e-6) for b, _ in people])
    for low, high in ((0.0, 99.0), *SHAPES):
        some = fits[(shape >= low) & (shape < high)]
        say(
            f"height {low:.1f} to {high:.1f} times the width: {len(some):5d} people, "
            f"overlap {some[:, 0].mean():.3f}, distance {np.median(some[:, 1]):.3f} face heights "
            f"(median), part of the face in the crop {some[:, 2].mean():.3f}"
        )
    tall = [one for one in people if one.body.height > 60]
    rng = np.random.default_rng(SEED)
    for kind in ("side by side", "behind", "a child"):
        counts = np.array([bound(pair(tall, kind, rng), rng) for _ in range(ROUNDS)]).sum(0)
        right, wrong, without = counts / counts.sum()
        say(f"{kind:<13} right {right:.3f}, a wrong face {wrong:.3f}, without theirs {without:.3f}")


if __name__ == "__main__":
    main()
