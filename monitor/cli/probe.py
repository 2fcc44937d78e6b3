"""What ``monitor check --probe`` says of each camera."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from monitor.config.sources import Camera, FileSource, FolderSource, Source
from monitor.errors import MonitorError, SourceUnavailableError
from monitor.ingest.file import probe as file_facts
from monitor.ingest.live.hardware import SOFTWARE
from monitor.ingest.live.probe import CameraFacts, examine
from monitor.runtime.clock import SystemClock

AT_ONCE = 8  # cameras that are looked at together
SKEW_S = 2.0  # beyond this the clock deserves a word
LARGE_PX = 1_000_000  # a stream of more pixels than this is worth replacing by a smaller one
RARE_KEYS_S = 4.0  # key frames that far apart make a camera slow to come back


def looked_at(cameras: Mapping[str, Camera]) -> Iterator[tuple[str, bool]]:
    """A line for each stream of each camera, and whether it is as it should be. Takes seconds."""
    streams: dict[str, Source] = {}
    for name, camera in cameras.items():
        streams[f"camera {name}"] = camera.source
        if camera.main is not None:
            streams[f"camera {name}, main stream"] = camera.main
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for name, (said, well) in zip(streams, pool.map(_line, streams.values()), strict=True):
            yield f"{name}: {said}", well


def _line(source: Source) -> tuple[str, bool]:
    try:
        return _said(source), True
    except MonitorError as error:
        return str(error), False


def _said(source: Source) -> str:
    match source:
        case FileSource(path=path):
            info = file_facts(path)
            length = "" if info.duration_s is None else f", {info.duration_s:.0f} s long"
            return f"{info.codec} {info.width}x{info.height}, {info.fps:.1f} pictures/s{length}"
        case FolderSource(path=path):
            if not path.is_dir():
                raise SourceUnavailableError(f"{path}: no such folder; create it or mend path")
            return f"folder {path} is there"
        case _:
            return described(examine(source, SystemClock()))


def described(facts: CameraFacts) -> str:
    """What one stream is like, in one line, with what could be better about it."""
    keys = "no second key frame came"
    if facts.key_frames_s is not None:
        keys = f"a key frame every {facts.key_frames_s:.1f} s"
    parts = [
        f"{facts.codec} {facts.width}x{facts.height}, {facts.fps:.1f} pictures/s, {keys}",
        f"{facts.megabits_s:.1f} Mbit/s",
        _cost(facts),
        _clock(facts.skew_s),
    ]
    if facts.width * facts.height > LARGE_PX:
        parts.append("its small stream would do, if it has one")
    if facts.key_frames_s is None or facts.key_frames_s > RARE_KEYS_S:
        parts.append(f"set a key frame every {RARE_KEYS_S / 2:.0f} s or less")
    return "; ".join(parts)


def _cost(facts: CameraFacts) -> str:
    cost = f"takes {100 * facts.core:.0f} % of a core"
    if facts.decoder != SOFTWARE:
        return f"decoding all of it by {facts.decoder} {cost}"
    why = f", in software ({facts.not_by})" if facts.not_by else ""
    return f"decoding all of it {cost}{why}"


def _clock(skew_s: float | None) -> str:
    if skew_s is None:
        return "it does not say what time it is"
    if abs(skew_s) < SKEW_S:
        return "its clock is right"
    return f"its clock is {abs(skew_s):.0f} s {'ahead' if skew_s > 0 else 'behind'}; set it by NTP"
