"""What a soak says: a line for each minute, and what the whole of it comes to."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from tests.support.camera_bench import Resources

WARM = 0.25  # of the reports, the first ones, in which caches and pools still fill
HEAD = (
    f"{'min':>6} {'faults':>7} {'reconnects':>10} {'fds':>4} {'threads':>7} {'MB':>6} {'frames':>7}"
    f" {'rate':>5} {'p50 ms':>6} {'p95':>6} {'p99':>6} {'max':>6}  stuck"
)


@dataclass(frozen=True)
class Lags:
    """How long frames waited, in whole milliseconds: takes no more room however many they are."""

    counts: Counter[int] = field(default_factory=Counter)

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Self:
        """Of some frames."""
        return cls(Counter(round(1000 * one) for one in seconds))

    @property
    def frames(self) -> int:
        """How many there were."""
        return self.counts.total()

    def within(self, share: float) -> int:
        """Milliseconds that this share of the frames waited at most; 0 without frames."""
        left = share * self.frames
        for milliseconds in sorted(self.counts):
            left -= self.counts[milliseconds]
            if left <= 0:
                return milliseconds
        return max(self.counts, default=0)

    def __str__(self) -> str:
        return " ".join(f"{self.within(share):6d}" for share in (0.5, 0.95, 0.99, 1))


@dataclass(frozen=True)
class Report:
    """One line: what was so at one moment, and the lags since the last."""

    minutes: float
    faults: int
    reconnects: int
    held: Resources
    lags: Lags
    stuck: Sequence[str]
    share: float = 1.0  # of the full rate that was looked at

    def __str__(self) -> str:
        return (
            f"{self.minutes:6.1f} {self.faults:7d} {self.reconnects:10d} {self.held.descriptors:4d}"
            f" {self.held.threads:7d} {self.held.resident_mb:6.0f} {self.lags.frames:7d}"
            f" {100 * self.share:4.0f}% {self.lags}  {', '.join(self.stuck) or '-'}"
        )


def growth(reports: Sequence[Report], what: str) -> float:
    """What an hour adds to one of the things held: the slope of a straight line through them.

    Args:
        reports: Two or more, of different minutes.
        what: The name of a field of Resources.
    """
    minutes = [report.minutes for report in reports]
    held = [float(getattr(report.held, what)) for report in reports]
    return 60 * statistics.linear_regression(minutes, held).slope


def verdict(reports: Sequence[Report]) -> tuple[list[str], bool]:
    """What it comes to, line by line, and whether no camera was stuck."""
    stuck = sorted({name for report in reports for name in report.stuck})
    lags = Lags(sum((report.lags.counts for report in reports), Counter()))
    lines = [
        f"{lags.frames} frames waited, in ms (50 %, 95 %, 99 %, longest): {lags}",
        f"stuck: {', '.join(stuck) or 'none'}",
    ]
    warm = reports[int(WARM * len(reports)) :]
    if len(warm) > 1:
        for what in ("descriptors", "threads", "resident_mb"):
            first, last = (getattr(report.held, what) for report in (warm[0], warm[-1]))
            lines.append(
                f"{what}: {first:.0f} at {warm[0].minutes:.0f} min, {last:.0f} at"
                f" {warm[-1].minutes:.0f} min, {growth(warm, what):+.1f} an hour"
            )
    return lines, not stuck
