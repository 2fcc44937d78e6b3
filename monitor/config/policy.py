"""The settings of the alert policy, and the presets for banks, schools and shops."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from monitor.config.section import Fraction, Section
from monitor.domain import Covering, Severity

_ALL = dict.fromkeys(Covering, Severity.ALERT) | {
    Covering.NONE: Severity.IGNORE,
    Covering.AWAY: Severity.IGNORE,
}
_HEAVY = (Covering.BALACLAVA, Covering.HARD_MASK, Covering.HELMET)

PRESETS: Mapping[str, Mapping[Covering, Severity]] = {
    # Everything but none and away is reported.
    "replay": _ALL | dict.fromkeys(_HEAVY, Severity.CRITICAL),
    "bank": _ALL
    | dict.fromkeys(_HEAVY, Severity.CRITICAL)
    | {Covering.SUNGLASSES: Severity.NOTE, Covering.HAND_OBJECT: Severity.IGNORE},
    "school": _ALL
    | {
        Covering.BALACLAVA: Severity.CRITICAL,
        Covering.HARD_MASK: Severity.CRITICAL,
        Covering.MASK: Severity.IGNORE,
        Covering.MASK_INCORRECT: Severity.IGNORE,
        Covering.SCARF: Severity.NOTE,
        Covering.SUNGLASSES: Severity.IGNORE,
        Covering.HAND_OBJECT: Severity.IGNORE,
    },
    "retail": _ALL
    | {
        Covering.BALACLAVA: Severity.CRITICAL,
        Covering.HARD_MASK: Severity.CRITICAL,
        Covering.MASK: Severity.IGNORE,
        Covering.MASK_INCORRECT: Severity.IGNORE,
        Covering.SCARF: Severity.NOTE,
        Covering.SUNGLASSES: Severity.IGNORE,
        Covering.HAND_OBJECT: Severity.IGNORE,
    },
}


class Policy(Section):
    """When verdicts become an alert, and how much each covering matters."""

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
    """Evidence counts half after this long."""
    evidence_limit: PositiveFloat = 6
    """Bound of the fused log-odds, so that old evidence can be outweighed."""
    cooldown_s: Annotated[float, Field(ge=0)] = 30
    """The same subject raises no second alert for this long after one ended."""

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Self:
        if self.clear_at >= self.raise_at:
            raise ValueError("clear_at must be below raise_at")
        return self

    def table(self) -> Mapping[Covering, Severity]:
        """What each covering leads to: the preset with the changes applied."""
        return {**PRESETS[self.preset], **self.severity}
