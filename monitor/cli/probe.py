"""``monitor check --probe``: describes each camera's stream."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from monitor.config.sources import Camera, FileSource, FolderSource, Source
from monitor.errors import MonitorError, SourceUnavailableError
from monitor.ingest.file import probe_file
from monitor.ingest.live.hardware import SOFTWARE
from monitor.ingest.live.probe import StreamInfo, probe_stream
from monitor.runtime.clock import SystemClock

PARALLEL = 8  # cameras probed at the same time
MAX_SKEW_S = 2.0  # of a camera's clock
LARGE_PX = 1_000_000  # for a larger stream, a smaller one is recommended
RARE_KEYS_S = 4.0  # key frames this far apart make reconnecting slow


def probe_cameras(cameras: Mapping[str, Camera]) -> Iterator[tuple[str, bool]]:
    """For each stream of each camera, a line about it, and whether it works. Takes seconds."""
    streams: dict[str, Source] = {}
    for name, camera in cameras.items():
        streams[f"camera {name}"] = camera.source
        if camera.main is not None:
            streams[f"camera {name}, main stream"] = camera.main
    with ThreadPoolExecutor(PARALLEL) as pool:
        results = pool.map(_probe_source, streams.values())
        for name, (line, works) in zip(streams, results, strict=True):
            yield f"{name}: {line}", works


def _probe_source(source: Source) -> tuple[str, bool]:
    try:
        return _describe_source(source), True
    except MonitorError as error:
        return str(error), False


def _describe_source(source: Source) -> str:
    match source:
        case FileSource(path=path):
            info = probe_file(path)
            length = "" if info.duration_s is None else f", {info.duration_s:.0f} s long"
            return f"{info.codec} {info.width}x{info.height}, {info.fps:.1f} pictures/s{length}"
        case FolderSource(path=path):
            if not path.is_dir():
                raise SourceUnavailableError(f"{path}: no such folder; create it or correct path")
            return f"folder {path} is there"
        case _:
            return describe_camera(probe_stream(source, SystemClock()))


def describe_camera(facts: StreamInfo) -> str:
    """One stream in one line, with recommendations."""
    keys = "no second key frame came"
    if facts.key_frames_s is not None:
        keys = f"a key frame every {facts.key_frames_s:.1f} s"
    parts = [
        f"{facts.codec} {facts.width}x{facts.height}, {facts.fps:.1f} pictures/s, {keys}",
        f"{facts.megabits_s:.1f} Mbit/s",
        _describe_cost(facts),
        _describe_clock(facts.skew_s),
    ]
    if facts.width * facts.height > LARGE_PX:
        parts.append("its small stream is enough, if it has one")
    if facts.key_frames_s is None or facts.key_frames_s > RARE_KEYS_S:
        parts.append(f"set a key frame every {RARE_KEYS_S / 2:.0f} s or less")
    return "; ".join(parts)


def _describe_cost(facts: StreamInfo) -> str:
    cost = f"takes {100 * facts.core:.0f} % of a core"
    if facts.decoder != SOFTWARE:
        return f"decoding all of it by {facts.decoder} {cost}"
    why = f", in software ({facts.card_reasons})" if facts.card_reasons else ""
    return f"decoding all of it {cost}{why}"


def _describe_clock(skew_s: float | None) -> str:
    if skew_s is None:
        return "it does not say what time it is"
    if abs(skew_s) < MAX_SKEW_S:
        return "its clock is right"
    return f"its clock is {abs(skew_s):.0f} s {'ahead' if skew_s > 0 else 'behind'}; set it by NTP"
