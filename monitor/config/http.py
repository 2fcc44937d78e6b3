"""Settings of the HTTP API."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from monitor.config.section import Section

Port = Annotated[int, Field(ge=0, le=65535)]


class Fetching(Section):
    """Which addresses pictures and recordings are fetched from."""

    hosts: tuple[str, ...] = ()
    """Names that may be asked; none means every one."""
    private_networks: tuple[str, ...] = ()
    """Ranges such as 10.1.0.0/16 that may be asked although they are not public."""
    timeout_s: Annotated[float, Field(gt=0, le=8)] = 4
    """For one fetch, with all its redirects."""

    @field_validator("private_networks")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ip_network(network)
            except ValueError:
                raise ValueError("must be networks such as 10.1.0.0/16 or fd00::/8") from None
        return networks


class Http(Section):
    """Where and to whom the program answers over HTTP."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Port = 8470
    """0 takes any free one; the log tells which."""
    token_file: Path | None = None
    """What callers must send as a bearer token; needed unless ``host`` is this machine's own."""
    waiting: Annotated[int, Field(ge=1, le=64)] = 8
    """Requests that are worked on or wait; further ones are told to come again."""
    limit_s: Annotated[float, Field(ge=1, le=10)] = 10
    """One request takes no longer, from its last byte to the answer, nor to be sent."""
    quality_is_occlusion: bool = True
    """Whether a face too blurred, dark or cut off to see counts as occluded."""
    analysis_fps: Annotated[float, Field(ge=2, le=30)] = 2
    """Frames per second of a recording that are looked at."""
    fetch: Fetching | None = None
    """Unset refuses ``image_url`` and ``video_url``."""

    @model_validator(mode="after")
    def _token_unless_local(self) -> Self:
        try:
            local = ip_address(self.host).is_loopback
        except ValueError:
            local = self.host == "localhost"
        if not local and self.token_file is None:
            raise ValueError("host is open to others: name a token_file, or use 127.0.0.1")
        return self
