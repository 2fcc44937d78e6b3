"""How to reach the broker, with every file read and every setting checked."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from monitor.config.schema import Mqtt, Tls
from monitor.errors import BrokerUnavailableError, ConfigError


@dataclass(frozen=True, slots=True)
class MqttCredentials:
    """What a connection needs to know. Its text form does not show the password."""

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
    def of(cls, settings: Mqtt) -> Self:
        """Read the files that the settings name.

        Raises:
            ConfigError: One of them is missing, unreadable or of no use.
        """
        if settings.password_file is not None and settings.username is None:
            raise ConfigError("mqtt: password_file is set but username is not; set both")
        return cls(
            host=settings.host,
            port=settings.port,
            username=settings.username,
            password=None if settings.password_file is None else _secret(settings.password_file),
            tls=None if settings.tls is None else _context(settings.tls),
            keepalive_s=settings.keepalive_s,
            ack_timeout_s=settings.ack_timeout_s,
        )

    @classmethod
    def now(cls, settings: Mqtt) -> Self:
        """As ``of``, later on: a password or a certificate may be mended without a restart.

        Raises:
            BrokerUnavailableError: A file cannot be used at the moment.
        """
        try:
            return cls.of(settings)
        except ConfigError as error:
            raise BrokerUnavailableError(str(error)) from error


def _secret(path: Path) -> str:
    """The first line of a file, whatever ends it."""
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except OSError as error:
        raise ConfigError(f"mqtt.password_file {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        # "from None": the original quotes the file's bytes.
        raise ConfigError(f"mqtt.password_file {path}: is not UTF-8 text") from None


def _context(tls: Tls) -> ssl.SSLContext:
    """Certificates and host names are always verified."""
    if tls.key_file is not None and tls.certificate_file is None:
        raise ConfigError("mqtt.tls: key_file is set but certificate_file is not; set both")
    reading = tls.ca_file
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.certificate_file is not None:
            reading = tls.certificate_file
            # The empty password makes an encrypted key an error instead of a question.
            context.load_cert_chain(tls.certificate_file, tls.key_file, password="")
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"mqtt.tls: {reading}: {error.strerror or error}") from error
    return context
