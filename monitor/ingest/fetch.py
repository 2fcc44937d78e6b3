"""Fetching one picture or recording from a web address."""

import urllib.error
import urllib.request

from monitor.errors import SourceRejectedError, SourceUnavailableError

LIMIT_BYTES = 20 * 1024 * 1024
_TIMEOUT_S = 15.0


def fetched(url: str) -> bytes:
    """The bytes at an ``http`` or ``https`` address.

    Raises:
        SourceRejectedError: The server has no such thing, or it is too large.
        SourceUnavailableError: The server cannot be reached.
    """
    if not url.startswith(("http://", "https://")):
        raise SourceRejectedError("only http and https addresses are fetched")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310  (checked above)
            data: bytes = answer.read(LIMIT_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise SourceRejectedError(f"the server answers {error.code} {error.reason}") from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SourceUnavailableError(f"the address cannot be fetched: {reason}") from None
    if len(data) > LIMIT_BYTES:
        raise SourceRejectedError("larger than 20 MB; give a shorter or smaller file")
    return data
