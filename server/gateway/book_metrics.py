"""What Prometheus may see of the books: whether they are kept, and how long engines cost. No label names a community or a key."""

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from server.accounts.ledger import Ledger
from server.gateway.lives import Lives
from server.gateway.state_clock import StateClock


class BooksCollector(Collector):
    """Asks when scraped, and only what is in memory."""

    def __init__(self, ledger: Ledger, lives: Lives, engine: StateClock) -> None:
        self._ledger = ledger
        self._lives = lives
        self._engine = engine

    def collect(self) -> list[Metric]:
        seconds = CounterMetricFamily("troupe_engine_seconds", "Seconds that the engine has been in each state.", labels=["state"])
        for state, spent in self._engine.seconds().items():
            seconds.add_metric([state], spent)
        ledger, lives = float(self._ledger.failure is not None), float(self._lives.failure is not None)
        return [
            seconds,
            GaugeMetricFamily("troupe_ledger_unsettled", "Requests whose end is not on disk yet.", float(self._ledger.unsettled)),
            GaugeMetricFamily("troupe_ledger_failing", "1 while requests cannot be written down, and so none are answered.", ledger),
            GaugeMetricFamily("troupe_lives_unwritten", "Changes of the engine that are not on disk yet.", float(self._lives.unwritten)),
            GaugeMetricFamily("troupe_lives_failing", "1 while what engines cost cannot be written down or shared out.", lives),
        ]
