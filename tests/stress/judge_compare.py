"""The same crops through every kind of judge: do they agree, and how long do they take?

    python -m tests.stress.judge_compare FOLDER [COUNT]

FOLDER holds labels.csv with the columns file and split, as for training; the first COUNT
crops of the split ``dev`` are taken, at even distances. Without that column, of all. Each
model is asked here, through an OpenAI-compatible server and through the hosted contract; the
pictures travel as JPEG, so a few verdicts near the border may differ.
"""

import csv
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import cv2

from monitor.build import build_judge, judge_settings
from monitor.config.judges import BynnJudgeSettings as HostedSettings
from monitor.config.judges import OpenAIJudgeSettings as RemoteSettings
from monitor.domain import CameraId, HeadCrop, Pixels, SubjectId, Verdict
from monitor.judge import Judge
from monitor.judge.remote.bynn_judge import BynnJudge
from monitor.judge.remote.openai_judge import OpenAIJudge
from monitor.runtime.clock import SystemClock
from monitor.runtime.resources import find_bundled
from tests.support.fakes import moment
from tests.support.judge_process import JudgeProcess
from tests.support.tiny_models import idefics, llava, qwen

_LIMIT_S: Final = 30.0  # for one answer
_FAMILIES: Final[dict[str, Callable[[Path], Path]]] = {
    "idefics3": idefics,
    "llava": llava,
    "qwen2-vl": qwen,
}


@dataclass(frozen=True, slots=True)
class Row:
    """How one judge did."""

    name: str
    covered: tuple[bool, ...]  # of each crop
    same: float  # share of crops on which it agrees with the same model asked here
    median_ms: float
    p95_ms: float


def read_crops(folder: Path, count: int) -> list[HeadCrop]:
    """Some labelled head crops, as crops."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        files = [row["file"] for row in csv.DictReader(file) if row.get("split", "dev") == "dev"]
    chosen = files[:: max(len(files) // count, 1)][:count]
    pictures = [cast("Pixels", cv2.imread(str(folder / name))) for name in chosen]
    return [
        HeadCrop(CameraId("crops"), SubjectId(n), moment(0), pixels, 40.0)
        for n, pixels in enumerate(pictures)
    ]


def compare(crops: Sequence[HeadCrop], folder: Path, families: Sequence[str]) -> list[Row]:
    """Ask every judge about every crop.

    Args:
        crops: What to judge.
        folder: For the small models and port files.
        families: Which small models to build beside the embedded one.
    """
    models = {"embedded": find_bundled("models") / "judge"}
    models |= {name: _FAMILIES[name](folder / name) for name in families}
    rows: list[Row] = []
    for name, model in models.items():
        here = _row(name, build_judge(judge_settings(model), SystemClock()), crops, None)
        rows.append(here)
        with JudgeProcess(folder, str(model)) as server:
            remote = RemoteSettings(
                kind="openai", url=server.base, model=name, timeout_s=_LIMIT_S, reading="logprobs"
            )
            hosted = HostedSettings(kind="bynn", url=server.hosted, timeout_s=_LIMIT_S)
            asked = OpenAIJudge(remote, SystemClock())
            rows.append(_row(f"{name}, remote", asked, crops, here))
            rows.append(_row(f"{name}, bynn", BynnJudge(hosted, SystemClock()), crops, here))
    return rows


def _row(name: str, judge: Judge, crops: Sequence[HeadCrop], here: Row | None) -> Row:
    verdicts: list[Verdict] = []
    took_ms = []
    judge.judge(crops[:1])  # the first pays for what is made ready on the way
    for crop in crops:
        started = time.perf_counter()
        verdicts += judge.judge([crop])
        took_ms.append(1000 * (time.perf_counter() - started))
    covered = tuple(_covered(verdict) for verdict in verdicts)
    others = covered if here is None else here.covered
    agreed = [one == other for one, other in zip(covered, others, strict=True)]
    p95 = sorted(took_ms)[int(0.95 * (len(took_ms) - 1))]
    return Row(name, covered, statistics.mean(agreed), statistics.median(took_ms), p95)


def _covered(verdict: Verdict) -> bool:
    """Covered or not, as the hosted contract says it: what is no free face is not covered."""
    return verdict.occluded >= 0.5 and verdict.evaluable


def main() -> int:
    """Print the table."""
    crops = read_crops(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100)
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(crops, Path(folder), list(_FAMILIES))
    head = f"{'judge':<20}{'covered':>8}{'as here':>9}{'median ms':>11}{'p95 ms':>8}"
    lines = [f"{len(crops)} crops", head]
    for row in rows:
        counts = f"{sum(row.covered):8}{row.same:9.2f}{row.median_ms:11.1f}{row.p95_ms:8.1f}"
        lines.append(f"{row.name:<20}{counts}")
    print("\n".join(lines))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
