"""Stage 8: Answering over HTTP: what covers the faces in a picture, and how the program is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

MediaType: TypeAlias = Literal["image", "video"]


@dataclass(frozen=True, slots=True)
class OcclusionRequest:
    """One request: what the caller wants judged."""

    media_type: MediaType | None  # None: whatever it turns out to be
    url: str | None = None  # to fetch it from; else
    content: bytes = field(default=b"", repr=False)  # the file's bytes
    quality_is_occlusion: bool | None = None  # None: as configured


class OcclusionService(Protocol):
    """Answers requests."""

    def fetched(self, url: str, deadline: float) -> bytes:
        """The file at an address. Thread-safe, and slow.

        Args:
            url: Where.
            deadline: On ``time.monotonic``.

        Raises:
            SourceError: It is not allowed, not there, too large or too slow.
        """

    def answer(self, request: OcclusionRequest, deadline: float) -> Mapping[str, object]:
        """The contract's JSON for a request with content. One thread's own.

        Raises:
            SourceError: The content cannot be judged.
            JudgeError: The model gives no answer.
        """


@dataclass(frozen=True, slots=True)
class Metric:
    """One number about the program, for ``/metrics``."""

    name: str  # with unit, as Prometheus has it; counters end in _total
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class Status(Protocol):
    """How the program is. Thread-safe, and quick."""

    def problems(self) -> Iterable[str]:
        """What does not work now, one word each, such as ``frames`` or ``judge``."""

    def metrics(self) -> Iterable[Metric]:
        """Numbers to watch; metrics of one name stand together."""
