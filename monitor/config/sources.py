"""Where pictures come from: cameras, streams, recordings."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, field_validator

from monitor.config.section import Name, Section

AnalysisRate = Annotated[float, Field(ge=2, le=60)]
"""Frames per second; with fewer than two, nobody could be followed from one to the next."""


class _Network(Section):
    """What every source on a network has in common."""

    schemes: ClassVar[tuple[str, ...]]
    """What ``url`` may begin with."""
    url: str
    """Without credentials; those come from ``username`` and ``password_file``."""
    username: str | None = None
    password_file: Path | None = None
    """Read at start. With ``LoadCredential=``: ``/run/credentials/<unit>/<name>``."""
    open_timeout_s: PositiveFloat = 5
    """Give up connecting after this long, and try again."""
    silence_limit_s: PositiveFloat = 5
    """Reconnect after this long without a picture."""

    @field_validator("url")
    @classmethod
    def _plain_address(cls, url: str) -> str:
        # Anywhere: a password that was not encoded may reach into what looks like the path.
        if "@" in url:
            raise ValueError(
                "must not contain credentials; use username and password_file "
                "(an @ elsewhere is written %40)"
            )
        if not cls._has_place(url):
            beginnings = " or ".join(f"{scheme}://HOST" for scheme in cls.schemes)
            raise ValueError(f"must begin with {beginnings}, then :PORT if it needs one")
        return url

    @classmethod
    def _has_place(cls, url: str) -> bool:
        """Whether scheme, host and port can be read and used."""
        try:
            parts = urlsplit(url)
            return parts.scheme in cls.schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:  # its text may hold what is best not repeated
            return False


class RtspSource(_Network):
    """A network camera."""

    schemes = ("rtsp", "rtsps")
    kind: Literal["rtsp"]
    transport: Literal["tcp", "udp"] = "tcp"


class HttpSource(_Network):
    """A live stream over HTTP: MJPEG, HLS or progressive video."""

    schemes = ("http", "https")
    kind: Literal["http"]


class FileSource(Section):
    """A recording, played once at its recorded speed; ``monitor replay`` is the fast way."""

    kind: Literal["file"]
    path: Path


Source = Annotated[RtspSource | HttpSource | FileSource, Field(discriminator="kind")]


class Camera(Section):
    """One camera and how closely it is watched."""

    source: Source
    analysis_fps: AnalysisRate = 5
    """Frames per second that are looked at; the others are decoded and dropped."""
    zone: Name | None = None
    """A name for the place, carried in every alert."""
