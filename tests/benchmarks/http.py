"""How long ``POST /v1/face-occlusion`` takes for a 640 by 480 JPEG, and for how many at once.

    python -m tests.benchmarks.http [REQUESTS] [CLIENTS ...]

A ``monitor serve`` of its own, with the embedded models, is asked by 1 and by 8 clients, then
by 200 at once. Latency is from connecting to the last byte of the answer. The hosted product
states 15,000 ms.
"""

import asyncio
import base64
import json
import statistics
import sys
import time
from collections import Counter
from urllib.parse import urlsplit

import cv2

from tests.stress.http_fuzz import served
from tests.support.clips import photo
from tests.support.fakes_http import head

CROWD = 200


def body() -> bytes:
    """The request: a photo with a face."""
    jpeg = cv2.imencode(".jpg", cv2.resize(photo(), (640, 480)))[1].tobytes()
    return json.dumps({"base64_image": base64.b64encode(jpeg).decode()}).encode()


async def asked(port: int, content: bytes) -> tuple[int, float]:
    """The status of one request, and milliseconds until the whole answer was there."""
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head(len(content)) + content)
    lines = [await reader.readline()]
    while lines[-1] not in {b"\r\n", b""}:
        lines.append(await reader.readline())
    length = next(int(line[15:]) for line in lines if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)
    writer.close()
    return int(lines[0].split()[1]), 1000 * (time.perf_counter() - started)


async def row(port: int, content: bytes, clients: int, each: int) -> str:
    """One line of the table: so many clients, each one request after the other."""

    async def client() -> list[tuple[int, float]]:
        """One of them."""
        return [await asked(port, content) for _ in range(each)]

    started = time.perf_counter()
    found = [
        one for some in await asyncio.gather(*(client() for _ in range(clients))) for one in some
    ]
    took_s = time.perf_counter() - started
    good = sorted(ms for status, ms in found if status == 200)
    counts = ", ".join(f"{n} x {code}" for code, n in sorted(Counter(s for s, _ in found).items()))
    p50, p95 = statistics.median(good), good[min(len(good) - 1, round(0.95 * len(good)))]
    line = f"{clients:>7} {p50:>8.0f} {p95:>8.0f} {good[-1]:>8.0f} {len(good) / took_s:>10.1f}"
    return f"{line}  {counts}\n"


def main(requests: int, clients: list[int]) -> None:
    """Measure and print."""
    content = body()
    sys.stdout.write("clients   p50 ms   p95 ms   max ms  answers/s  statuses\n")
    with served() as (url, _):
        port = urlsplit(url).port or 80
        asyncio.run(row(port, content, 1, 5))  # the first ones set the models up
        for count in clients:
            sys.stdout.write(asyncio.run(row(port, content, count, max(1, requests // count))))
        sys.stdout.write(asyncio.run(row(port, content, CROWD, 1)))


if __name__ == "__main__":
    given = list(map(int, sys.argv[1:]))
    main(given[0] if given else 200, given[1:] or [1, 8])
