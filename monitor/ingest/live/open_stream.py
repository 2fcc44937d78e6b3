"""Opening a live source with FFmpeg, and finding out why it cannot be opened."""

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
PROBE_US = "1000000"  # of video that FFmpeg may analyse before the first picture
PORTS = {"rtsps": 322, "https": 443}
CA_FILES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian, Ubuntu, Arch
    Path("/etc/pki/tls/certs/ca-bundle.crt"),  # Fedora, Red Hat
    Path("/etc/ssl/cert.pem"),  # Alpine
)
"""Where systems keep the certificates of trusted authorities."""


@dataclass(frozen=True, slots=True)
class FfmpegInput:
    """What FFmpeg needs to open a source."""

    name: str  # for messages: host and port, or the device
    url: str = field(repr=False)  # with the password in it
    format: str | None  # None: FFmpeg detects it
    options: Mapping[str, str]
    broken: str = BROKEN  # the text for an error of FFmpeg without a reason


def build_ffmpeg_input(source: LiveSource) -> FfmpegInput:
    """Build what FFmpeg needs to open a source.

    Raises:
        ConfigError: The password file cannot be read, or there is no such ca_file.
    """
    match source:
        case DeviceSource():
            name, options = str(source.path), _build_device_options(source)
            return FfmpegInput(name, name, "v4l2", options, "no camera, or it was unplugged")
        case RtspSource():
            options = (
                _build_stream_options() | _build_rtsp_options(source) | _build_tls_options(source)
            )
        case HttpSource():
            options = _build_stream_options() | _build_tls_options(source)
    return FfmpegInput(urlsplit(source.url).netloc, _add_credentials(source), None, options)


def read_credentials_version(source: LiveSource) -> object:
    """Return a value that changes with the password file; None without one."""
    if isinstance(source, DeviceSource) or source.password_file is None:
        return None
    try:
        state = source.password_file.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_ino, state.st_size


def find_certificate_error(source: LiveSource) -> SourceError | None:
    """Return why the certificate of a source that could not be opened is refused, if it is.

    FFmpeg says only that the connection broke. This connects again, without FFmpeg.
    """
    if isinstance(source, DeviceSource) or not source.encrypted or not source.check_certificate:
        return None
    parts = urlsplit(source.url)
    port = parts.port or PORTS[parts.scheme]
    try:
        context = ssl.create_default_context(cafile=source.ca_file)
        with (
            socket.create_connection((parts.hostname, port), source.open_timeout_s) as connection,
            context.wrap_socket(connection, server_hostname=parts.hostname),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return SourceRejectedError(
            f"opening {parts.netloc}: its certificate is not trusted ({error.verify_message}); "
            "give its authority's certificate, or its own, as ca_file"
        )
    except OSError:
        return None  # another error, which FFmpeg has named


def _build_stream_options() -> dict[str, str]:
    """Options of every stream: begin without measuring the frame rate.

    FFmpeg must keep what it reads at the beginning ("nobuffer" would not). Otherwise the
    first key frame is lost, and the first picture comes one key frame interval later.
    """
    return {"fpsprobesize": "0", "analyzeduration": PROBE_US}


def _build_rtsp_options(source: RtspSource) -> dict[str, str]:
    return {
        "rtsp_transport": source.transport,
        "allowed_media_types": "video",
        "buffer_size": str(UDP_BUFFER_BYTES),
        # PyAV's own time-out cannot end a connection attempt on every system.
        "timeout": str(math.ceil(1e6 * max(source.open_timeout_s, source.silence_limit_s))),
    }


def _build_tls_options(source: RtspSource | HttpSource) -> dict[str, str]:
    """Options for TLS. FFmpeg's TLS library has no list of authorities on most systems.

    Raises:
        ConfigError: There is no such ca_file.
    """
    if not source.encrypted or not source.check_certificate:
        return {}
    if source.ca_file is not None and not source.ca_file.is_file():
        raise ConfigError(f"ca_file {source.ca_file}: no such file; create it or correct its path")
    trusted = source.ca_file or next((path for path in CA_FILES if path.is_file()), None)
    return {"tls_verify": "1"} | ({"ca_file": str(trusted)} if trusted is not None else {})


def _build_device_options(source: DeviceSource) -> dict[str, str]:
    options = {}
    if source.width is not None:
        options["video_size"] = f"{source.width}x{source.height}"
    if source.fps is not None:
        options["framerate"] = f"{source.fps:g}"
    if source.pixel_format is not None:
        options["input_format"] = source.pixel_format
    return options


def _add_credentials(source: RtspSource | HttpSource) -> str:
    """Return the URL with the credentials in it: for FFmpeg, never for a log.

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
                f"({getattr(error, 'strerror', None) or 'not UTF-8'}); create it or correct path"
            ) from None
        credentials = f"{credentials}:{quote(password, safe='')}"
    parts = urlsplit(source.url)
    return parts._replace(netloc=f"{credentials}@{parts.netloc}").geturl()


def open_stream(source: LiveSource, clock: Clock) -> av.container.InputContainer:
    """Open a stream.

    Raises:
        ConfigError: Its password file or ca_file is missing.
        SourceRejectedError: The camera refuses, or its certificate is not trusted.
        SourceUnavailableError: Any other error, or no picture within ``open_timeout_s``.
    """
    ffmpeg, started = build_ffmpeg_input(source), clock.seconds()
    late_error = SourceUnavailableError(
        f"opening {ffmpeg.name}: no answer in {source.open_timeout_s:g} s"
    )
    try:
        with map_av_errors(f"opening {ffmpeg.name}", ffmpeg.broken):
            container = av.open(
                ffmpeg.url,
                format=ffmpeg.format,
                options=dict(ffmpeg.options),
                timeout=(source.open_timeout_s, source.silence_limit_s),
            )
    except SourceError as error:
        # Whatever FFmpeg calls it: a PLAY that is not answered is "not permitted".
        if clock.seconds() - started >= source.open_timeout_s:
            raise late_error from None
        raise find_certificate_error(source) or error from None
    if clock.seconds() - started < source.open_timeout_s:
        return container
    container.close()  # it has answered, but sent no picture
    raise late_error
