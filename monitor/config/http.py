"""Settings of the HTTP API."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from monitor.config.section import Section

Port = Annotated[int, Field(ge=0, le=65535)]


class Fetching(Section):
    """The addresses that pictures and recordings may be fetched from."""

    hosts: tuple[str, ...] = ()
    """Allowed host names; empty allows all public hosts."""
    private_networks: tuple[str, ...] = ()
    """Allowed private networks, such as 10.1.0.0/16."""
    timeout_s: Annotated[float, Field(gt=0, le=8)] = 4
    """For one fetch, including redirects."""

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
    """The HTTP API."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Port = 8470
    """0 takes a free port; the log names it."""
    token_file: Path | None = None
    """A file with the bearer token that callers must send; required unless ``host`` is local."""
    waiting: Annotated[int, Field(ge=1, le=64)] = 8
    """Requests in work or waiting; further ones get status 429."""
    limit_s: Annotated[float, Field(ge=1, le=10)] = 10
    """Time limit for receiving a request, and for answering it."""
    quality_is_occlusion: bool = True
    """Whether a face that is too blurred, dark or cut off counts as occluded."""
    analysis_fps: Annotated[float, Field(ge=2, le=30)] = 2
    """Frames per second of a recording that are analysed."""
    fetch: Fetching | None = None
    """None refuses ``image_url`` and ``video_url``."""

    @model_validator(mode="after")
    def _token_unless_local(self) -> Self:
        try:
            local = ip_address(self.host).is_loopback
        except ValueError:
            local = self.host == "localhost"
        if not local and self.token_file is None:
            raise ValueError(
                "other machines can reach this host: name a token_file, or use 127.0.0.1"
            )
        return self
