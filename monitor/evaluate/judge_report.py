"""A judge's answers about labelled crops, and the figures computed from them."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

import numpy as np
from scipy.stats import binomtest

from monitor.domain import OCCLUDED, OCCLUDED_FROM, UNUSABLE, Covering

LABELS: Final = (*(covering.value for covering in Covering), UNUSABLE, "not_a_face")
"""Every label that labels.csv may use."""
DECIDED: Final = frozenset({"none", *OCCLUDED} - {Covering.MASK_INCORRECT})
"""The labels that say occluded or clear without doubt; accuracy is taken over these."""

_CONFIDENCE: Final = 0.95
_BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Prediction:
    """The judge's answer about one crop."""

    file: str
    label: str
    covering: str  # the likeliest, or "unusable"
    probability: float  # of occluded, given that the face can be seen
    seconds: float
    evaluable: bool = True  # neither turned away nor unusable, in the judge's answer
    groups: Mapping[str, str] = field(default_factory=dict)  # the groupings given with --by

    @property
    def certainty(self) -> float:
        """Of the likelier of occluded and clear, 0.5..1."""
        return max(self.probability, 1 - self.probability)

    @property
    def right(self) -> bool:
        """Whether the crop is rightly called occluded or clear."""
        return (self.probability >= OCCLUDED_FROM) == (self.label != "none")


@dataclass(frozen=True, slots=True)
class Bin:
    """The decided crops of one level of certainty."""

    low: float  # the least certainty of this level; the levels are 0.1 wide
    count: int
    certainty: float  # the mean
    right: float  # the share called rightly


@dataclass(frozen=True, slots=True)
class JudgeReport:
    """Figures of one judge on one folder. See evaluate for what each means."""

    judge: str
    version: str
    predictions: tuple[Prediction, ...]

    @property
    def decided(self) -> list[Prediction]:
        """The predictions for labels that say occluded or clear."""
        return [p for p in self.predictions if p.label in DECIDED]

    @property
    def right(self) -> int:
        """How many of the decided were called rightly."""
        return sum(p.right for p in self.decided)

    @property
    def accuracy(self) -> float:
        """Share of the decided that were called rightly; 0 when there are none."""
        return self.right / len(self.decided) if self.decided else 0.0

    @property
    def balanced_accuracy(self) -> float:
        """The mean of the clear called clear and the occluded called occluded."""
        shares = [
            sum(p.right for p in group) / len(group)
            for clear in (True, False)
            if (group := [p for p in self.decided if (p.label == "none") is clear])
        ]
        return sum(shares) / len(shares) if shares else 0.0

    @property
    def recall(self) -> dict[str, float]:
        """For each label that occurs and can be answered: the share named exactly so."""
        return self._share_by_label(lambda p: p.covering == p.label)

    @property
    def called_occluded(self) -> dict[str, float]:
        """For each label that occurs and can be answered: the share called occluded."""
        return self._share_by_label(lambda p: p.probability >= OCCLUDED_FROM)

    @property
    def confusion(self) -> dict[str, dict[str, int]]:
        """Label to answer to count."""
        counts = Counter((p.label, p.covering) for p in self.predictions)
        table: dict[str, dict[str, int]] = {}
        for (label, covering), count in sorted(counts.items()):
            table.setdefault(label, {})[covering] = count
        return table

    @property
    def calibration_error(self) -> float:
        """How far the judge's certainty is from how often it is right, 0..1, over ten bins.

        Source:
            Expected calibration error: Guo et al., "On Calibration of Modern Neural
            Networks", 2017.
        """
        if not self.decided:
            return 0.0
        gaps = [abs(b.certainty - b.right) * b.count for b in self.reliability]
        return sum(gaps) / len(self.decided)

    @property
    def reliability(self) -> list[Bin]:
        """How often the judge is right at each level of certainty; empty levels are left out."""
        levels: dict[int, list[Prediction]] = {}
        for prediction in self.decided:
            levels.setdefault(min(int(prediction.certainty * _BINS), _BINS - 1), []).append(
                prediction
            )
        return [
            Bin(
                level / _BINS,
                len(group),
                float(np.mean([p.certainty for p in group])),
                float(np.mean([p.right for p in group])),
            )
            for level, group in sorted(levels.items())
        ]

    @property
    def confidently_wrong(self) -> int:
        """How many of the decided were called wrongly, and not unusable or turned away."""
        return sum(not p.right and p.evaluable for p in self.decided)

    def to_json(self) -> str:
        """The report as JSON, for tools; the keys are a contract."""
        seconds = [p.seconds for p in self.predictions]
        low, high = wilson_interval(self.right, len(self.decided))
        report = {
            "judge": {"name": self.judge, "version": self.version},
            "n": len(self.decided),
            "accuracy": self.accuracy,
            "wilson": [low, high],
            "balanced_accuracy": self.balanced_accuracy,
            "recall": self.recall,
            "called_occluded": self.called_occluded,
            "calibration_error": self.calibration_error,
            "labels": {label: self._count_label(label) for label in self.recall},
            "confidently_wrong": _build_share(self.confidently_wrong, len(self.decided)),
            "reliability": [asdict(each) for each in self.reliability],
            "by": self.by,
            "confusion": self.confusion,
            "seconds_per_crop": {
                "median": float(np.median(seconds)) if seconds else 0.0,
                "p95": float(np.quantile(seconds, 0.95)) if seconds else 0.0,
            },
            "predictions": [asdict(p) for p in self.predictions],
        }
        return json.dumps(report, indent=2) + "\n"

    @property
    def by(self) -> dict[str, dict[str, dict[str, object]]]:
        """For each grouping and each of its values, what was right among the decided."""
        return {
            name: {value: _count_group(group) for value, group in table.items()}
            for name, table in self.group_predictions().items()
        }

    def group_predictions(self) -> dict[str, dict[str, list[Prediction]]]:
        """The decided by grouping and group, in the groups' order."""
        tables: dict[str, dict[str, list[Prediction]]] = {}
        for prediction in self.decided:
            for name, value in prediction.groups.items():
                tables.setdefault(name, {}).setdefault(value, []).append(prediction)
        return {
            name: {value: table[value] for value in sorted(table, key=_sort_key)}
            for name, table in tables.items()
        }

    def format_lines(self) -> list[str]:
        """The report as a person reads it."""
        count = len(self.decided)
        low, high = wilson_interval(self.right, count)
        lines = [
            (
                f"{count} crops: accuracy {self.accuracy:.4f} ({low:.4f} to {high:.4f}), "
                f"balanced {self.balanced_accuracy:.4f}, calibration error "
                f"{self.calibration_error:.3f}, wrong though evaluable {self.confidently_wrong}"
            )
        ]
        for label, share in self.called_occluded.items():
            group = [p for p in self.predictions if p.label == label]
            low, high = wilson_interval(round(share * len(group)), len(group))
            lines.append(
                f"  {label} ({len(group)}): called occluded {share:.3f} "
                f"({low:.3f} to {high:.3f}), named {self.recall[label]:.3f}"
            )
        for name, table in self.group_predictions().items():
            lines.append(f"  by {name}:")
            for value, group in table.items():
                clear = [p for p in group if p.label == "none"]
                alarms = sum(not p.right for p in clear)
                low, high = wilson_interval(alarms, len(clear))
                lines.append(
                    f"    {value}: right {sum(p.right for p in group)} of {len(group)}, "
                    f"false alarms {alarms} of {len(clear)} ({low:.3f} to {high:.3f})"
                )
        return lines

    def _count_label(self, label: str) -> dict[str, object]:
        """Counts and intervals of one label."""
        group = [p for p in self.predictions if p.label == label]
        return {
            "called_occluded": _build_share(
                sum(p.probability >= OCCLUDED_FROM for p in group), len(group)
            ),
            "named": _build_share(sum(p.covering == label for p in group), len(group)),
        }

    def _share_by_label(self, holds: Callable[[Prediction], bool]) -> dict[str, float]:
        groups: dict[str, list[bool]] = {}
        for prediction in self.predictions:
            groups.setdefault(prediction.label, []).append(holds(prediction))
        return {
            label: sum(groups[label]) / len(groups[label])
            for label in LABELS
            if label in groups and label != "not_a_face"
        }


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share; (0, 1) when nothing was counted.

    Source:
        Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    if count == 0:
        return 0.0, 1.0
    interval = binomtest(hits, count).proportion_ci(_CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def _build_share(hits: int, count: int) -> dict[str, object]:
    """A count, its share, and the share's interval."""
    share = hits / count if count else 0.0
    return {"n": count, "hits": hits, "share": share, "wilson": list(wilson_interval(hits, count))}


def _count_group(group: Iterable[Prediction]) -> dict[str, object]:
    """What was right in a group, and the false alarms among its clear faces."""
    decided = list(group)
    clear = [p for p in decided if p.label == "none"]
    return {
        "right": _build_share(sum(p.right for p in decided), len(decided)),
        "false_alarms": _build_share(sum(not p.right for p in clear), len(clear)),
    }


def _sort_key(value: str) -> tuple[float, str]:
    """Sorts "8 to 15" before "16 to 31", and words behind numbers."""
    first = value.split(maxsplit=1)[0] if value else ""
    return (float(first), value) if first.isdecimal() else (math.inf, value)
