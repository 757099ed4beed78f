"""This process's own figures for Prometheus; what the whole installation says of itself is added at each scrape."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Readings(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class Metrics:
    """Counters of one API process, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "forewarn_api_requests", "Answered requests", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "forewarn_api_request_seconds",
            "Time from request to the end of its answer, event streams left out",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0),
            registry=self._registry,
        )
        self.streams = Gauge("forewarn_api_streams", "Open event streams", registry=self._registry)
        self.streams_dropped = Counter(
            "forewarn_api_streams_dropped",
            "Event streams ended because the client was too slow",
            registry=self._registry,
        )

    def record_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one answered request under its route's template, never under its path."""
        self._requests.labels(method, route, str(status)).inc()
        if not route.endswith("/events/stream"):
            self._seconds.labels(route).observe(seconds)

    def render(self, installation: list[Metric]) -> bytes:
        """The exposition text: this process's counters and the given figures of the installation."""
        extra = CollectorRegistry()
        extra.register(_Readings(list(installation)))
        return generate_latest(self._registry) + generate_latest(extra)
