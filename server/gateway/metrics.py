"""What Prometheus may see: routes, times and counts. No label names a community, for /metrics needs no key."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from server.fleet.engine import EngineState
from server.fleet.fleet import Fleet
from server.gateway.admin.verdict import Outcome
from server.gateway.admission.gate import Gate
from server.gateway.directory import Directory
from server.gateway.record import Record

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_WAKES = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)
_ROUTES = frozenset(
    {
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/messages",
        "/v1/models",
        "/v1/responses",
        "/v1/usage",
        "/v1/warm",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/admin/v1/status",
    }
)

_ROUTE_STARTS = (("/v1/models/", "/v1/models/{model}"), ("/admin/v1/", "/admin/v1/*"))


class Metrics:
    """One registry for one application, so that two in a process do not mix."""

    def __init__(self, fleet: Fleet, directory: Directory, gate: Gate) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("troupe_requests", "Requests answered.", ["route", "status"], registry=self._registry)
        self._errors = Counter("troupe_errors", "Requests that ended with an error, by code.", ["code"], registry=self._registry)
        self._refusals = Counter("troupe_refusals", "Requests past a limit, by limit and whose.", ["limit", "of"], registry=self._registry)
        self._ttft = Histogram("troupe_ttft_seconds", "Request to first event of a stream.", buckets=_SECONDS, registry=self._registry)
        self._tokens = Counter("troupe_tokens", "Tokens as the engine counted them.", ["kind"], registry=self._registry)
        self._running = Gauge("troupe_requests_running", "Requests being answered.", registry=self._registry)
        self._trials = Counter("troupe_trials", "Adapters tried on the engine, by outcome.", ["outcome"], registry=self._registry)
        self._warm_loads = Counter("troupe_warm_loads", "Adapters loaded ahead of requests.", ["outcome"], registry=self._registry)
        self._wakes = Histogram(
            "troupe_wake_seconds", "From the order to start to an engine that answers.", buckets=_WAKES, registry=self._registry
        )
        self._waits = Histogram("troupe_wait_seconds", "What requests waited for an engine.", buckets=_WAKES, registry=self._registry)
        self._turns = Histogram("troupe_queue_seconds", "What requests waited for their turn.", buckets=_SECONDS, registry=self._registry)
        self._fleet = fleet
        self._registry.register(_FleetCollector(fleet))
        self._registry.register(_DirectoryCollector(directory))
        self._registry.register(_GateCollector(gate))

    def add(self, collector: Collector) -> None:
        """To be asked at each scrape, too."""
        self._registry.register(collector)

    def begin(self) -> None:
        self._running.inc()

    def end(self, record: Record) -> None:
        self._running.dec()
        self._requests.labels(route_of(record.path), f"{record.status // 100}xx" if record.status else "none").inc()
        if record.error is not None:
            self._errors.labels(record.error).inc()
        if record.queued is not None:
            self._turns.observe(record.queued)
        if record.waited is not None:
            self._waits.observe(record.waited)
        if record.first_byte is not None:
            self._ttft.observe(record.first_byte)
        if record.usage is not None:
            self._tokens.labels("prompt").inc(record.usage.prompt)
            self._tokens.labels("completion").inc(record.usage.completion)

    def note_refusal(self, limit: str, owner: str) -> None:
        """`limit`: as of `Limits`; `owner`: `community` or `key`."""
        self._refusals.labels(limit, owner).inc()

    def note_trial(self, outcome: Outcome) -> None:
        self._trials.labels(outcome).inc()

    def note_warm_load(self, outcome: str) -> None:
        """`loaded` or `failed`."""
        self._warm_loads.labels(outcome).inc()

    async def follow_wakes(self) -> None:
        """Observe how long each wake took, until cancelled."""
        seen = self._fleet.wakes
        while True:
            await self._fleet.wait_for_change()
            if self._fleet.wakes != seen and self._fleet.last_wake_seconds is not None:
                seen = self._fleet.wakes
                self._wakes.observe(self._fleet.last_wake_seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _FleetCollector(Collector):
    """Asks when scraped. It only looks: a scrape wakes nobody and keeps nobody awake."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> list[Metric]:
        fleet = self._fleet
        states = GaugeMetricFamily("troupe_engine_state", "1 for the state the engine is in.", labels=["state"])
        for state in EngineState:
            states.add_metric([state], float(fleet.state is state))
        return [
            states,
            GaugeMetricFamily("troupe_requests_waiting", "Requests that wait for an engine.", float(fleet.waiting)),
            GaugeMetricFamily("troupe_requests_in_flight", "Requests that have an engine.", float(fleet.in_flight)),
            CounterMetricFamily("troupe_wakes", "Engines that became ready.", float(fleet.wakes)),
            CounterMetricFamily("troupe_failed_wakes", "Engines that were started and did not become ready.", float(fleet.failed_wakes)),
        ]


class _DirectoryCollector(Collector):
    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def collect(self) -> list[Metric]:
        snapshot, failing = self._directory.snapshot, self._directory.failure is not None
        return [
            GaugeMetricFamily("troupe_registry_revision", "Of the registry, as held here.", float(snapshot.revision if snapshot else 0)),
            GaugeMetricFamily("troupe_registry_failing", "1 while the registry cannot be read.", float(failing)),
        ]


class _GateCollector(Collector):
    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def collect(self) -> list[Metric]:
        gate = self._gate
        return [
            GaugeMetricFamily("troupe_requests_queued", "Requests that wait for their turn.", float(gate.waiting)),
            GaugeMetricFamily("troupe_requests_admitted", "Requests that are let to the engine.", float(gate.in_flight)),
            GaugeMetricFamily("troupe_seats", "Requests that may be let to the engine at once.", float(gate.seats)),
            CounterMetricFamily("troupe_swaps", "Adapters drained so that another one had a slot.", float(gate.swaps)),
        ]


def route_of(path: str) -> str:
    """A label from a bounded set, whatever paths callers try."""
    if path in _ROUTES:
        return path
    return next((label for start, label in _ROUTE_STARTS if path.startswith(start)), "other")
