"""More callers than the HTTP API has slots for, and callers who dawdle."""

import asyncio
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from monitor.config.http import Http
from monitor.serve.server import Server
from tests.support.fakes_http import (
    GOOD,
    LIMIT_S,
    FakeService,
    answering_server,
    head,
    open_service,
    post,
)


def test_when_all_slots_are_taken_the_next_caller_is_told_when_to_come_again() -> None:
    """Before the body is read: only the head is sent."""
    service = FakeService()
    settings = Http(port=0, waiting=2)
    with (
        ThreadPoolExecutor(2) as pool,
        answering_server(service, settings=settings) as server,
    ):
        first = [pool.submit(post, server, GOOD) for _ in range(2)]
        while len(service.requests) < 1 or _running(server) < 2:
            time.sleep(0.01)
        with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as channel:
            channel.sendall(head(99))
            answer = channel.recv(65536)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"\r\nretry-after: 4\r\n" in answer.lower()
        service.gate.set()
        assert [f.result().status_code for f in first] == [200, 200]
        assert post(server, GOOD).status_code == 200


def _running(server: Server) -> float:
    text = httpx.get(server.address + "/metrics").text
    return float(text.split("\nmonitor_http_requests_running ")[1].split()[0])


def test_who_waited_too_long_for_its_turn_is_told_to_come_again() -> None:
    service = FakeService(work_s=0.0)
    with (
        ThreadPoolExecutor(2) as pool,
        answering_server(service, settings=Http(port=0, limit_s=1, waiting=4)) as server,
    ):
        answers = [pool.submit(post, server, GOOD) for _ in range(2)]
        statuses = sorted(f.result().status_code for f in answers)
    assert statuses in ([200, 429], [429, 503])
    assert len(service.requests) == 1


def test_two_hundred_callers_at_once_are_answered_or_sent_away_and_nobody_waits_long() -> None:
    service = FakeService(work_s=0.02)
    service.gate.set()
    with answering_server(service) as server:
        found = asyncio.run(crowd(server.port, 200))
    statuses = [status for status, _ in found]
    assert set(statuses) <= {200, 429}
    assert statuses.count(200) == len(service.requests) >= 8
    assert max(seconds for status, seconds in found if status == 200) < 30, "eight wait at most"


async def crowd(port: int, size: int) -> list[tuple[int, float]]:
    """The status that each of many callers gets who come at once, and after how many seconds."""
    body = json.dumps(GOOD).encode()

    async def call() -> tuple[int, float]:
        """One caller."""
        started = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(len(body)) + body)
        line = await reader.readline()
        writer.close()
        return int(line.split()[1]), time.monotonic() - started

    return list(await asyncio.gather(*(call() for _ in range(size))))


def test_a_sender_who_stops_in_the_middle_holds_no_slot_for_ever() -> None:
    with answering_server(open_service(), settings=Http(port=0, waiting=1, limit_s=1)) as server:
        with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as channel:
            channel.sendall(head(99) + b'{"base64')
        started = time.monotonic()
        while post(server, GOOD).status_code != 200:
            assert time.monotonic() - started < LIMIT_S
        with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as channel:
            channel.sendall(head(99) + b"{")
            assert channel.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_who_sends_no_token_is_refused_before_the_body_is_read() -> None:
    service = open_service()
    with (
        answering_server(service, token="hunter2") as server,  # noqa: S106
        socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as channel,
    ):
        channel.sendall(head(99))
        assert channel.recv(65536).startswith(b"HTTP/1.1 401 ")
    assert service.requests == []
