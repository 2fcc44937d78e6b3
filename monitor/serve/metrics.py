"""Numbers for Prometheus: the requests so far, and the state of the program."""

from collections.abc import Iterable
from itertools import groupby

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.serve import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 7, 10)


class Metrics:
    """Counts requests, and collects the program's other numbers when asked. Thread-safe."""

    def __init__(self, status: Status) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "monitor_http_requests",
            "Face-occlusion requests answered.",
            ["status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "monitor_http_request_seconds",
            "Time from a request's head to its answer.",
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self.running = Gauge(
            "monitor_http_requests_running",
            "Face-occlusion requests being read, waiting or worked on.",
            registry=self._registry,
        )
        self._registry.register(_MetricsCollector(status))

    def count_request(self, status: int, seconds: float) -> None:
        """Count one answered request.

        Args:
            status: Of the answer, as HTTP has it.
            seconds: From the request's head to the answer.
        """
        self._requests.labels(str(status)).inc()
        self._seconds.observe(seconds)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _MetricsCollector(Collector):
    """The program's own numbers at the moment of the scrape."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """See Collector."""
        for name, group in groupby(self._status.collect_metrics(), key=lambda metric: metric.name):
            metrics = list(group)
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = kind(name, metrics[0].help, labels=list(metrics[0].labels))
            for metric in metrics:
                family.add_metric(list(metric.labels.values()), metric.value)
            yield family
        broken = set(self._status.list_problems())
        ready = GaugeMetricFamily("monitor_ready", "1 while everything works, as /readyz says.")
        ready.add_metric([], float(not broken))
        yield ready
