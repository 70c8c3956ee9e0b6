"""Numbers for Prometheus, in a registry of the service's own.

Called by ``guard.py``, ``desk.py`` and the live streams.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

__all__ = ["Metrics"]


class Metrics:
    """Everything that ``/metrics`` shows."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "emohead_requests",
            "Answers, by method, route and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "emohead_request_seconds",
            "Time from a request to the end of its answer, by route.",
            ["route"],
            registry=self.registry,
        )
        self.renders = Counter(
            "emohead_renders", "Renders that ended, by state.", ["state"], registry=self.registry
        )
        self.frames = Counter(
            "emohead_frames", "Frames of finished renders.", registry=self.registry
        )
        self.live_frames = Counter(
            "emohead_live_frames", "Pictures sent by live streams.", registry=self.registry
        )
        self.queued = Gauge("emohead_renders_queued", "Renders that wait.", registry=self.registry)
        self.running = Gauge(
            "emohead_renders_running", "Renders being made.", registry=self.registry
        )
        self.live = Gauge("emohead_live_streams", "Live streams open.", registry=self.registry)

    def text(self) -> bytes:
        """Write them down in Prometheus's text format, version 0.0.4."""
        return generate_latest(self.registry)
