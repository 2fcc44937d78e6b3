"""Settings of the alert policy, and its presets for banks, schools and shops."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from monitor.config.section import Fraction, Section
from monitor.domain import Covering, Severity

_ALL = dict.fromkeys(Covering, Severity.ALERT) | {
    Covering.NONE: Severity.IGNORE,
    Covering.AWAY: Severity.IGNORE,
}
_WHOLE_HEAD = dict.fromkeys(
    (Covering.BALACLAVA, Covering.HARD_MASK, Covering.HELMET), Severity.CRITICAL
)
_EVERYDAY = {  # worn or done by visitors of schools and shops all day
    Covering.MASK: Severity.IGNORE,
    Covering.MASK_INCORRECT: Severity.IGNORE,
    Covering.SUNGLASSES: Severity.IGNORE,
    Covering.HAND_OBJECT: Severity.IGNORE,
}

PRESETS: Mapping[str, Mapping[Covering, Severity]] = {
    # configs/README.md gives the reasons.
    "replay": _ALL | _WHOLE_HEAD,
    "bank": _ALL
    | _WHOLE_HEAD
    | {Covering.SUNGLASSES: Severity.NOTE, Covering.HAND_OBJECT: Severity.IGNORE},
    "school": _ALL
    | _WHOLE_HEAD
    | _EVERYDAY
    | {Covering.HELMET: Severity.NOTE, Covering.SCARF: Severity.NOTE},
    "retail": _ALL | _WHOLE_HEAD | _EVERYDAY | {Covering.HELMET: Severity.ALERT},
}


class Policy(Section):
    """When verdicts become an alert, and the severity of each covering."""

    preset: Literal["replay", "bank", "school", "retail"] = "replay"
    """The table to start from."""
    severity: dict[Covering, Severity] = Field(default_factory=dict)
    """Changes to the preset: covering to ignore, note, alert or critical."""
    raise_at: Fraction = 0.9
    """Fused probability of a covered face at which an alert is raised."""
    clear_at: Fraction = 0.3
    """Fused probability below which a raised alert ends: the face is free again."""
    min_crops: PositiveInt = 3
    """Crops that must agree before an alert is raised."""
    half_life_s: PositiveFloat = 4
    """The weight of a crop halves in this time."""
    evidence_limit: PositiveFloat = 6
    """Bound of the fused log-odds, so that old evidence can be outweighed."""
    cooldown_s: Annotated[float, Field(ge=0)] = 30
    """A subject that stays in view raises no second alert for this long after one ended."""

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Self:
        if self.clear_at >= self.raise_at:
            raise ValueError("clear_at must be below raise_at")
        return self

    def get_severities(self) -> Mapping[Covering, Severity]:
        """The severity of each covering: the preset with the changes applied."""
        return {**PRESETS[self.preset], **self.severity}
