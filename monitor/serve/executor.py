"""Answers requests on threads of our own: a few that fetch files, one that judges."""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from fastapi import HTTPException

from monitor.errors import SourceRejectedError
from monitor.serve import OcclusionRequest, OcclusionService
from monitor.serve.admission import RETRY_S, Busy, Slot
from monitor.serve.messages import FaceOcclusionRequest

_FETCHERS = 4
_RESERVE = 0.3  # of the time limit; with less than that left, judging does not begin
_GRACE_S = 0.5  # an answer this much after the time limit is still sent


class Late(Exception):  # noqa: N818  (not a failure of ours: the queue was too long)
    """A request waited too long to be judged in time."""


@dataclass(frozen=True, slots=True)
class Job:
    """A request whose content has arrived."""

    request: OcclusionRequest
    deadline: float  # on time.monotonic
    reserve_s: float


class RequestExecutor:
    """Answers requests. Used from the event loop; ``close`` waits for the threads.

    A request keeps its slot while its work goes on, even when the caller has left or the time is
    up: work that runs cannot be stopped, and more of it must not run beside it.
    """

    def __init__(self, service: OcclusionService, limit_s: float) -> None:
        self._service = service
        self._limit_s = limit_s
        self._fetching = ThreadPoolExecutor(_FETCHERS, thread_name_prefix="http-fetch")
        self._judging = ThreadPoolExecutor(1, thread_name_prefix="http-judge")

    def close(self) -> None:
        """Cancel waiting work, and wait for running work to end."""
        self._fetching.shutdown(cancel_futures=True)
        self._judging.shutdown(cancel_futures=True)

    async def execute(self, request: FaceOcclusionRequest, slot: Slot) -> Mapping[str, object]:
        """The contract's JSON for one request.

        Raises:
            Busy: Its turn came too late.
            HTTPException: 503, it took too long.
            SourceError: The content is missing or cannot be judged.
            JudgeError: The model gave no answer.
        """
        deadline = time.monotonic() + self._limit_s
        fetching = self._fetching.submit(self._fetch_content, request, deadline)
        judging: Future[Mapping[str, object]] | None = None
        try:
            async with asyncio.timeout(self._limit_s + _GRACE_S):
                job = await asyncio.wrap_future(fetching)
                judging = self._judging.submit(self._judge_content, job)
                return await asyncio.wrap_future(judging)
        except (Late, asyncio.CancelledError):
            raise Busy from None
        except TimeoutError:
            detail = f"no answer within {self._limit_s:g} s; retry later"
            raise HTTPException(503, detail, {"Retry-After": str(RETRY_S)}) from None
        finally:
            slot.leave_after(judging or fetching)

    def _fetch_content(self, request: FaceOcclusionRequest, deadline: float) -> Job:
        """The request with its content, decoded from base64 or fetched."""
        wanted = request.decode()
        if wanted.url is not None:
            content = self._service.fetch_file(wanted.url, deadline)
            wanted = replace(wanted, content=content, url=None)
        if not wanted.content:
            raise SourceRejectedError("the file is empty")
        return Job(wanted, deadline, _RESERVE * self._limit_s)

    def _judge_content(self, job: Job) -> Mapping[str, object]:
        if time.monotonic() > job.deadline - job.reserve_s:
            raise Late
        return self._service.judge_faces(job.request, job.deadline)
