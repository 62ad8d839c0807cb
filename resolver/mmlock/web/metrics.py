"""What Prometheus reads. Each service has counters of its own: two in one process do not mix."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mmlock.work.model import JobState, Store

__all__ = ["Metrics"]

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The counters of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "mmlock_http_requests",
            "Answers, by route and status.",
            ["route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "mmlock_http_seconds",
            "Seconds to an answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._asked = Counter(
            "mmlock_jobs_asked", "Tasks that were asked for.", ["kind", "known"], registry=self._registry
        )
        self._jobs = Gauge("mmlock_jobs", "Jobs, by state.", ["state"], registry=self._registry)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._answers.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def asked(self, kind: str, *, known: bool) -> None:
        """Count a task, and whether its result was there already."""
        self._asked.labels(kind, "yes" if known else "no").inc()

    def text(self, store: Store) -> bytes:
        """The page that Prometheus reads."""
        counts = store.count()
        for state in JobState:
            self._jobs.labels(state.value).set(counts.get(state, 0))
        return generate_latest(self._registry)
