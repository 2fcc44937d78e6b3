"""Stage 8: Answering over HTTP: what covers the faces in a picture, and how the program is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

MediaType: TypeAlias = Literal["image", "video"]


@dataclass(frozen=True, slots=True)
class OcclusionRequest:
    """A picture or recording to judge."""

    media_type: MediaType | None  # None: detected from the content
    url: str | None = None  # where to fetch the content; None if it was sent
    content: bytes = field(default=b"", repr=False)  # the file's bytes
    quality_is_occlusion: bool | None = None  # None: as configured


class OcclusionService(Protocol):
    """Judges the faces in pictures and recordings."""

    def fetch_file(self, url: str, deadline: float) -> bytes:
        """Fetch a file. Thread-safe, and slow.

        Args:
            url: The file's address.
            deadline: On ``time.monotonic``.

        Raises:
            SourceError: It is not allowed, missing, too large or too slow.
        """

    def judge_faces(self, request: OcclusionRequest, deadline: float) -> Mapping[str, object]:
        """The contract's JSON for a request with content. Owned by one thread.

        Raises:
            SourceError: The content cannot be judged.
            JudgeError: The model gave no answer.
        """


@dataclass(frozen=True, slots=True)
class Metric:
    """One number about the program, for ``/metrics``."""

    name: str  # with its unit, as usual for Prometheus; counters end in _total
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class Status(Protocol):
    """The state of the program. Thread-safe, and quick."""

    def list_problems(self) -> Iterable[str]:
        """The parts that do not work now, one word each, such as ``frames`` or ``judge``."""

    def collect_metrics(self) -> Iterable[Metric]:
        """Current numbers; metrics of one name follow each other."""
