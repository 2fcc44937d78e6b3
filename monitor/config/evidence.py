"""How long the pictures of alerts are kept."""

from pydantic import PositiveFloat

from monitor.config.section import Section


class EvidenceDays(Section):
    """Days by outcome; null keeps them for ever."""

    confirmed: PositiveFloat | None = 90
    """The verifier agreed."""
    unverified: PositiveFloat | None = 30
    """It did not answer, or there is none."""
    rejected: PositiveFloat | None = 7
    """It did not agree."""
    note: PositiveFloat | None = 7
    """Of severity ``note``, and not verified."""
