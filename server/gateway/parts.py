"""What a gateway is made of: every object is made here, once, and handed down. Knows no route."""

import secrets
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from adapters.registry import Base
from server.accounts import ConfiguredKey, KeyRing, KeyStore, Own
from server.accounts.books import Books
from server.feedback.consent import ConsentStore
from server.feedback.store import FeedbackStore
from server.feedback.trials import TrialStore
from server.fleet.fleet import Fleet
from server.gateway.admin.canary_keeper import CanaryKeeper
from server.gateway.admin.form import largest_weights
from server.gateway.admin.key_desk import KeyDesk
from server.gateway.admin.limit_desk import LimitDesk
from server.gateway.admin.moves import Moves
from server.gateway.admin.trial import Trial
from server.gateway.admin.uploads import Uploads
from server.gateway.admission.gate import Gate
from server.gateway.answer import Answers
from server.gateway.apis.api import Api, build_apis
from server.gateway.apis.parse import TEMPLATE_WITHOUT_TOOLS, TOOLS_ARE_OFF
from server.gateway.auth import Authenticator
from server.gateway.book_metrics import BooksCollector
from server.gateway.completions import Completions
from server.gateway.directory import Directory
from server.gateway.feedback.desk import FeedbackDesk
from server.gateway.foresight import Foresight
from server.gateway.idempotency import Answered
from server.gateway.lives import Lives
from server.gateway.loader import Loader
from server.gateway.metering import Metering
from server.gateway.metrics import Metrics
from server.gateway.readiness import Readiness
from server.gateway.registry import Registry
from server.gateway.salts import Salts
from server.gateway.settings import GatewaySettings
from server.gateway.state_clock import StateClock
from server.gateway.tokens import PromptMeter
from server.gateway.upstream import Upstream
from server.gateway.warmer import Warmer


@dataclass(frozen=True)
class Parts:
    """For one application."""

    fleet: Fleet
    registry: Registry
    books: Books
    ring: KeyRing
    authenticator: Authenticator
    keys: KeyDesk
    limits: LimitDesk
    feedback: FeedbackDesk
    canaries: CanaryKeeper
    directory: Directory
    lives: Lives
    metrics: Metrics
    upstream: Upstream
    metering: Metering
    foresight: Foresight
    moves: Moves
    uploads: Uploads
    warmer: Warmer
    readiness: Readiness
    apis: tuple[Api, ...]
    endpoints: dict[str, Completions]
    """The hot paths."""


def make_parts(
    settings: GatewaySettings,
    *,
    fleet: Fleet,
    registry: Registry,
    keys: KeyStore,
    books: Books,
    base: Base,
    gate: Gate,
    max_rank: int,
    scratch: Path | None,
) -> Parts:
    """As `create_app`. Raises BaseError if the base's tokenizer or chat template cannot be used."""
    ring = KeyRing(keys, configured=configured_keys(settings), trust=settings.key_trust)
    authenticator = Authenticator(ring)
    directory = Directory(registry, base_fingerprint=base.fingerprint, started=int(time.time()))
    lives = Lives(books.lives, engine="remote" if settings.engine_url else "local", clock_ns=books.clock_ns)
    metrics = _metrics(fleet, directory, gate, books, lives)
    upstream = _upstream(settings)
    loader, trial = Loader(fleet, upstream, metrics), Trial(gate, fleet, upstream, deadline=settings.deadline)
    moves = Moves(registry, directory, trial, loader, metrics, base=base, max_rank=max_rank)
    feedback, trials, meter = FeedbackStore(books.database), TrialStore(books.database), PromptMeter(base.path)
    apis = build_apis(base.vocab_size, no_tools=_why_no_tools(settings, meter))
    metering = Metering(books, life=lives.life, refused=metrics.note_refusal, reserved_ms=round(settings.reserved_seconds * 1000))
    endpoint = partial(
        Completions,
        settings=settings,
        authenticator=authenticator,
        directory=directory,
        meter=meter,
        fleet=fleet,
        metering=metering,
        answers=Answers(gate, fleet, upstream),
        answered=Answered(),
        context_length=min(settings.context_length or base.context_length, base.context_length),
        salts=Salts(secrets.token_bytes(32)),  # as long-lived as any KV cache that it separates
    )
    return Parts(
        fleet=fleet,
        registry=registry,
        books=books,
        ring=ring,
        authenticator=authenticator,
        keys=KeyDesk(ring, keys, books.terms),
        limits=LimitDesk(books, keys),
        feedback=FeedbackDesk(feedback, ConsentStore(books.database), trials, directory, clock_ns=books.clock_ns),
        canaries=CanaryKeeper(trials, feedback, directory, moves, clock_ns=books.clock_ns),
        directory=directory,
        lives=lives,
        metrics=metrics,
        upstream=upstream,
        metering=metering,
        foresight=Foresight(fleet, loader),
        moves=moves,
        uploads=Uploads(weights_bytes=largest_weights(base, max_rank), timeout=settings.body_timeout, scratch=scratch),
        warmer=Warmer(directory, fleet, upstream, loader),
        readiness=Readiness(fleet, directory, ring, books.ledger),
        apis=apis,
        endpoints={api.path: endpoint(api) for api in apis},
    )


def _upstream(settings: GatewaySettings) -> Upstream:
    return Upstream(connect_timeout=settings.connect_timeout, stall_timeout=settings.stall_timeout, answer_timeout=settings.answer_timeout)


def configured_keys(settings: GatewaySettings) -> list[ConfiguredKey]:
    """Those that the settings name."""
    named = ((Own.CHAT, settings.api_key), (Own.EVALUATE, settings.evaluate_key), (Own.ADMIN, settings.admin_key))
    return [ConfiguredKey(own.value, key.get_secret_value(), own.scopes) for own, key in named if key is not None]


def _metrics(fleet: Fleet, directory: Directory, gate: Gate, books: Books, lives: Lives) -> Metrics:
    """And what they and the bill hear of the engine."""
    states = StateClock()
    fleet.listen(lives.changed)
    fleet.listen(states.changed)
    metrics = Metrics(fleet, directory, gate)
    metrics.add(BooksCollector(books.ledger, lives, states))
    return metrics


def _why_no_tools(settings: GatewaySettings, meter: PromptMeter) -> str | None:
    if not settings.engine_tool_parser:
        return TOOLS_ARE_OFF
    return None if meter.knows_tools else TEMPLATE_WITHOUT_TOOLS
