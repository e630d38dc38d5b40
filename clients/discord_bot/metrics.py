"""What Prometheus may know of the bot: numbers, and no name of anybody. Served on a port of this machine, if one is set."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from clients.errors import BadSettings

_SECONDS = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0, 60.0, 120.0, 300.0)


class Metrics:
    """One registry of its own; serves nothing by itself."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answers = Counter("troupe_bot_answers", "Messages answered, by what they got.", ["kind"], registry=self.registry)
        self._dropped = Counter("troupe_bot_dropped", "Messages that were to be answered and are gone.", registry=self.registry)
        self._seconds = Histogram(
            "troupe_bot_answer_seconds", "From a message to the last part of its answer.", buckets=_SECONDS, registry=self.registry
        )
        self._reactions = Counter("troupe_bot_reactions", "Reactions to answers of the bot that count.", registry=self.registry)
        self._told = Counter("troupe_bot_feedback_told", "Answers whose reactions the gateway was told of.", registry=self.registry)
        self._failed = Counter("troupe_bot_feedback_failures", "Times that the gateway could not be told.", registry=self.registry)
        self._guilds = Gauge("troupe_bot_guilds", "Servers that the bot is in.", registry=self.registry)
        self._silent = Gauge("troupe_bot_breaker_open", "1 while Discord is not called, as it refused too much.", registry=self.registry)
        self._refused = Gauge("troupe_bot_refused_calls", "Calls that Discord refused in the last ten minutes.", registry=self.registry)

    def answered(self, kind: str, seconds: float) -> None:
        self._answers.labels(kind).inc()
        self._seconds.observe(max(0.0, seconds))

    def dropped(self) -> None:
        self._dropped.inc()

    def reacted(self) -> None:
        self._reactions.inc()

    def told(self, answers: int) -> None:
        self._told.inc(answers)

    def not_told(self) -> None:
        self._failed.inc()

    def guilds(self, count: int) -> None:
        self._guilds.set(count)

    def watch_breaker(self, is_open: Callable[[], bool], refused: Callable[[], int]) -> None:
        """Asked at each scrape."""
        self._silent.set_function(lambda: float(is_open()))
        self._refused.set_function(lambda: float(refused()))


class Served:
    """The metrics at `http://127.0.0.1:port/metrics`, within `with`. No port, no server."""

    def __init__(self, metrics: Metrics, port: int | None) -> None:
        self._metrics = metrics
        self._port = port

    def __enter__(self) -> Self:
        if self._port is not None:
            try:
                self._server, self._thread = start_http_server(self._port, addr="127.0.0.1", registry=self._metrics.registry)
            except OSError as exc:
                raise BadSettings(f"TROUPE_BOT_METRICS_PORT: port {self._port} is taken. Choose another.") from exc
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._port is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
