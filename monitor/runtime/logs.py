"""The format of the log."""

import logging
import os
import sys
from typing import ClassVar

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_UNDER_JOURNAL = "%(levelname)s %(name)s: %(message)s"  # the journal writes the time itself


class _OneLine(logging.Formatter):
    """Escapes line breaks and ANSI codes, so that foreign text cannot fake log lines."""

    _ESCAPES: ClassVar[dict[int, str]] = {10: "\\n", 13: "\\r", 27: "\\x1b"}

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (the base's name)
        """The record as one line."""
        return super().formatMessage(record).translate(self._ESCAPES)


def start(level: str = "INFO") -> None:
    """Write records of this level and above to standard error, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine(_UNDER_JOURNAL if "JOURNAL_STREAM" in os.environ else _FORMAT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
