"""Fetching one picture or recording from a web address."""

import http.client
import urllib.error
import urllib.request

from monitor.errors import SourceRejectedError, SourceUnavailableError

LIMIT_BYTES = 20 * 1024 * 1024
_TIMEOUT_S = 15.0


def fetched(url: str) -> bytes:
    """The bytes at an ``http`` or ``https`` address.

    Raises:
        SourceRejectedError: It is no address, the server has no such thing, or it is too large.
        SourceUnavailableError: The server cannot be reached, or breaks off.
    """
    place = shown(url)
    if not url.startswith(("http://", "https://")):
        raise SourceRejectedError("only http and https addresses are fetched")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310  (checked above)
            data: bytes = answer.read(LIMIT_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise SourceRejectedError(f"{place}: {error.code} {error.reason}") from None
    except (http.client.InvalidURL, ValueError):  # whose text may hold a password
        raise SourceRejectedError(
            f"{place}: not an address; check its host and port, and write spaces as %20"
        ) from None
    except http.client.HTTPException as error:
        raise SourceUnavailableError(
            f"{place}: the server's answer is broken ({type(error).__name__}); try again"
        ) from None
    except OSError as error:  # URLError is one
        reason = getattr(error, "reason", error)
        raise SourceUnavailableError(f"{place}: cannot be fetched: {reason}") from None
    if len(data) > LIMIT_BYTES:
        raise SourceRejectedError(f"{place}: larger than 20 MB; give a shorter or smaller file")
    return data


def shown(url: str) -> str:
    """An address as it may stand in a message: nothing of a password, no query."""
    if "@" in url:  # what is before it may be a password, wherever it seems to end
        return "the address"
    return url.partition("#")[0].partition("?")[0]
