"""What pictures may cost while there is little to see, or too much."""

from typing import Annotated

from pydantic import Field

from monitor.config.section import Section
from monitor.config.sources import AnalysisRate


class Economy(Section):
    """Where a live camera may be looked at less; recordings that are replayed never are."""

    motion_gate: bool = True
    """Ask the detector only while something moves or somebody is in view."""
    look_around_s: Annotated[float, Field(ge=0.2, le=60)] = 2
    """Ask it this often anyway: who stands still must be found too."""
    key_frames_only: bool = True
    """Decode only key frames while nothing moves and nobody is in view."""
    least_fps: AnalysisRate = 2
    """Under overload, analysis_fps of all cameras is lowered together, down to this."""
