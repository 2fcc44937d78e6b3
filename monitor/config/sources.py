"""Settings of cameras, streams and recordings."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    field_validator,
    model_validator,
)

from monitor.config.section import Name, Section

AnalysisRate = Annotated[float, Field(ge=2, le=60)]
"""Frames per second; tracking needs at least two."""


DecoderName: TypeAlias = Literal["software", "auto", "cuda", "vaapi", "qsv"]
"""The processor, or a graphics card; ``auto`` takes any card that can decode. Experimental."""


class _Network(Section):
    """Settings of all sources on a network."""

    schemes: ClassVar[tuple[str, ...]]
    """The allowed schemes of ``url``."""
    url: str
    """Without credentials; they come from ``username`` and ``password_file``."""
    username: str | None = None
    password_file: Path | None = None
    """Read at start. With ``LoadCredential=``: ``/run/credentials/<unit>/<name>``."""
    open_timeout_s: PositiveFloat = 5
    """Give up connecting after this long, and try again."""
    silence_limit_s: PositiveFloat = 5
    """Reconnect after this long without a picture."""
    decoder: DecoderName = "software"
    """If a card is missing or fails, software decodes, and the log says so."""
    check_certificate: bool = True
    """With rtsps and https: whether the camera's certificate is checked."""
    ca_file: Path | None = None
    """The authority's certificate, or the camera's own; None takes the system's authorities."""

    @property
    def encrypted(self) -> bool:
        """Whether the address asks for TLS."""
        return urlsplit(self.url).scheme in {"rtsps", "https"}

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
        except ValueError:  # its text may repeat a password
            return False


class RtspSource(_Network):
    """A network camera."""

    schemes = ("rtsp", "rtsps")
    kind: Literal["rtsp"]
    transport: Literal["tcp", "udp", "http"] = "tcp"
    """``http`` is the tunnel through HTTP that passes some firewalls."""

    @model_validator(mode="after")
    def _one_way_to_encrypt(self) -> Self:
        if self.encrypted and self.transport != "tcp":
            raise ValueError("rtsps goes over tcp; leave transport out")
        return self


class HttpSource(_Network):
    """A live stream over HTTP: MJPEG, HLS or progressive video."""

    schemes = ("http", "https")
    kind: Literal["http"]


class FileSource(Section):
    """A recording, played once at its recorded speed; ``monitor replay`` is the fast way."""

    kind: Literal["file"]
    path: Path


class DeviceSource(Section):
    """A camera on this machine: USB or built in (V4L2)."""

    kind: Literal["device"]
    path: Path = Path("/dev/video0")
    width: PositiveInt | None = None
    """Pixels; without width and height, the camera's first format is taken."""
    height: PositiveInt | None = None
    fps: PositiveFloat | None = None
    """Pictures per second to ask the camera for."""
    pixel_format: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")] | None = None
    """``mjpeg`` or ``yuyv422``, say; ``v4l2-ctl --list-formats`` names them."""
    open_timeout_s: PositiveFloat = 5
    silence_limit_s: PositiveFloat = 5
    decoder: DecoderName = "software"

    @model_validator(mode="after")
    def _both_sides_or_none(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("give width and height, or neither")
        return self


class FolderSource(Section):
    """Pictures that appear in a folder, such as a camera's uploads by FTP.

    Every new picture is analysed, in the order of names, also in subfolders.
    """

    kind: Literal["folder"]
    path: Path
    silence_limit_s: PositiveFloat = 60
    """The camera counts as stalled after this long without a new picture."""
    remove: bool = False
    """Whether a picture is deleted once it has been read."""


LiveSource: TypeAlias = RtspSource | HttpSource | DeviceSource
Source = Annotated[LiveSource | FileSource | FolderSource, Field(discriminator="kind")]


class Camera(Section):
    """One camera."""

    source: Source
    main: Annotated[LiveSource, Field(discriminator="kind")] | None = None
    """The camera's large stream of the same view, if ``source`` is the small one. People are found
    in ``source``; heads are cut from this stream, where they are larger."""
    analysis_fps: AnalysisRate = 5
    """Frames per second that are analysed; the others are decoded and dropped."""
    detect_px: Annotated[int, Field(ge=64, le=4096)] | None = None
    """The longer side of the detector's input for this camera; None takes ``input_px``."""
    zone: Name | None = None
    """A name for the place, part of every alert."""

    @model_validator(mode="after")
    def _a_live_small_stream(self) -> Self:
        if self.main is not None and isinstance(self.source, FileSource | FolderSource):
            raise ValueError(f"a {self.source.kind} has no main stream; leave main out")
        return self
