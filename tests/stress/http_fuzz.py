"""Mutated pictures and clips for the HTTP API: an answer or a refusal, never worse.

    python -m tests.stress.http_fuzz 1000 200

sends so many mutated pictures and clips to a ``monitor serve`` of its own with the embedded
models, and prints the statuses, the slowest answer, and the most memory that the server and
its decoding process ever held.
"""

import base64
import contextlib
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from tests.support.clips import panning, photo, write_clip
from tests.support.pictures import encoded, image

PATH = "/v1/face-occlusion"
START_S = 300.0
LIMIT_S = 12.0  # the server's own limit is 10 s
ALLOWED = {200, 413, 415, 422}


@dataclass
class Outcome:
    """How the requests were answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    most_mb: float = 0.0  # resident, server and decoding process together
    odd: list[str] = field(default_factory=list)
    limit_s: float = LIMIT_S  # for one answer

    @property
    def table(self) -> str:
        """For people."""
        counts = ", ".join(f"{code}: {count}" for code, count in sorted(self.statuses.items()))
        return (
            f"{self.statuses.total()} sent; {counts}; slowest {self.slowest_s:.2f} s; "
            f"most memory {self.most_mb:.0f} MB; odd: {len(self.odd)}"
        )


def originals(folder: Path) -> tuple[list[bytes], list[bytes]]:
    """Whole pictures of all kinds, and clips of all containers."""
    small = image(np.ascontiguousarray(photo()[::2, ::2]))
    moving = {"save_all": True, "append_images": [small.rotate(9), small.rotate(18)]}
    pictures = [
        *(encoded(small, kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")),
        *(encoded(small, kind, **moving) for kind in ("GIF", "WEBP")),
        encoded(small.convert("CMYK"), "JPEG"),
        encoded(small, "JPEG", progressive=True),
    ]
    names = ("a.mp4", "a.mkv", "a.avi", "a.ts")
    return pictures, [write_clip(folder / name, panning(20)).read_bytes() for name in names]


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, cut out, doubled, or much of it lost; the first bytes mostly stay."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 3, 10, 100))):
        at = chance.randrange(chance.choice((0, 12, 12)), len(changed))
        length = min(chance.choice((1, 2, 4, 64, 1000)), len(changed) - at)
        match chance.randrange(5):
            case 0:
                changed[at : at + length] = chance.randbytes(length)
            case 1:
                changed[at : at + length] = bytes([chance.choice((0, 0xFF, 0x7F, 0x80))] * length)
            case 2:
                changed[at] ^= 1 << chance.randrange(8)
            case 3 if len(changed) > 2000:
                del changed[at : at + length]
            case _:
                changed[at:at] = changed[at : at + length]
    if chance.random() < 0.1:
        del changed[chance.randrange(12, len(changed)) :]
    return bytes(changed)


def attack(url: str, contents: Sequence[bytes], outcome: Outcome, pids: Sequence[int]) -> None:
    """Send each and note what happens. A server that dies ends this with an error.

    Raises:
        httpx.HTTPError: The server is gone, or does not answer in time.
    """
    with httpx.Client(base_url=url, timeout=outcome.limit_s) as client:
        for content in contents:
            body = {"base64_image": base64.b64encode(content).decode()}
            started = time.monotonic()
            response = client.post(PATH, json=body)
            outcome.slowest_s = max(outcome.slowest_s, time.monotonic() - started)
            outcome.statuses[response.status_code] += 1
            outcome.most_mb = max(outcome.most_mb, sum(map(peak_mb, pids)))
            if response.status_code not in ALLOWED:
                outcome.odd.append(f"{response.status_code} {response.text[:200]}")


def peak_mb(pid: int) -> float:
    """The most memory a process and its children ever held, each at its own time; megabytes."""
    found = 0.0
    with contextlib.suppress(OSError, IndexError):
        status = Path(f"/proc/{pid}/status").read_text()
        found = int(status.split("VmHWM:")[1].split()[0]) / 1024
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += sum(map(peak_mb, map(int, (task / "children").read_text().split())))
    return found


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    """The address and the process of a ``monitor serve`` of our own, within the block."""
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-m", "monitor", "serve", "--port", "0"]
        process = subprocess.Popen(command, stderr=log)  # noqa: S603
        try:
            yield _address(process, log.fileno()), process.pid
            if process.poll() is not None:
                raise SystemExit(f"the server ended with status {process.returncode}")
        finally:
            process.terminate()
            process.wait(START_S)


def _address(process: "subprocess.Popen[bytes]", log: int) -> str:
    """Where it says that it listens."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        said = Path(f"/proc/self/fd/{log}").read_text()
        if "answering on " in said:
            return said.partition("answering on ")[2].split()[0]
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def main(pictures: int, clips: int, seed: int = 1) -> Outcome:
    """Attack a server with so many of each."""
    chance, outcome = random.Random(seed), Outcome()  # noqa: S311  (the same each time)
    with tempfile.TemporaryDirectory() as folder, served() as (url, pid):
        whole, films = originals(Path(folder))
        attack(
            url, [mutated(chance.choice(whole), chance) for _ in range(pictures)], outcome, [pid]
        )
        sys.stdout.write(f"pictures: {outcome.table}\n")
        sys.stdout.flush()
        attack(url, [mutated(chance.choice(films), chance) for _ in range(clips)], outcome, [pid])
        sys.stdout.write("\n".join([f"with clips: {outcome.table}", *outcome.odd, ""]))
    return outcome


if __name__ == "__main__":
    raise SystemExit(1 if main(*map(int, sys.argv[1:])).odd else 0)
