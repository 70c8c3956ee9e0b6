"""A farm's state for Prometheus, read when somebody asks.

Called by ``emohead farm --metrics-port``. Needs the extra ``farm`` (prometheus-client).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from emohead.closing import Closing
from emohead.errors import BackendError, InputError

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from emohead.farm.tasks import FarmState

__all__ = ["Metrics"]


class Metrics(Closing):
    """Serves ``/metrics`` until it is closed; use it as a context manager.

    Parameters
    ----------
    port : int
        0 for any that is free, see `port`.
    host : str
        Address to listen at.

    Raises
    ------
    BackendError
        If prometheus-client is missing.
    InputError
        If the port cannot be used.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        try:
            from prometheus_client import CollectorRegistry, start_http_server
        except ImportError as err:
            raise BackendError(
                "expected prometheus-client for the metrics, but it cannot be imported; "
                "run `pip install 'emohead[farm]'`"
            ) from err
        self._state: FarmState | None = None
        registry = CollectorRegistry()
        registry.register(self)
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except (OSError, OverflowError) as err:
            raise InputError(
                f"the metrics cannot be served at {host}:{port} ({err}): choose another port"
            ) from err
        self.port = int(self._server.server_port)
        """Port that is listened at."""

    def watch(self, state: FarmState) -> None:
        """Take a state to tell of; changes of it are seen without another call."""
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; called by prometheus-client in its own thread."""
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        state = self._state
        if state is None:
            return
        jobs = CounterMetricFamily("emohead_farm_jobs", "Jobs by outcome.", labels=["outcome"])
        for outcome, count in state.counts().items():
            jobs.add_metric([outcome], count)
        yield jobs
        counters: dict[str, tuple[str, Callable[[FarmState], float]]] = {
            "lines": ("Lines of the file of jobs looked at.", lambda s: s.read),
            "frames": ("Frames rendered.", lambda s: s.frames),
            "job_seconds": ("Time spent on finished videos.", lambda s: s.job_seconds),
            "retries": ("Tries after the first.", lambda s: s.retried),
            "worker_deaths": ("Workers that died.", lambda s: s.deaths),
        }
        for name, (text, value) in counters.items():
            yield CounterMetricFamily(f"emohead_farm_{name}", text, value=value(state))
        workers = tuple(state.workers)
        ready = sum(w.is_ready for w in workers)
        family = GaugeMetricFamily("emohead_farm_workers", "Workers.", labels=["state"])
        family.add_metric(["ready"], ready)
        family.add_metric(["loading"], len(workers) - ready)
        yield family
        in_hand = sum(len(w.tasks) for w in workers)
        yield GaugeMetricFamily("emohead_farm_jobs_in_hand", "Jobs being rendered.", value=in_hand)
        elapsed = time.monotonic() - state.began
        yield GaugeMetricFamily("emohead_farm_elapsed_seconds", "Since the start.", value=elapsed)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
