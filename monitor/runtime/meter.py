"""Measures the time that each stage takes."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class StageMeter:
    """Adds up the wall-clock time of each stage. Not thread-safe: one per thread."""

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the block's time to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - started)

    def add(self, stage: str, seconds: float) -> None:
        """Add time that was measured elsewhere."""
        self._seconds[stage] += seconds  # type: ignore[assignment]  # a Counter of floats

    def get_totals_ms(self) -> Mapping[str, float]:
        """Milliseconds per stage since the start."""
        return {stage: 1000 * seconds for stage, seconds in self._seconds.items()}
