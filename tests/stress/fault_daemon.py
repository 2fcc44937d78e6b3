"""A whole daemon that raises many alerts a second, to be killed by the fault matrix.

    python -m tests.stress.fault_daemon CONFIG

Everything is the real thing but the models: the detector sees the same people in every
picture, and the judge finds them covered and free in turn, so that alerts come and go.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from monitor.build import Models
from monitor.config import load_config
from monitor.daemon.run import run
from monitor.domain import Detection, Frame, HeadCrop, JudgeName, Verdict
from monitor.geometry import Box
from monitor.runtime import logs
from tests.support.fakes import head, person, verdict

PEOPLE = 4
SETTINGS: dict[str, object] = {
    "policy": {"min_crops": 1, "cooldown_s": 0, "half_life_s": 0.05},
    "scheduler": {"recheck_clear_s": 0.1, "recheck_doubtful_s": 0.1, "crops_per_s": 100},
}


class Crowd:
    """A Detector that finds the same people in every picture of 640 by 360."""

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        found = []
        for left in range(10, 10 + 150 * PEOPLE, 150):
            found.append(person(Box(left, 40, left + 120, 340)))
            found.append(head(Box(left + 40, 55, left + 80, 105)))
        return [found for _ in frames]


class Flicker:
    """A Judge that finds everybody covered for half a second, then free for the next."""

    name = JudgeName("flicker", "1")

    def judge(self, crops: Sequence[HeadCrop]) -> list[Verdict]:
        return [
            verdict(
                crop.subject,
                crop.moment.seconds,
                0.99 if (2 * crop.moment.seconds + crop.subject / PEOPLE) % 2 < 1 else 0.01,
                camera=crop.camera,
            )
            for crop in crops
        ]

    def explain(self, crop: HeadCrop) -> str:
        return f"number {crop.subject}"


def main(config: Path) -> None:
    """Run until killed."""
    logs.start("info")
    run(load_config(config), Models(Crowd(), Flicker(), batch=8))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
