"""The broker's address, user and TLS, from the settings and the files they name."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from monitor.config.schema import Mqtt, Tls
from monitor.errors import BrokerUnavailableError, ConfigError


@dataclass(frozen=True, slots=True)
class MqttCredentials:
    """What a connection needs. Its repr does not show the password."""

    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None
    keepalive_s: int
    ack_timeout_s: float

    @property
    def address(self) -> str:
        """``host:port``, for messages."""
        return f"{self.host}:{self.port}"

    @classmethod
    def from_settings(cls, settings: Mqtt) -> Self:
        """Read the files that the settings name.

        Raises:
            ConfigError: One of them is missing, unreadable or invalid.
        """
        if settings.password_file is not None and settings.username is None:
            raise ConfigError("mqtt: password_file is set but username is not; set both")
        return cls(
            host=settings.host,
            port=settings.port,
            username=settings.username,
            password=_read_password(settings.password_file),
            tls=None if settings.tls is None else _build_tls_context(settings.tls),
            keepalive_s=settings.keepalive_s,
            ack_timeout_s=settings.ack_timeout_s,
        )

    @classmethod
    def reload(cls, settings: Mqtt) -> Self:
        """As ``from_settings``, for a reconnect: files may change without a restart.

        Raises:
            BrokerUnavailableError: A file cannot be used now.
        """
        try:
            return cls.from_settings(settings)
        except ConfigError as error:
            raise BrokerUnavailableError(str(error)) from error


def _read_password(path: Path | None) -> str | None:
    """Read the first line of a file, without its line ending."""
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except OSError as error:
        raise ConfigError(f"mqtt.password_file {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        # "from None": the original quotes the file's bytes.
        raise ConfigError(f"mqtt.password_file {path}: is not UTF-8 text") from None


def _build_tls_context(tls: Tls) -> ssl.SSLContext:
    """Build the TLS context. Certificates and host names are always verified."""
    if tls.key_file is not None and tls.certificate_file is None:
        raise ConfigError("mqtt.tls: key_file is set but certificate_file is not; set both")
    reading = tls.ca_file
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.certificate_file is not None:
            reading = tls.certificate_file
            # With an empty password an encrypted key is an error; otherwise Python would prompt.
            context.load_cert_chain(tls.certificate_file, tls.key_file, password="")
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"mqtt.tls: {reading}: {error.strerror or error}") from error
    return context
