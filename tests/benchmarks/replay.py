"""How long a replay takes beside the least that it could take, and beside what others do.

    python -m tests.benchmarks.replay [VIDEO] [ROUNDS]

Four ways through one recording, in turn, in this process; medians over the rounds, of the
clock on the wall and of all cores together. Those that detect use the embedded detector's
weights, its input size and five pictures a second. Our seconds also contain what follows the
detector: judge, alerts, files. Without a video it makes one of 1920 by 1080. What ultralytics
needs to track comes with the extra ``benchmark``.
"""

import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import av
import cv2

from monitor.build import load_models
from monitor.config.schema import ReplayConfig
from monitor.replay.player import Replay, Summary
from monitor.runtime.clock import RecordingClock
from monitor.runtime.resources import find_bundled
from tests.support.clips import panning, write_clip

FPS = 5
INPUT_PX = 416
WEIGHTS = find_bundled("models") / "detector" / "monitor-detector.pt"


def decoded_only(video: Path) -> None:
    """The least: PyAV decodes every picture, with as many threads, and no analysis."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.thread_count = "AUTO", 0
        for _ in container.decode(stream):
            pass


def tracked_by_ultralytics(video: Path) -> None:
    """What the library's own manual recommends for a video."""
    from ultralytics import YOLO

    found = YOLO(str(WEIGHTS)).track(
        str(video), stream=True, vid_stride=stride(video), imgsz=INPUT_PX, verbose=False
    )
    for _ in found:
        pass


def looped_naively(video: Path) -> None:
    """What one finds in most tutorials: read a picture, ask the model if it is one's turn."""
    from ultralytics import YOLO

    model, every, number = YOLO(str(WEIGHTS)), stride(video), 0
    capture = cv2.VideoCapture(str(video))
    while True:
        there, picture = capture.read()
        if not there:
            break
        if number % every == 0:
            model(picture, imgsz=INPUT_PX, verbose=False)
        number += 1
    capture.release()


def stride(video: Path) -> int:
    """Every how many pictures make five a second."""
    with av.open(str(video)) as container:
        return max(round(float(container.streams.video[0].average_rate or FPS) / FPS), 1)


def ours(summaries: list[Summary]) -> Callable[[Path], None]:
    """A replay with all its files; the models are loaded before."""
    config, clock = ReplayConfig(), RecordingClock()
    replay = Replay(config, load_models(config.detector, config.judge, clock), clock)

    def play(video: Path) -> None:
        """Play it once."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            summaries.append(replay.play(video, out, annotate=False, progress=lambda _: None))

    return play


def timed(
    ways: Mapping[str, Callable[[Path], None]], video: Path, rounds: int
) -> dict[str, tuple[float, float]]:
    """Median seconds and processor seconds of each way; one round before does not count."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for n in range(rounds + 1):
        for name, way in ways.items():
            started, worked = time.perf_counter(), time.process_time()
            way(video)
            if n:
                taken = time.perf_counter() - started, time.process_time() - worked
                seconds[name].append(taken)
    return {
        name: (statistics.median(wall), statistics.median(cores))
        for name, taken in seconds.items()
        for wall, cores in [zip(*taken, strict=True)]
    }


def main() -> None:
    """Print the table, and where our time goes."""
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does
    given = sys.argv[1:]
    rounds = int(given[1]) if len(given) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.mp4"
        if given:
            video = Path(given[0])
        else:
            video = write_clip(made, panning(90, width=1920, height=1080), fps=30)
        summaries: list[Summary] = []
        ways = {
            "monitor replay": ours(summaries),
            "PyAV, decoding only": decoded_only,
            "ultralytics track": tracked_by_ultralytics,
            "cv2 and YOLO": looped_naively,
        }
        if importlib.util.find_spec("lap") is None:
            print("ultralytics track is left out: pip install 'monitor[benchmark]'")  # noqa: T201
            del ways["ultralytics track"]
        taken = timed(ways, video, rounds)
    own, worked = taken["monitor replay"]
    print(f"{'':22}{'seconds':>9}{'ours / it':>11}{'cores':>9}{'ours / it':>11}")  # noqa: T201
    for name, (seconds, cores) in taken.items():
        ratios = f"{seconds:9.2f}{own / seconds:11.2f}{cores:9.2f}{worked / cores:11.2f}"
        print(f"{name:22}{ratios}")  # noqa: T201
    print("\nwhere our time goes, ms; decode and detect alongside the others")  # noqa: T201
    for stage in summaries[-1].stage_ms:
        middle = statistics.median(summary.stage_ms[stage] for summary in summaries[1:])
        print(f"  {stage:12}{middle:9.0f}")  # noqa: T201


if __name__ == "__main__":
    main()
