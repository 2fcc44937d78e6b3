"""Opening a live source, and saying why it cannot be opened."""

import av

from monitor.config.sources import LiveSource
from monitor.errors import SourceError, SourceUnavailableError
from monitor.ingest.address import address_of, distrust
from monitor.ingest.av_errors import translated
from monitor.runtime.clock import Clock


def opened(source: LiveSource, clock: Clock) -> av.container.InputContainer:
    """The open stream. What FFmpeg says after a time-out depends on what it was doing.

    Raises:
        ConfigError: Its password file or ca_file is missing.
        SourceRejectedError: The camera refuses us, or we do not trust it.
        SourceUnavailableError: Anything else, and no picture within ``open_timeout_s``.
    """
    address, started = address_of(source), clock.seconds()
    too_late = SourceUnavailableError(
        f"opening {address.place}: no answer in {source.open_timeout_s:g} s"
    )
    try:
        with translated(f"opening {address.place}", address.broken):
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
