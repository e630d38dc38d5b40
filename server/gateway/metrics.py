"""What Prometheus may see: routes, times and counts. No label names a community, for /metrics needs no key."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from server.fleet.engine import Engine, EngineState
from server.gateway.directory import Directory
from server.gateway.record import Record
from server.gateway.verdict import Outcome

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_ROUTES = frozenset(
    {"/v1/chat/completions", "/v1/completions", "/v1/models", "/health/live", "/health/ready", "/metrics", "/admin/v1/status"}
)

_ROUTE_STARTS = (("/v1/models/", "/v1/models/{model}"), ("/admin/v1/", "/admin/v1/*"))


class Metrics:
    """One registry for one application, so that two in a process do not mix."""

    def __init__(self, engine: Engine, directory: Directory) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("troupe_requests", "Requests answered.", ["route", "status"], registry=self._registry)
        self._errors = Counter("troupe_errors", "Requests that ended with an error, by code.", ["code"], registry=self._registry)
        self._ttft = Histogram("troupe_ttft_seconds", "Request to first event of a stream.", buckets=_SECONDS, registry=self._registry)
        self._tokens = Counter("troupe_tokens", "Tokens as the engine counted them.", ["kind"], registry=self._registry)
        self._running = Gauge("troupe_requests_running", "Requests being answered.", registry=self._registry)
        self._trials = Counter("troupe_trials", "Adapters tried on the engine, by outcome.", ["outcome"], registry=self._registry)
        self._warm_loads = Counter("troupe_warm_loads", "Adapters loaded ahead of requests.", ["outcome"], registry=self._registry)
        self._registry.register(_EngineCollector(engine))
        self._registry.register(_DirectoryCollector(directory))

    def begin(self) -> None:
        self._running.inc()

    def end(self, record: Record) -> None:
        self._running.dec()
        self._requests.labels(route_of(record.path), f"{record.status // 100}xx" if record.status else "none").inc()
        if record.error is not None:
            self._errors.labels(record.error).inc()
        if record.first_byte is not None:
            self._ttft.observe(record.first_byte)
        if record.usage is not None:
            self._tokens.labels("prompt").inc(record.usage.prompt)
            self._tokens.labels("completion").inc(record.usage.completion)

    def note_trial(self, outcome: Outcome) -> None:
        self._trials.labels(outcome).inc()

    def note_warm_load(self, outcome: str) -> None:
        """`loaded` or `failed`."""
        self._warm_loads.labels(outcome).inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _EngineCollector(Collector):
    """Asks for the state when scraped. It only looks: a scrape wakes nobody."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> list[Metric]:
        family = GaugeMetricFamily("troupe_engine_state", "1 for the state the engine is in.", labels=["state"])
        for state in EngineState:
            family.add_metric([state], float(self._engine.state is state))
        return [family]


class _DirectoryCollector(Collector):
    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def collect(self) -> list[Metric]:
        snapshot, failing = self._directory.snapshot, self._directory.failure is not None
        return [
            GaugeMetricFamily("troupe_registry_revision", "Of the registry, as held here.", float(snapshot.revision if snapshot else 0)),
            GaugeMetricFamily("troupe_registry_failing", "1 while the registry cannot be read.", float(failing)),
        ]


def route_of(path: str) -> str:
    """A label from a bounded set, whatever paths callers try."""
    if path in _ROUTES:
        return path
    return next((label for start, label in _ROUTE_STARTS if path.startswith(start)), "other")
