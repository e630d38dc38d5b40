"""The gateway, put together: every object is made here, once, and handed down."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from adapters.registry import Base, DatabaseError, RegistryError
from server.accounts import ConfiguredKey, KeyRing, KeyStore, KeysUnavailable, Own
from server.accounts.books import Books
from server.accounts.cloud_events import Seal
from server.fleet.fleet import Fleet
from server.gateway.admin import build_admin_router
from server.gateway.admin_rights import Rights
from server.gateway.answer import Answers
from server.gateway.apis import build_apis
from server.gateway.auth import Authenticator
from server.gateway.book_metrics import BooksCollector
from server.gateway.budget_routes import build_budget_router
from server.gateway.completions import Completions
from server.gateway.directory import Directory
from server.gateway.errors import RegistryUnavailable
from server.gateway.foresight import Foresight
from server.gateway.form import largest_weights
from server.gateway.front import Front
from server.gateway.gate import Gate
from server.gateway.idempotency import Answered
from server.gateway.key_desk import KeyDesk
from server.gateway.limit_desk import LimitDesk
from server.gateway.lives import Lives
from server.gateway.loader import Loader
from server.gateway.metering import Metering
from server.gateway.metrics import Metrics
from server.gateway.moves import Moves
from server.gateway.parse import TEMPLATE_WITHOUT_TOOLS, TOOLS_ARE_OFF
from server.gateway.public_document import public_document
from server.gateway.readiness import Readiness
from server.gateway.registry import Registry
from server.gateway.routes import build_router, install_error_handlers
from server.gateway.salts import Salts
from server.gateway.settings import GatewaySettings
from server.gateway.state_clock import StateClock
from server.gateway.tokens import PromptMeter
from server.gateway.trial import Trial
from server.gateway.uploads import Uploads
from server.gateway.upstream import Upstream
from server.gateway.warmer import Warmer

VERSION = "v1"
"""Of the admin API."""


def create_app(
    settings: GatewaySettings,
    *,
    fleet: Fleet,
    registry: Registry,
    keys: KeyStore,
    books: Books,
    base: Base,
    gate: Gate,
    max_rank: int,
    scratch: Path | None = None,
    refresh_every: float = 0.5,
) -> Front:
    """The ASGI application. Its lifespan opens and closes `fleet`; `registry`, `books` and what is below `keys` are closed by whoever
    opened them.

    Who is let in: the keys of the table, and those that the settings name.

    `gate`: closed by whoever ends the server. `max_rank`: the largest that the engine serves. `scratch`: an existing folder for uploads on
    their way, None for the system's temporary one. `refresh_every`: seconds between two looks at the registry.
    Raises BaseError if the base's tokenizer or chat template cannot be used.
    """
    ring = KeyRing(keys, configured=configured_keys(settings), trust=settings.key_trust)
    authenticator, desk = Authenticator(ring), KeyDesk(ring, keys)
    directory = Directory(registry, base_fingerprint=base.fingerprint, started=int(time.time()))
    lives, states = Lives(books.lives, engine="remote" if settings.engine_url else "local", clock_ns=books.clock_ns), StateClock()
    fleet.listen(lives.changed)
    fleet.listen(states.changed)
    metrics = Metrics(fleet, directory, gate)
    metrics.add(BooksCollector(books.ledger, lives, states))
    upstream = Upstream(
        connect_timeout=settings.connect_timeout, stall_timeout=settings.stall_timeout, answer_timeout=settings.answer_timeout
    )
    loader = Loader(fleet, upstream, metrics)
    foresight = Foresight(fleet, loader)
    trial = Trial(gate, fleet, upstream, deadline=settings.deadline)
    moves = Moves(registry, directory, trial, loader, metrics, base=base, max_rank=max_rank)
    uploads = Uploads(weights_bytes=largest_weights(base, max_rank), timeout=settings.body_timeout, scratch=scratch)
    warmer = Warmer(directory, fleet, upstream, loader)
    beside = (
        lambda: directory.follow(every=refresh_every),
        lambda: books.terms.follow(every=refresh_every),
        lives.run,
        ring.follow,
        warmer.run,
        foresight.run,
        metrics.follow_wakes,
    )
    running = partial(_running, fleet=fleet, directory=directory, ring=ring, desk=desk, upstream=upstream, lives=lives, beside=beside)
    rest = FastAPI(title="Troupe", version=VERSION, lifespan=running, openapi_url=None, redirect_slashes=False)
    timeout = settings.body_timeout
    meter = PromptMeter(base.path)
    apis = build_apis(base.vocab_size, no_tools=_why_no_tools(settings, meter))
    routes = build_router(
        document=public_document(apis, version=VERSION),
        authenticator=authenticator,
        directory=directory,
        readiness=Readiness(fleet, directory, ring, books.ledger),
        fleet=fleet,
        foresight=foresight,
        metrics=metrics,
        body_timeout=timeout,
    )
    rest.include_router(routes)
    limits = LimitDesk(books, keys)
    rest.include_router(build_budget_router(authenticator=authenticator, desk=limits, currency=settings.currency))
    rest.include_router(
        build_admin_router(
            rights=Rights(authenticator),
            desk=desk,
            directory=directory,
            registry=registry,
            fleet=fleet,
            mode="remote" if settings.engine_url else settings.mode,
            base_name=base.path.name,
            moves=moves,
            uploads=uploads,
            limits=limits,
            books=books,
            seal=Seal(settings.event_source, settings.currency),
            body_timeout=timeout,
            document=rest.openapi,
        )
    )
    install_error_handlers(rest)
    reserved_ms = round(settings.reserved_seconds * 1000)
    metering = Metering(books, life=lives.life, refused=metrics.note_refusal, reserved_ms=reserved_ms)
    answers = Answers(gate, fleet, upstream)
    endpoint = partial(
        Completions,
        settings=settings,
        authenticator=authenticator,
        directory=directory,
        meter=meter,
        fleet=fleet,
        metering=metering,
        answers=answers,
        answered=Answered(),
        context_length=min(settings.context_length or base.context_length, base.context_length),
        salts=Salts(secrets.token_bytes(32)),  # as long-lived as any KV cache that it separates
    )
    return Front(
        {api.path: endpoint(api) for api in apis},
        rest,
        errors={api.path: api.errors for api in apis},
        metrics=metrics,
        max_head_bytes=settings.max_head_bytes,
    )


def configured_keys(settings: GatewaySettings) -> list[ConfiguredKey]:
    """Those that the settings name."""
    named = ((Own.CHAT, settings.api_key), (Own.EVALUATE, settings.evaluate_key), (Own.ADMIN, settings.admin_key))
    return [ConfiguredKey(own.value, key.get_secret_value(), own.scopes) for own, key in named if key is not None]


def _why_no_tools(settings: GatewaySettings, meter: PromptMeter) -> str | None:
    if not settings.engine_tool_parser:
        return TOOLS_ARE_OFF
    return None if meter.knows_tools else TEMPLATE_WITHOUT_TOOLS


@asynccontextmanager
async def _running(
    app: FastAPI,
    *,
    fleet: Fleet,
    directory: Directory,
    ring: KeyRing,
    desk: KeyDesk,
    upstream: Upstream,
    lives: Lives,
    beside: Sequence[Callable[[], Coroutine[None, None, None]]],
) -> AsyncIterator[None]:
    """What runs beside the requests, from before the first to after the last."""
    await fleet.open()
    with suppress(DatabaseError, KeysUnavailable):  # nobody is let in until they can be read
        await ring.refresh()
    with suppress(RegistryError, RegistryUnavailable):  # without it, callers are told to come again
        await directory.refresh()
    tasks = [asyncio.create_task(work()) for work in beside]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await desk.close()
        with suppress(DatabaseError):  # nothing depends on it
            await ring.note_used()
        await upstream.close()
        await fleet.close()
        await lives.close()
