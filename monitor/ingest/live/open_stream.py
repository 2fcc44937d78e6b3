"""Opening a live source: what FFmpeg is told, and why it cannot be opened."""

import math
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import av

from monitor.config.sources import DeviceSource, HttpSource, LiveSource, RtspSource
from monitor.errors import ConfigError, SourceError, SourceRejectedError, SourceUnavailableError
from monitor.ingest.frames.av_errors import BROKEN, map_av_errors
from monitor.runtime.clock import Clock

UDP_BUFFER_BYTES = 2_097_152  # a key frame of a 4K camera, in one burst
PROBE_US = "1000000"  # of video that FFmpeg may look at before the first picture comes
PORTS = {"rtsps": 322, "https": 443}
AUTHORITIES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian, Ubuntu, Arch
    Path("/etc/pki/tls/certs/ca-bundle.crt"),  # Fedora, Red Hat
    Path("/etc/ssl/cert.pem"),  # Alpine
)
"""Where systems keep the certificates of the authorities they trust."""


@dataclass(frozen=True, slots=True)
class FfmpegInput:
    """Where a source is, for FFmpeg."""

    place: str  # all of it that may be shown
    url: str = field(repr=False)  # with the password in it
    format: str | None  # None lets FFmpeg find out
    options: Mapping[str, str]
    broken: str = BROKEN  # what it means when it cannot be read, and FFmpeg does not say why


def ffmpeg_input(source: LiveSource) -> FfmpegInput:
    """How to open a source.

    Raises:
        ConfigError: The password file cannot be read.
    """
    match source:
        case DeviceSource():
            place, options = str(source.path), _device_options(source)
            return FfmpegInput(place, place, "v4l2", options, "no camera, or it was unplugged")
        case RtspSource():
            options = _stream_options() | _rtsp_options(source) | _tls_options(source)
        case HttpSource():
            options = _stream_options() | _tls_options(source)
    return FfmpegInput(urlsplit(source.url).netloc, _with_password(source), None, options)


def read_credentials_version(source: LiveSource) -> object:
    """The password file's state, to compare; None without a password file or if it is missing."""
    if isinstance(source, DeviceSource) or source.password_file is None:
        return None
    try:
        state = source.password_file.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_ino, state.st_size


def distrust(source: LiveSource) -> SourceError | None:
    """Why the certificate of a source that could not be opened is refused; None if it is not.

    FFmpeg only says that the connection broke. This asks again, without it.
    """
    if isinstance(source, DeviceSource) or not source.encrypted or not source.check_certificate:
        return None
    parts = urlsplit(source.url)
    port = parts.port or PORTS[parts.scheme]
    try:
        context = ssl.create_default_context(cafile=source.ca_file)
        with (
            socket.create_connection((parts.hostname, port), source.open_timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return SourceRejectedError(
            f"opening {parts.netloc}: its certificate is not trusted ({error.verify_message}); "
            "give its authority's certificate, or its own, as ca_file"
        )
    except OSError:
        return None  # something else is wrong, and FFmpeg has said what


def _stream_options() -> dict[str, str]:
    """What FFmpeg is told of any stream: to begin without measuring the frame rate first.

    It must keep what it reads to begin with ("nobuffer" would not), or the first key frame
    is lost and the picture comes one interval of key frames later.
    """
    return {"fpsprobesize": "0", "analyzeduration": PROBE_US}


def _rtsp_options(source: RtspSource) -> dict[str, str]:
    return {
        "rtsp_transport": source.transport,
        "allowed_media_types": "video",
        "buffer_size": str(UDP_BUFFER_BYTES),
        # PyAV's own time-out cannot end a connection attempt on every system.
        "timeout": str(math.ceil(1e6 * max(source.open_timeout_s, source.silence_limit_s))),
    }


def _tls_options(source: RtspSource | HttpSource) -> dict[str, str]:
    """Whom to trust. FFmpeg's TLS library knows no authorities of its own on most systems.

    Raises:
        ConfigError: There is no such ca_file.
    """
    if not source.encrypted or not source.check_certificate:
        return {}
    if source.ca_file is not None and not source.ca_file.is_file():
        raise ConfigError(f"ca_file {source.ca_file}: no such file; create it or mend its path")
    trusted = source.ca_file or next((path for path in AUTHORITIES if path.is_file()), None)
    return {"tls_verify": "1"} | ({"ca_file": str(trusted)} if trusted is not None else {})


def _device_options(source: DeviceSource) -> dict[str, str]:
    options = {}
    if source.width is not None:
        options["video_size"] = f"{source.width}x{source.height}"
    if source.fps is not None:
        options["framerate"] = f"{source.fps:g}"
    if source.pixel_format is not None:
        options["input_format"] = source.pixel_format
    return options


def _with_password(source: RtspSource | HttpSource) -> str:
    """The URL with the credentials in it. For FFmpeg only, never for a log.

    Raises:
        ConfigError: The password file cannot be read.
    """
    if source.username is None:
        return source.url
    credentials = quote(source.username, safe="")
    if source.password_file is not None:
        try:
            password = source.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"password_file {source.password_file} cannot be read "
                f"({getattr(error, 'strerror', None) or 'not UTF-8'}); create it or mend its path"
            ) from None
        credentials = f"{credentials}:{quote(password, safe='')}"
    parts = urlsplit(source.url)
    return parts._replace(netloc=f"{credentials}@{parts.netloc}").geturl()


def opened(source: LiveSource, clock: Clock) -> av.container.InputContainer:
    """The open stream. What FFmpeg says after a time-out depends on what it was doing.

    Raises:
        ConfigError: Its password file or ca_file is missing.
        SourceRejectedError: The camera refuses us, or we do not trust it.
        SourceUnavailableError: Anything else, and no picture within ``open_timeout_s``.
    """
    address, started = ffmpeg_input(source), clock.seconds()
    too_late = SourceUnavailableError(
        f"opening {address.place}: no answer in {source.open_timeout_s:g} s"
    )
    try:
        with map_av_errors(f"opening {address.place}", address.broken):
            container = av.open(
                address.url,
                format=address.format,
                options=dict(address.options),
                timeout=(source.open_timeout_s, source.silence_limit_s),
            )
    except SourceError as error:
        # Whatever it is called: a PLAY that is not answered is "not permitted".
        if clock.seconds() - started >= source.open_timeout_s:
            raise too_late from None
        raise distrust(source) or error from None
    if clock.seconds() - started < source.open_timeout_s:
        return container
    container.close()  # it has answered, but not sent a picture yet
    raise too_late
