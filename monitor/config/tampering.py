"""When a camera counts as tampered with: it sends pictures, but they show nothing of use."""

from typing import Annotated

from pydantic import Field, PositiveFloat

from monitor.config.section import Section
from monitor.domain import Severity, TamperingReason

_Seconds = Annotated[float, Field(gt=0, le=3600)]


class Tampering(Section):
    """What is watched for, and for how long it must hold."""

    reasons: tuple[TamperingReason, ...] = tuple(TamperingReason)
    """Those that are left out are never reported."""
    severity: Severity = Severity.ALERT
    """Of the alerts; ``ignore`` publishes none and leaves it at the camera's state."""
    image_frozen_after_s: _Seconds = 20
    """The very same picture while time runs; longer than two key frames are apart."""
    lens_covered_after_s: _Seconds = 3
    """Nothing to be seen at all, or all light gone at once."""
    image_too_dark_after_s: _Seconds = 10
    """Too dark to tell anybody, where the light went slowly."""
    image_too_blurry_after_s: _Seconds = 10
    """Far less sharp than usual: breath, spider webs, a turned lens."""
    global_scene_change_after_s: _Seconds = 10
    """Another view than usual."""
    clear_after_s: PositiveFloat = 3
    """It must be well for this long before it is over."""

    def after_s(self, reason: TamperingReason) -> float:
        """How many seconds a reason must hold."""
        seconds: float = getattr(self, f"{reason}_after_s")
        return seconds
