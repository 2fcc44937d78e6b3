"""People found and missed in frames of clips, where YOLOX-nano is sure of them.

    python -m tests.benchmarks.clips PEERS VIDEO... [--weights FILE] [--frames 40] [--score 0.35]

Frames lie at even distances. People: those to whom YOLOX-nano gives 0.5 or more and who are at
least a ninth of the frame high. Found: a box of ours overlaps by 0.4; each box counts once.
Unknown: our boxes where YOLOX-nano finds no person at any score. It errs, too: look as well.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from monitor.detect.yolo import Yolo
from monitor.domain import Detection, Frame, Kind
from tests.benchmarks.detector import EMBEDDED, make_frame, say
from tests.benchmarks.detector_peers import YoloxNano

SURE, FAINT, SAME, HIGH = 0.5, 0.1, 0.4, 1 / 9


def shown(video: Path, count: int) -> Iterator[Frame]:
    """So many frames of a video, at even distance."""
    with av.open(str(video)) as container:
        total = sum(1 for _ in container.decode(video=0))
    wanted = {round((n + 0.5) * total / count - 0.5) for n in range(count)}
    with av.open(str(video)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number in wanted:
                yield make_frame(np.asarray(picture.to_ndarray(format="bgr24"), dtype=np.uint8))


def people(found: list[Detection], score: float) -> list[Detection]:
    """Those given as much."""
    return [one for one in found if one.kind is Kind.PERSON and one.score >= score]


def matched(ours: list[Detection], there: list[Detection]) -> int:
    """How many of those there have a box of ours, one each, the best overlaps first."""
    pairs = [
        (one.box.iou(other.box), mine, theirs)
        for mine, one in enumerate(ours)
        for theirs, other in enumerate(there)
    ]
    taken: set[int] = set()
    given: set[int] = set()
    for share, mine, theirs in sorted(pairs, reverse=True):
        if share >= SAME and mine not in taken and theirs not in given:
            taken.add(mine)
            given.add(theirs)
    return len(given)


def main() -> None:
    """Print a row for each video."""
    words = argparse.ArgumentParser(prog="python -m tests.benchmarks.clips")
    words.add_argument("peers", type=Path)
    words.add_argument("videos", type=Path, nargs="+")
    words.add_argument("--weights", type=Path, default=EMBEDDED)
    words.add_argument("--frames", type=int, default=40)
    words.add_argument("--score", type=float, default=0.35)
    words.add_argument("--px", type=int, default=512)
    given = words.parse_args()
    ours = Yolo(given.weights, input_px=given.px, min_scores={Kind.PERSON: given.score})
    peer = YoloxNano(given.peers)
    for video in given.videos:
        there = found = boxes = unknown = 0
        for picture in shown(video, given.frames):
            (mine,), (theirs,) = ours.detect([picture]), peer.detect([picture])
            seen = [one for one in mine if one.sure]
            least = HIGH * picture.height
            high = [p for p in people(theirs, SURE) if p.box.height >= least]
            faint = people(theirs, FAINT)
            there, boxes = there + len(high), boxes + len(seen)
            found += matched(seen, high)
            unknown += sum(all(m.box.iou(f.box) < SAME for f in faint) for m in seen)
        say(f"{video.stem:22} there {there:4}  found {found:4}  boxes {boxes:4}  unknown {unknown}")


if __name__ == "__main__":
    main()
